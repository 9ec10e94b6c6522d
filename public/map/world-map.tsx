/** @module The world map: one marker a node, a legend whose entries switch, and those whose place nobody knows. */
import { useMemo, useState } from "preact/hooks";
import { classes } from "../components/classes.ts";
import { HEIGHT, layOut, type Placed, VIEW_BOX, WIDTH } from "./geometry.ts";
import { describeMarker, layersOf, MARKERS, type MapNode, type MarkerKind } from "./markers.ts";
import { LAND } from "./outline.ts";

export interface WorldMapProps {
  readonly nodes: readonly MapNode[];
  /** What the legend lists, in this order. */
  readonly legend: readonly MarkerKind[];
  /** Words of the legend that differ from the usual ones. */
  readonly labels?: Readonly<Partial<Record<MarkerKind, string>>>;
  /** Behind each entry of the legend, e.g. how many; `?` where nobody knows. */
  readonly counts?: Readonly<Partial<Record<MarkerKind, number | "?" | undefined>>>;
}

export function WorldMap({ nodes, legend, labels = {}, counts = {} }: WorldMapProps) {
  const [hidden, setHidden] = useState<ReadonlySet<MarkerKind>>(new Set());
  const layout = useMemo(() => layOut(nodes), [nodes]);
  const byId = useMemo(() => new Map(nodes.map((node) => [node.nodeId, node])), [nodes]);

  const toggle = (kind: MarkerKind) => {
    const next = new Set(hidden);
    if (!next.delete(kind)) next.add(kind);
    setHidden(next);
  };

  return (
    <div>
      {/* biome-ignore lint/a11y/useSemanticElements: SVG has no element for it */}
      <svg
        viewBox={VIEW_BOX}
        class="block w-full bg-sea"
        role="group"
        aria-label={`World map with ${layout.placed.length} nodes`}
      >
        <rect x="0" y="0" width={WIDTH} height={HEIGHT} class="fill-sea" />
        <path d={LAND} class="fill-land" />
        {layout.placed.map((placed) => (
          <Marker key={placed.nodeId} placed={placed} node={byId.get(placed.nodeId)} hidden={hidden} />
        ))}
      </svg>
      <div class="flex flex-wrap items-center gap-x-1 gap-y-1 border-t border-line px-3 py-2">
        {legend.map((kind) => (
          <LegendEntry
            key={kind}
            kind={kind}
            label={labels[kind] ?? MARKERS[kind].label}
            count={counts[kind]}
            countable={kind in counts}
            shown={!hidden.has(kind)}
            toggle={() => toggle(kind)}
          />
        ))}
      </div>
      {layout.unplaced.length > 0 && (
        <p class="border-t border-line px-4 py-2 text-xs text-muted" data-unplaced>
          Not on the map:{" "}
          {layout.unplaced.map(({ nodeId, region }, i) => (
            <span key={nodeId}>
              {i > 0 && ", "}
              <span class="font-mono text-ink">{nodeId}</span> ({region})
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

interface MarkerProps {
  readonly placed: Placed;
  readonly node: MapNode | undefined;
  readonly hidden: ReadonlySet<MarkerKind>;
}

/** It comes down on its place; a narrow screen shrinks the map, but not so much what is marked on it. */
const MARKER =
  "origin-center transition-[opacity,scale] duration-500 ease-out [transform-box:fill-box] max-sm:scale-150 starting:scale-300 starting:opacity-0";

function Marker({ placed, node, hidden }: MarkerProps) {
  if (node === undefined) return null;
  const layers = layersOf(node, hidden);
  if (layers.length === 0) return null;
  const { nodeId, region, at } = placed;
  const words = describeMarker(nodeId, region.name, node.kinds);
  return (
    // biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: a group of SVG is not interactive
    <g role="img" aria-label={words} data-node={nodeId} data-kinds={layers.join(" ")}>
      <title>{words}</title>
      {layers.map((kind) => (
        <circle
          key={kind}
          cx={at.x.toFixed(2)}
          cy={at.y.toFixed(2)}
          r={MARKERS[kind].radius}
          fill={MARKERS[kind].color}
          data-kind={kind}
          class={MARKER}
        />
      ))}
    </g>
  );
}

interface LegendEntryProps {
  readonly kind: MarkerKind;
  readonly label: string;
  readonly count: number | "?" | undefined;
  /** Whether there is a count, or will be one: it has a place, so that nothing moves when it comes. */
  readonly countable: boolean;
  readonly shown: boolean;
  readonly toggle: () => void;
}

function LegendEntry({ kind, label, count, countable, shown, toggle }: LegendEntryProps) {
  const { color, radius } = MARKERS[kind];
  return (
    <button
      type="button"
      aria-pressed={shown}
      class={classes(
        "inline-flex items-center gap-1.5 rounded-md px-2 py-1 text-xs transition hover:bg-raised active:scale-95",
        !shown && "text-muted line-through",
      )}
      onClick={toggle}
    >
      <svg
        viewBox="0 0 12 12"
        class={classes("size-3 transition-opacity", !shown && "opacity-40")}
        aria-hidden="true"
      >
        <circle cx="6" cy="6" r={radius} fill={color} />
      </svg>
      {label}
      {countable && (
        <span class={classes("min-w-[1ch] font-semibold tabular-nums", count === "?" && "text-bad")}>
          {count}
        </span>
      )}
    </button>
  );
}
