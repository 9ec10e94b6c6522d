/** @module What a node's own changes ask first: does a cluster update have the node at this moment? */
import type { Context } from "moleculer";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { Reservation } from "./reservation.ts";

/** Calls of an update carry its id, and what they call in turn as well. */
export interface UpdateMeta {
  readonly cluster_update?: string;
}

/**
 * Throws `busy` when another cluster update than the caller's has this node: two agents must never be down at once.
 * A node without coordinator has no updates.
 */
export async function unlessReserved({ broker, meta }: Context<unknown, UpdateMeta>): Promise<void> {
  const here = { nodeID: broker.nodeID };
  if (!broker.registry.getActionEndpoints("corrosion.coordinator.holder")?.getEndpointByNodeID(broker.nodeID))
    return;
  const held = await broker.call<Reservation | null, object>("corrosion.coordinator.holder", {}, here);
  if (held === null || held.update_id === meta.cluster_update) return;
  throw new CorrosionError(
    "busy",
    `A cluster update, led by ${held.initiator}, has this node: wait until it is over.`,
  );
}
