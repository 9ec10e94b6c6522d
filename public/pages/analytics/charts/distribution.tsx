/** @module Latency distribution: how many acknowledgements took how long. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Histogram, LatencyStats } from "../../../../services/analytics/maths.ts";
import { countText, msText } from "../../../data/wording.ts";
import { ChartCard } from "./chart-card.tsx";
import { distributionOptions } from "./distribution-options.ts";
import { bandsIn, barsOf, percentileMarks } from "./latency.ts";
import { SQUARE } from "./shapes.ts";
import { Swatch } from "./swatch.tsx";

export interface DistributionProps {
  readonly run: string;
  readonly note: ComponentChildren;
  readonly histogram: Histogram;
  readonly latency: LatencyStats;
}

export function Distribution({ run, note, histogram, latency }: DistributionProps) {
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
      note={note}
      options={options}
      nothing="No acknowledgement is known so far."
      label={`Histogram of ${countText(latency.sample_count, "latency", "latencies")}: ${marks
        .map(({ name, ms }) => `${name} ${msText(ms)}`)
        .join(", ")}`}
      legend={bands.map(({ colour, text }) => ({ colour, text, shape: SQUARE }))}
    >
      <ul class="flex min-h-7 flex-wrap items-center gap-x-4 gap-y-1 text-xs text-muted">
        {bands.map(({ colour, text }) => (
          <li key={colour} class="inline-flex items-center gap-1.5">
            <Swatch colour={colour} shape={SQUARE} />
            {text}
          </li>
        ))}
      </ul>
      <p class="mt-1 text-xs text-muted tabular-nums">
        {latency.sample_count === 0
          ? "Dashed lines will stand at the percentiles P50, P95 and P99."
          : `${countText(latency.sample_count, "acknowledgement")}; dashed: half, 95 % and 99 % were not slower.`}
      </p>
    </ChartCard>
  );
}
