/** @module Which nodes a cluster update can have. */
import type { FleetNode } from "../../../services/raft/fleet-status.ts";

export interface Targets {
  /** Connected, by name. */
  readonly present: readonly string[];
  /** Known, but not connected: an update cannot have them. */
  readonly away: readonly string[];
}

/** From the nodes of the bus, and those that `node_configs` names. */
export function targetsOf(nodes: readonly FleetNode[], configured: readonly string[]): Targets {
  const present = new Set(nodes.filter(({ available }) => available).map(({ id }) => id));
  const known = new Set([...nodes.map(({ id }) => id), ...configured]);
  return {
    present: [...present].sort(byName),
    away: [...known].filter((id) => !present.has(id)).sort(byName),
  };
}

function byName(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
