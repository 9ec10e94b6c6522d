/** @module Latency distribution: how many acknowledgements took how long. */
import { axisX, axisY, gridY, type PlotOptions, rectY, ruleX, ruleY, text } from "@observablehq/plot";
import { useMemo } from "preact/hooks";
import type { Histogram, LatencyStats } from "../../../../services/analytics/maths.ts";
import { countText, msText } from "../../../data/wording.ts";
import { ChartCard } from "./chart-card.tsx";
import { type Bar, bandsIn, barsOf, type PercentileMark, percentileMarks } from "./latency.ts";
import { Swatch } from "./swatch.tsx";

export interface DistributionProps {
  readonly run: string;
  readonly histogram: Histogram;
  readonly latency: LatencyStats;
}

export function Distribution({ run, histogram, latency }: DistributionProps) {
  const bars = useMemo(() => barsOf(histogram), [histogram]);
  const marks = useMemo(() => percentileMarks(latency), [latency]);
  const options = useMemo(
    () => (latency.sample_count === 0 ? null : distributionOptions(bars, marks)),
    [bars, marks, latency.sample_count],
  );
  const bands = bandsIn(bars);
  return (
    <ChartCard
      title="Latency distribution"
      run={run}
      options={options}
      nothing="Nothing was acknowledged yet."
      label={`Histogram of ${countText(latency.sample_count, "latency", "latencies")}: ${marks
        .map(({ name, ms }) => `${name} ${msText(ms)}`)
        .join(", ")}`}
      legend={bands.map(({ colour, text }) => ({ colour, text }))}
    >
      <ul class="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
        {bands.map(({ colour, text }) => (
          <li key={colour} class="inline-flex items-center gap-1.5">
            <Swatch colour={colour} />
            {text}
          </li>
        ))}
        {marks.map(({ name, ms }) => (
          <li key={name} class="tabular-nums">
            {name} <span class="font-medium text-ink">{msText(ms)}</span>
          </li>
        ))}
      </ul>
    </ChartCard>
  );
}

function distributionOptions(bars: readonly Bar[], marks: readonly PercentileMark[]): PlotOptions {
  return {
    marginTop: 48,
    marginBottom: 36,
    x: { domain: [0, bars.at(-1)?.to ?? 1] },
    marks: [
      gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ label: "latency, ms", ticks: 8 }),
      axisY({ label: "acknowledgements", tickFormat: "d", ticks: 5 }),
      rectY(bars, {
        x1: "from",
        x2: "to",
        y: "count",
        fill: "colour",
        insetLeft: 0.5,
        insetRight: 0.5,
        title: ({ count, from, to }: Bar) => `${from} to ${to} ms: ${countText(count, "ack")}`,
        tip: { fill: "var(--surface)", stroke: "var(--line-strong)" },
      }),
      ruleY([0], { stroke: "var(--line-strong)" }),
      ruleX(marks, { x: "ms", stroke: "var(--ink)", strokeDasharray: "4 3" }),
      // Each on a line of its own: percentiles of quick runs lie close together.
      ...marks.map((mark, at) =>
        text([mark], {
          x: "ms",
          frameAnchor: "top",
          dy: -40 + at * 13,
          dx: 4,
          textAnchor: "start",
          fill: "var(--ink)",
          text: ({ name, ms }: PercentileMark) => `${name} ${msText(ms)}`,
        }),
      ),
    ],
    color: { type: "identity" },
  };
}
