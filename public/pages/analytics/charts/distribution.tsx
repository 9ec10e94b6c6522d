/** @module Latency distribution: how many acknowledgements took how long. */
import { useMemo } from "preact/hooks";
import type { Histogram, LatencyStats } from "../../../../services/analytics/maths.ts";
import { countText, msText } from "../../../data/wording.ts";
import { ChartCard } from "./chart-card.tsx";
import { distributionOptions } from "./distribution-options.ts";
import { bandsIn, barsOf, percentileMarks } from "./latency.ts";
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
