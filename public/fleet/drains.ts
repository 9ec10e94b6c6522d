/** @module How a node's draining ends, as two answers of the fleet tell it. */
import type { FleetStatus } from "../../services/raft/fleet-status.ts";

export interface DrainEnd {
  readonly node: string;
  /** `lost`: it went away with groups that it had not handed over. */
  readonly how: "drained" | "lost";
}

/** Drains that were under way in `before` and are over in `after`; one that was taken back is none. */
export function drainsEnded(
  before: Pick<FleetStatus, "nodes">,
  after: Pick<FleetStatus, "nodes">,
): readonly DrainEnd[] {
  return before.nodes
    .filter(({ available, draining, leads }) => available && draining && leads > 0)
    .flatMap(({ id }): DrainEnd[] => {
      const now = after.nodes.find((node) => node.id === id);
      if (now === undefined || !now.available) return [{ node: id, how: "lost" }];
      return now.draining && now.leads === 0 ? [{ node: id, how: "drained" }] : [];
    });
}
