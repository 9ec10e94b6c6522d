/** @module Ways to load something and what comes out: a rate and the percentiles of its latency. */
import { setTimeout } from "node:timers/promises";

export interface Measured {
  readonly perSecond: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Messages without an acknowledgement: refused, or not answered in time. They count in no other figure. */
  readonly failed: number;
}

/** Sends one message and resolves when it is acknowledged. */
export type Send = () => Promise<void>;

/** Nearest-rank percentile of ascending values. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle one of the values. */
export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    50,
  );
}

/** Of several runs of one thing: the median of each figure, and all that failed. */
export function medianOf(runs: readonly Measured[]): Measured {
  return {
    perSecond: median(runs.map(({ perSecond }) => perSecond)),
    p50: median(runs.map(({ p50 }) => p50)),
    p99: median(runs.map(({ p99 }) => p99)),
    failed: runs.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** Collects what became of each message. */
class Outcomes {
  readonly #latencies: number[] = [];
  #failed = 0;
  #firstError: unknown;

  /** Resolves, and never rejects, once the message is decided; its latency counts from `since`. */
  async watch(message: Promise<void>, since: number): Promise<void> {
    try {
      await message;
      this.#latencies.push(performance.now() - since);
    } catch (error) {
      this.#failed += 1;
      this.#firstError ??= error;
    }
  }

  /** Throws the first error when more failed than not: then nothing was measured. */
  result(began: number): Measured {
    const seconds = (performance.now() - began) / 1000;
    const sorted = Float64Array.from(this.#latencies).sort();
    if (this.#failed > sorted.length) throw this.#firstError;
    const [p50, p99] = [percentile(sorted, 50), percentile(sorted, 99)];
    return { perSecond: sorted.length / seconds, p50, p99, failed: this.#failed };
  }
}

/** Keeps `depth` messages in flight for so many milliseconds. */
export async function closedLoop(send: Send, depth: number, ms: number): Promise<Measured> {
  const outcomes = new Outcomes();
  const began = performance.now();
  const worker = async () => {
    for (;;) {
      const sent = performance.now();
      if (sent - began > ms) return;
      await outcomes.watch(send(), sent);
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return outcomes.result(began);
}

/** Keeps `depth` messages in flight until `total` are acknowledged, and returns how many that were a second. */
export async function sendAll(send: Send, depth: number, total: number): Promise<number> {
  const began = performance.now();
  let left = total;
  const worker = async () => {
    while (left-- > 0) await send().catch(() => void left++); // another one instead
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
  const outcomes = new Outcomes();
  const underWay: Promise<void>[] = [];
  const began = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond) + 1);
    for (; sent < due; sent++) {
      underWay.push(outcomes.watch(send(), began + (sent / perSecond) * 1000));
    }
    await setTimeout(1);
  }
  await Promise.all(underWay);
  return outcomes.result(began);
}
