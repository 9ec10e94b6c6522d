/** @module Which nodes the map of the Propagation page shows, and what holds for each. */
import type { DiscoveredNode, Member } from "../../services/corrosion/contract.ts";
import type { MapNode, MarkerKind } from "../map/markers.ts";
import type { AckRow } from "./progress.ts";

export interface Known {
  /** The node whose page this is; null: not known yet. */
  readonly own: string | null;
  /** A row a node that is, or would be, waited for. */
  readonly rows: readonly AckRow[];
  /** For their regions. */
  readonly dns: readonly DiscoveredNode[];
  readonly active: readonly Member[];
}

/**
 * One entry a node. Who is waited for is grey, with what came of it above; green without grey acknowledged unasked;
 * blue are members that nothing waits for.
 * So a reset, which forgets the acknowledgements, leaves them grey.
 */
export function ackMapNodes({ own, rows, dns, active }: Known): readonly MapNode[] {
  const regions = new Map(active.map((member) => [nameOf(member), member.region]));
  for (const { node_id, region } of dns) regions.set(node_id, region);
  const kinds = new Map<string, readonly MarkerKind[]>();
  for (const member of active) kinds.set(nameOf(member), ["active"]);
  for (const { nodeId, state, expected } of rows) {
    const ground: readonly MarkerKind[] = expected ? ["expected"] : [];
    const isOutcome = state.kind === "acked" || state.kind === "overdue";
    kinds.set(nodeId, isOutcome ? [...ground, state.kind] : ground);
  }
  if (own !== null) kinds.set(own, ["own"]);
  return [...kinds].map(([nodeId, kinds]) => {
    const region = regions.get(nodeId);
    return { nodeId, kinds, ...(region !== undefined && { region }) };
  });
}

/** How many markers there are of a kind. */
export function countKind(nodes: readonly MapNode[], kind: MarkerKind): number {
  return nodes.filter(({ kinds }) => kinds.includes(kind)).length;
}

/** A member that no row of `node_configs` names goes by its address. */
function nameOf({ node_id, address }: Member): string {
  return node_id ?? address;
}
