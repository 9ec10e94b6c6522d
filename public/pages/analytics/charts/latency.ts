/** @module The latency distribution: which colour a bar has, and where the dashed lines stand. Pure. */
import type { Histogram, LatencyStats } from "../../../../services/analytics/maths.ts";

export interface Bar {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly colour: string;
}

/** By the lower edge of a bar, in ms (contract corroport, section 7). */
export const BANDS = [
  { below: 300, colour: "#10B981", text: "under 300 ms" },
  { below: 600, colour: "#F59E0B", text: "300 to 600 ms" },
  { below: 900, colour: "#F97316", text: "600 to 900 ms" },
  { below: Number.POSITIVE_INFINITY, colour: "#EF4444", text: "900 ms and more" },
] as const;

export function barColour(fromMs: number): string {
  return (BANDS.find(({ below }) => fromMs < below) ?? BANDS[3]).colour;
}

export function barsOf({ buckets }: Histogram): readonly Bar[] {
  return buckets.map(({ from_ms: from, to_ms: to, count }) => ({ from, to, count, colour: barColour(from) }));
}

/** Colours that the bars have, for the legend. */
export function bandsIn(bars: readonly Bar[]): readonly (typeof BANDS)[number][] {
  const used = new Set(bars.filter(({ count }) => count > 0).map(({ colour }) => colour));
  return BANDS.filter(({ colour }) => used.has(colour));
}

export interface PercentileMark {
  readonly name: "P50" | "P95" | "P99";
  readonly ms: number;
}

/** Those that there are; none without a sample. */
export function percentileMarks(latency: LatencyStats): readonly PercentileMark[] {
  const all = [
    { name: "P50", ms: latency.median_ms },
    { name: "P95", ms: latency.p95_ms },
    { name: "P99", ms: latency.p99_ms },
  ] as const;
  return all.flatMap(({ name, ms }) => (ms === null ? [] : [{ name, ms }]));
}
