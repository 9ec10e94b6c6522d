/** @module A chart with a line per node; a click, on a line or in the legend, leaves one node alone. */
import { useMemo, useState } from "preact/hooks";
import type { Line } from "../../../../services/analytics/series.ts";
import { Button } from "../../../components/button.tsx";
import { countText } from "../../../data/wording.ts";
import { ChartCard } from "./chart-card.tsx";
import { isolatedAfter, isPoint, leftOut, pointsOf } from "./lines.ts";
import { type Axes, linesOptions } from "./lines-options.ts";
import { Swatch } from "./swatch.tsx";

export interface NodeLinesProps {
  readonly title: string;
  readonly run: string;
  readonly lines: readonly Line[];
  /** Of every node, so that it has the same in all charts. */
  readonly colours: ReadonlyMap<string, string>;
  readonly nothing: string;
  readonly remark: string;
  readonly axes: Axes;
}

export function NodeLines({ title, run, lines, colours, nothing, remark, axes }: NodeLinesProps) {
  const [chosen, setChosen] = useState<string | null>(null);
  const nodes = lines.map(({ node_id }) => node_id);
  const isolated = chosen !== null && nodes.includes(chosen) ? chosen : null;
  const options = useMemo(
    () => (lines.length === 0 ? null : linesOptions(pointsOf(lines, isolated), colours, axes)),
    [lines, isolated, colours, axes],
  );
  const colourOf = (node: string) => colours.get(node) ?? "currentColor";
  const missing = leftOut(lines);
  return (
    <ChartCard
      title={title}
      run={run}
      options={options}
      nothing={nothing}
      label={`${title} of ${isolated ?? countText(nodes.length, "node")}`}
      legend={nodes
        .filter((node) => isolated === null || node === isolated)
        .map((node) => ({ text: node, colour: colourOf(node) }))}
      onPick={(datum) => {
        if (isPoint(datum)) setChosen(isolatedAfter(isolated, datum.node));
      }}
    >
      <fieldset class="flex flex-wrap gap-1" aria-label={`Nodes of ${title}`}>
        {nodes.map((node) => (
          <Button
            key={node}
            size="small"
            tone="quiet"
            pressed={isolated === node}
            title={isolated === node ? "Show all nodes" : "Show this node alone"}
            onPress={() => setChosen(isolatedAfter(isolated, node))}
          >
            <Swatch colour={colourOf(node)} />
            <span class={isolated === node ? "font-mono font-semibold text-ink" : "font-mono"}>{node}</span>
          </Button>
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
