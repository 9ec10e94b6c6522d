/** @module The mathematics of propagation: pure; routes, charts and exports all take their figures from here. */
import { type EventColumns, startOf } from "./columns.ts";

/** Milliseconds, to the microsecond; null where there is no sample. */
export interface LatencyStats {
  readonly min_ms: number | null;
  readonly max_ms: number | null;
  readonly avg_ms: number | null;
  readonly median_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly sample_count: number;
}

export interface Histogram {
  readonly bucket_width_ms: number;
  /** Each from `from_ms` up to, not including, `to_ms`; without a gap from 0 past the maximum. */
  readonly buckets: readonly { readonly from_ms: number; readonly to_ms: number; readonly count: number }[];
}

const BUCKET_US = 50_000;
const MOST_BUCKETS = 200;

/** Place of a percentile among `n` ascending values, from 0: nearest rank, `ceil(p / 100 * n) - 1`. */
function rankOf(p: number, n: number): number {
  return Math.max(0, Math.ceil((p * n) / 100) - 1);
}

/** The nearest-rank percentile of ascending values; null when there are none. */
export function percentile(sorted: ArrayLike<number>, p: number): number | null {
  return sorted[rankOf(p, sorted.length)] ?? null;
}

/** Microseconds as milliseconds; null stays null. */
export function inMs(us: number): number;
export function inMs(us: number | null): number | null;
export function inMs(us: number | null): number | null {
  return us === null ? null : us / 1000;
}

/** The mean of `count` values that sum to `sum`, in whole microseconds, as milliseconds; null when there are none. */
export function meanMs(sum: number, count: number): number | null {
  return count === 0 ? null : Math.round(sum / count) / 1000;
}

/** Of latencies in microseconds, in any order. */
export function latencyStats(latencies: Float64Array): LatencyStats {
  const n = latencies.length;
  let [sum, min, max] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < n; i++) {
    const latency = latencies[i]!;
    sum += latency;
    if (latency < min) min = latency;
    if (latency > max) max = latency;
  }
  const [median, p95, p99] = percentiles(latencies, [50, 95, 99], min, max);
  return {
    min_ms: n === 0 ? null : inMs(min),
    max_ms: n === 0 ? null : inMs(max),
    avg_ms: meanMs(sum, n),
    median_ms: inMs(median ?? null),
    p95_ms: inMs(p95 ?? null),
    p99_ms: inMs(p99 ?? null),
    sample_count: n,
  };
}

const SORTED_AT_ONCE = 10_000;
const STRETCHES = 4096;

/**
 * `percentile` of each, of values in any order between `min` and `max`. Of many values only those of the stretch that
 * holds a rank are sorted: sorting a million of them would take longer than reading them.
 */
function percentiles(
  values: Float64Array,
  ps: readonly number[],
  min: number,
  max: number,
): (number | null)[] {
  if (values.length <= SORTED_AT_ONCE || min === max) {
    const sorted = values.slice().sort();
    return ps.map((p) => percentile(sorted, p));
  }
  const scale = (STRETCHES - 1) / (max - min);
  const counts = new Uint32Array(STRETCHES);
  for (let i = 0; i < values.length; i++) counts[Math.floor((values[i]! - min) * scale)]! += 1;
  const places = ps.map((p) => {
    let rank = rankOf(p, values.length);
    let stretch = 0;
    while (rank >= counts[stretch]!) rank -= counts[stretch++]!;
    return { stretch, rank };
  });
  const wanted = new Uint8Array(STRETCHES);
  for (const { stretch } of places) wanted[stretch] = 1;
  const held = new Map(places.map(({ stretch }) => [stretch, new Float64Array(counts[stretch]!)]));
  for (let i = 0; i < values.length; i++) {
    const stretch = Math.floor((values[i]! - min) * scale);
    // Filled from its end: what is left to come is the next free place.
    if (wanted[stretch] === 1) held.get(stretch)![--counts[stretch]!] = values[i]!;
  }
  for (const values of held.values()) values.sort();
  return places.map(({ rank, stretch }) => held.get(stretch)![rank]!);
}

