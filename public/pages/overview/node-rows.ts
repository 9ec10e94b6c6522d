/** @module The nodes as both halves know them: by the fleet, and by the agents' members. */
import type { Member } from "../../../services/corrosion/contract.ts";
import type { FleetNode } from "../../../services/raft/fleet-status.ts";

export interface NodeRow {
  readonly id: string;
  /** Null: the fleet does not know it. */
  readonly fleet: FleetNode | null;
  /** Null: no member is known to be this node's agent. */
  readonly member: Member | null;
}

/** One row a node, by name. Members whose node nobody knows are none. */
export function nodeRows(nodes: readonly FleetNode[], members: readonly Member[]): readonly NodeRow[] {
  const named = new Map(
    members.flatMap((member) => (member.node_id === null ? [] : [[member.node_id, member]])),
  );
  const ids = new Set([...nodes.map(({ id }) => id), ...named.keys()]);
  return [...ids].sort().map((id) => ({
    id,
    fleet: nodes.find((node) => node.id === id) ?? null,
    member: named.get(id) ?? null,
  }));
}
