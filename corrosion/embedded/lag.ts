/** @module How late remote changes were merged here, over the last two minutes. */
import { ntp64Ms } from "../../lib/ntp64.ts";

const WINDOW_MS = 120_000;
/** Enough for the 99th percentile of a busy time. */
const MAX_SAMPLES = 10_000;

interface Sample {
  readonly at: number;
  readonly seconds: number;
}

export class CommitLag {
  readonly #now: () => number;
  #samples: Sample[] = [];

  /** `now` in milliseconds of the wall clock. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A remote version was merged; `ts` is its origin's commit, NTP64. Returns the lag in seconds. */
  merged(ts: bigint): number {
    const at = this.#now();
    const seconds = Math.max(0, (at - ntp64Ms(ts)) / 1000);
    this.#samples.push({ at, seconds });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.splice(0, MAX_SAMPLES / 2);
    return seconds;
  }

  /** Seconds, nearest rank; null when nothing was merged lately. */
  p99(): number | null {
    const since = this.#now() - WINDOW_MS;
    this.#samples = this.#samples.filter(({ at }) => at > since);
    const sorted = this.#samples.map(({ seconds }) => seconds).sort((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? null;
  }
}