/**
 * Percent of the acknowledgements that all remote nodes together owe, one decimal; null when nothing was sent or there
 * is nobody to answer. Only complete is 100.
 */
export function ackRate(sends: number, acksOfSends: number, remoteNodes: number): number | null {
  const owed = sends * remoteNodes;
  if (owed <= 0) return null;
  const rate = Math.round((acksOfSends / owed) * 1000) / 10;
  return acksOfSends < owed ? Math.min(rate, 99.9) : rate;
}

/** Nodes that could acknowledge a message: those at the start, those that acknowledged and those that sent, less one. */
export function remoteNodes(atStart: Iterable<string>, seen: Iterable<string>): number {
  return Math.max(0, new Set([...atStart, ...seen]).size - 1);
}

/**
 * Latencies in microseconds, in buckets of 50 ms up to the one that holds the maximum; the width doubles while there
 * were more than 200 of them. The counts sum to the number of latencies.
 */
export function histogram(latencies: Float64Array): Histogram {
  let max = -1;
  for (let i = 0; i < latencies.length; i++) max = Math.max(max, latencies[i]!);
  let width = BUCKET_US;
  while (Math.floor(max / width) + 1 > MOST_BUCKETS) width *= 2;
  const counts = new Array<number>(Math.floor(max / width) + 1).fill(0);
  for (let i = 0; i < latencies.length; i++) counts[Math.floor(latencies[i]! / width)]! += 1;
  return {
    bucket_width_ms: inMs(width),
    buckets: counts.map((count, i) => ({ from_ms: inMs(i * width), to_ms: inMs((i + 1) * width), count })),
  };
}

/** From a send to its acknowledgement, by the originator's clock alone, in microseconds. */
export function latencyOf(sentAt: number, ackedAt: number): number {
  return Math.max(0, ackedAt - sentAt);
}

/** Acknowledgements of messages whose send was recorded, by nodes other than the sender. */
export interface Samples {
  /** Microseconds, in the order of the messages. */
  readonly latencies: Float64Array;
  /** By sample: its message. */
  readonly messages: Uint32Array;
  /** By sample: its acknowledgement. */
  readonly acks: Uint32Array;
}

/** What a run measured. */
export function samplesOf(columns: EventColumns): Samples {
  const { ackedAt, ends, originators, sentAt, targets } = columns;
  const latencies = new Float64Array(targets.length);
  const messages = new Uint32Array(targets.length);
  const acks = new Uint32Array(targets.length);
  let n = 0;
  for (let message = 0; message < sentAt.length; message++) {
    const sent = sentAt[message]!;
    if (Number.isNaN(sent)) continue;
    for (let ack = startOf(columns, message); ack < ends[message]!; ack++) {
      if (targets[ack] === originators[message]) continue;
      latencies[n] = latencyOf(sent, ackedAt[ack]!);
      messages[n] = message;
      acks[n] = ack;
      n += 1;
    }
  }
  return {
    latencies: latencies.subarray(0, n),
    messages: messages.subarray(0, n),
    acks: acks.subarray(0, n),
  };
}

/** How many messages have a recorded send. */
export function sendsOf({ sentAt }: EventColumns): number {
  let sends = 0;
  for (const at of sentAt) if (!Number.isNaN(at)) sends += 1;
  return sends;
}

/** Everybody who sent or acknowledged. */
export function nodesOf({ nodes, originators, targets }: EventColumns): string[] {
  const seen = new Uint8Array(nodes.length);
  for (let i = 0; i < originators.length; i++) seen[originators[i]!] = 1;
  for (let i = 0; i < targets.length; i++) seen[targets[i]!] = 1;
  return nodes.filter((_, node) => seen[node] === 1).sort();
}
