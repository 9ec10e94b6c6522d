/** @module How the latency distribution is drawn: coloured bars, and dashed lines at the percentiles. */
import { axisX, axisY, gridY, type PlotOptions, rectY, ruleX, ruleY, text } from "@observablehq/plot";
import { countText, msText } from "../../../data/wording.ts";
import type { Bar, PercentileMark } from "./latency.ts";

export function distributionOptions(bars: readonly Bar[], marks: readonly PercentileMark[]): PlotOptions {
  const end = bars.at(-1)?.to ?? 1;
  const ticks = countTicks(Math.max(0, ...bars.map(({ count }) => count)));
  return {
    marginTop: 60,
    marginBottom: 36,
    x: { domain: [0, end] },
    marks: [
      gridY({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ label: "latency, ms", ticks: 8 }),
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
      ruleX(marks, { x: "ms", stroke: "var(--ink)", strokeDasharray: "4 3" }),
      // Each on a line of its own: percentiles of quick runs lie close together.
      ...marks.map((mark, at) => {
        const left = mark.ms < end / 2;
        return text([mark], {
          x: "ms",
          frameAnchor: "top",
          dy: -42 + at * 13,
          dx: left ? 4 : -4,
          textAnchor: left ? "start" : "end",
          fill: "var(--ink)",
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
