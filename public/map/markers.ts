/** @module What a marker looks like (contract corroport, section 9). */

export const MARKER_KINDS = ["own", "expected", "active", "acked", "overdue"] as const;
export type MarkerKind = (typeof MARKER_KINDS)[number];

export interface MarkerStyle {
  readonly radius: number;
  readonly color: string;
  /** In the legend. */
  readonly label: string;
}

export const MARKERS: Readonly<Record<MarkerKind, MarkerStyle>> = {
  own: { radius: 4, color: "#e046ff", label: "This node" },
  expected: { radius: 6, color: "#969494", label: "Expected" },
  active: { radius: 4, color: "#4ec2f8", label: "Active" },
  acked: { radius: 4, color: "#54f25a", label: "Acknowledged" },
  overdue: { radius: 4, color: "#ef4444", label: "Overdue" },
};

/** A node on the map and all that holds for it. */
export interface MapNode {
  readonly nodeId: string;
  /** Default: by its id. */
  readonly region?: string;
  readonly kinds: readonly MarkerKind[];
}

/** From the bottom up: grey lies below whatever else holds, and the newest word on a node on top. */
const ORDER: readonly MarkerKind[] = ["expected", "active", "acked", "overdue", "own"];

/** What is drawn of a node, from the bottom up; empty: it is hidden by the legend. */
export function layersOf(
  node: Pick<MapNode, "kinds">,
  hidden: ReadonlySet<MarkerKind>,
): readonly MarkerKind[] {
  const shown = ORDER.filter((kind) => node.kinds.includes(kind) && !hidden.has(kind));
  const top = shown.findLast((kind) => kind !== "expected");
  return shown.filter((kind) => kind === "expected" || kind === top);
}

/** A node's state in words, for those who see no colours: `dev-node2, Yellowknife: expected, acknowledged`. */
export function describeMarker(nodeId: string, region: string, kinds: readonly MarkerKind[]): string {
  const states = ORDER.filter((kind) => kinds.includes(kind)).map((kind) =>
    MARKERS[kind].label.toLowerCase(),
  );
  return `${nodeId}, ${region}: ${states.join(", ")}`;
}
