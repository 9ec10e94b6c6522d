/** @module A chart with a line per node; a click, on a line or in the legend, leaves one node alone. */
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Line } from "../../../../services/analytics/series.ts";
import { Button } from "../../../components/button.tsx";
import { countText } from "../../../data/wording.ts";
import { ChartCard } from "./chart-card.tsx";
import { isolatedAfter, isPoint, leftOut, type NodeLooks, silentOf } from "./lines.ts";
import { type Axes, linesOptions } from "./lines-options.ts";
import { SQUARE } from "./shapes.ts";
import { Swatch } from "./swatch.tsx";

export interface NodeLinesProps {
  readonly title: string;
  readonly run: string;
  readonly note: ComponentChildren;
  readonly lines: readonly Line[];
  /** Nodes that should have a line: of those without, the legend says so. */
  readonly expected: readonly string[];
  /** Of every node, so that it has the same in all charts. */
  readonly looks: NodeLooks;
  /** Where there is no line at all. */
  readonly nothing: string;
  /** Behind the name of a node without a line, e.g. `no receipt`. */
  readonly silence: string;
  readonly remark: string;
  readonly axes: Axes;
}

export function NodeLines(props: NodeLinesProps) {
  const { title, run, note, lines, expected, looks, nothing, silence, remark, axes } = props;
  const [chosen, setChosen] = useState<string | null>(null);
  const nodes = lines.map(({ node_id }) => node_id);
  const isolated = chosen !== null && nodes.includes(chosen) ? chosen : null;
  const options = useMemo(
    () => (lines.length === 0 ? null : linesOptions(lines, isolated, looks, axes)),
    [lines, isolated, looks, axes],
  );
  const lookOf = (node: string) => looks.get(node) ?? { colour: "currentColor", shape: SQUARE };
  const silent = silentOf(expected, lines);
  const missing = leftOut(lines);
  return (
    <ChartCard
      title={title}
      run={run}
      note={note}
      options={options}
      nothing={nothing}
      label={`${title} of ${isolated ?? countText(nodes.length, "node")}`}
      legend={[
        ...nodes
          .filter((node) => isolated === null || node === isolated)
          .map((node) => ({ text: node, ...lookOf(node) })),
        ...silent.map((node) => ({ text: `${node}: ${silence}`, ...lookOf(node), colour: "var(--line)" })),
      ]}
      onPick={(datum) => {
        if (isPoint(datum)) setChosen(isolatedAfter(isolated, datum.node));
      }}
    >
      <fieldset class="-ml-2 flex min-h-7 flex-wrap items-center gap-1" aria-label={`Nodes of ${title}`}>
        {nodes.map((node) => (
          <Button
            key={node}
            size="small"
            tone="quiet"
            pressed={isolated === node}
            title={isolated === node ? "Show all nodes" : "Show this node alone"}
            onPress={() => setChosen(isolatedAfter(isolated, node))}
          >
            <Swatch {...lookOf(node)} />
            <span
              class={
                isolated === node
                  ? "font-mono text-ink underline decoration-2 underline-offset-4"
                  : "font-mono"
              }
            >
              {node}
            </span>
          </Button>
        ))}
        {silent.map((node) => (
          <span
            key={node}
            class="inline-flex h-7 items-center gap-1.5 px-2 text-xs text-muted"
            data-silent={node}
          >
            <Swatch {...lookOf(node)} hollow />
            <span class="font-mono">{node}</span>
            <span>{silence}</span>
          </span>
        ))}
      </fieldset>
      <p class="mt-1 text-xs text-muted">
        {remark}
        {missing > 0 &&
          ` ${countText(missing, "point")} between the extremes ${missing === 1 ? "is" : "are"} not drawn.`}
      </p>
    </ChartCard>
  );
}
