/** @module Ways to load something and what comes out: a rate and the percentiles of its latency. */
import { setTimeout } from "node:timers/promises";

export interface Measured {
  readonly perSecond: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Sends one message and resolves when it is acknowledged. */
export type Send = () => Promise<void>;

/** Nearest-rank percentile of ascending values. */
function percentile(sorted: ArrayLike<number>, p: number): number {
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle one of the values. */
export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    50,
  );
}

/** Of several runs of one thing: the median of each figure. */
export function medianOf(runs: readonly Measured[]): Measured {
  return {
    perSecond: median(runs.map(({ perSecond }) => perSecond)),
    p50: median(runs.map(({ p50 }) => p50)),
    p99: median(runs.map(({ p99 }) => p99)),
  };
}

function measured(latencies: readonly number[], seconds: number): Measured {
  const sorted = Float64Array.from(latencies).sort();
  return { perSecond: sorted.length / seconds, p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}

/** Keeps `depth` messages in flight for so many milliseconds. */
export async function closedLoop(send: Send, depth: number, ms: number): Promise<Measured> {
  const latencies: number[] = [];
  const began = performance.now();
  const worker = async () => {
    for (;;) {
      const sent = performance.now();
      if (sent - began > ms) return;
      await send();
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return measured(latencies, (performance.now() - began) / 1000);
}

/** Keeps `depth` messages in flight until `total` are acknowledged. */
export async function sendAll(send: Send, depth: number, total: number): Promise<number> {
  const began = performance.now();
  let left = total;
  const worker = async () => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return total / ((performance.now() - began) / 1000);
}

/**
 * Sends `perSecond` messages a second for so many milliseconds, whether the former ones are answered or not. A
 * latency counts from the moment at which the message was due, so that a stall is seen by all that it held up.
 */
export async function openLoop(send: Send, perSecond: number, ms: number): Promise<Measured> {
  const total = Math.round((perSecond * ms) / 1000);
  const latencies: number[] = [];
  const underWay: Promise<void>[] = [];
  const began = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond) + 1);
    for (; sent < due; sent++) {
      const at = began + (sent / perSecond) * 1000;
      underWay.push(send().then(() => void latencies.push(performance.now() - at)));
    }
    await setTimeout(1);
  }
  await Promise.all(underWay);
  return measured(latencies, (performance.now() - began) / 1000);
}
