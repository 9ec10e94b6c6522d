/** @module Receptions of every node together, and who did not tell theirs. */
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "../../../lib/cluster-nodes.ts";
import type { Reception, Receptions } from "../contract.ts";

/** A node that is well answers from its memory. */
const LIMIT_MS = 2000;

export interface Wanted {
  readonly min: number;
  /** Of each node. */
  readonly limit: number;
}

/** Adds what the other nodes of the registry have to this node's own. Never throws: who does not answer is named. */
export async function allReceptions(
  broker: ServiceBroker,
  own: readonly Reception[],
  wanted: Wanted,
): Promise<Receptions> {
  const others = nodesWith(broker, "acks.sender").filter(({ id }) => id !== broker.nodeID);
  const answers = await Promise.all(
    others.map(async ({ available, id }) => ({
      id,
      theirs: available ? await ask(broker, id, wanted) : null,
    })),
  );
  const reporting = answers.filter(({ theirs }) => theirs !== null).map(({ id }) => id);
  const receptions = [...own, ...answers.flatMap(({ theirs }) => theirs ?? [])];
  return {
    receptions: receptions.sort((a, b) => order(b.last_seen, a.last_seen)),
    count: receptions.length,
    scope: "cluster",
    nodes_reporting: [broker.nodeID, ...reporting].sort(),
    nodes_missing: answers.filter(({ theirs }) => theirs === null).map(({ id }) => id),
  };
}

async function ask(
  broker: ServiceBroker,
  nodeID: string,
  wanted: Wanted,
): Promise<readonly Reception[] | null> {
  try {
    const options = { nodeID, timeout: LIMIT_MS };
    const { receptions } = await broker.call<Receptions, object>("acks.sender.all", { ...wanted }, options);
    return receptions;
  } catch (error) {
    broker.logger.debug("a node did not tell its receptions", { node: nodeID, error: String(error) });
    return null;
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
