/** @module How the latency distribution is drawn: coloured bars, and dashed lines at the percentiles. */
import { axisX, axisY, gridY, type PlotOptions, rectY, ruleX, ruleY, text } from "@observablehq/plot";
import { countText, msText } from "../../../data/wording.ts";
import type { Bar, PercentileMark } from "./latency.ts";

/** Pixels, of a line of text above the bars. */
const ROW = 14;

export function distributionOptions(bars: readonly Bar[], marks: readonly PercentileMark[]): PlotOptions {
  const end = bars.at(-1)?.to ?? 1;
  const ticks = countTicks(Math.max(0, ...bars.map(({ count }) => count)));
  return {
    marginTop: 4 + (marks.length + 1) * ROW,
    marginLeft: 56,
    marginBottom: 40,
    x: { domain: [0, end] },
    marks: [
      gridY({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ label: "latency, ms", tickSpacing: 64 }),
      axisY({ label: "acknowledgements", tickFormat: "d", ticks }),
      rectY(
        bars.filter(({ count }) => count > 0),
        {
          x1: "from",
          x2: "to",
          y: "count",
          fill: "colour",
          insetLeft: 0.5,
          insetRight: 0.5,
          title: ({ count, from, to }: Bar) => `${from} to ${to} ms: ${countText(count, "ack")}`,
          tip: { fill: "var(--surface)", stroke: "var(--line-strong)" },
        },
      ),
      ruleY([0], { stroke: "var(--line-strong)" }),
      // Each up to a line of its own: percentiles of quick runs lie close together.
      ...marks.map((mark, at) =>
        ruleX([mark], {
          x: "ms",
          stroke: "var(--ink)",
          strokeDasharray: "4 3",
          insetTop: (at - marks.length) * ROW,
        }),
      ),
      ...marks.map((mark, at) => {
        const left = mark.ms < end / 2;
        return text([mark], {
          x: "ms",
          frameAnchor: "top",
          dy: (at - marks.length) * ROW,
          dx: left ? 4 : -4,
          textAnchor: left ? "start" : "end",
          fill: "var(--ink)",
          // The line of another percentile does not run through the words.
          stroke: "var(--surface)",
          strokeWidth: 5,
          text: ({ name, ms }: PercentileMark) => `${name} ${msText(ms)}`,
        });
      }),
    ],
    color: { type: "identity" },
  };
}

/** Whole numbers only: there are no halves of an acknowledgement. */
function countTicks(most: number): number | number[] {
  return most < 5 ? Array.from({ length: most + 1 }, (_, i) => i) : 5;
}
