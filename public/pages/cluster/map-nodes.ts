/** @module Which nodes the map of the Cluster page shows, and what holds for each. */
import type { DiscoveredNode, Member } from "../../../services/corrosion/contract.ts";
import type { MapNode, MarkerKind } from "../../map/markers.ts";

export interface Seen {
  /** The node whose page this is; null: not known yet. */
  readonly own: string | null;
  readonly expected: readonly DiscoveredNode[];
  readonly members: readonly Member[];
}

/** One entry a node: expected by DNS, active as a member that is not Down, own. A member without a name goes by its address. */
export function mapNodesOf({ own, expected, members }: Seen): readonly MapNode[] {
  const nodes = new Map<string, { region?: string; kinds: MarkerKind[] }>();
  const add = (nodeId: string, kind: MarkerKind, region?: string) => {
    const node = nodes.get(nodeId) ?? { kinds: [], ...(region !== undefined && { region }) };
    node.kinds.push(kind);
    nodes.set(nodeId, node);
  };
  for (const { node_id, region } of expected) add(node_id, "expected", region);
  for (const member of members.filter(isActive))
    add(member.node_id ?? member.address, "active", member.region);
  if (own !== null) add(own, "own");
  return [...nodes].map(([nodeId, node]) => ({ nodeId, ...node }));
}

/** Down is never active (contract corroport, invariant 28). */
export function isActive({ state, status }: Pick<Member, "state" | "status">): boolean {
  return state !== "Down" && state !== "Suspect" && status !== "unknown";
}
