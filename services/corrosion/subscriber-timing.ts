/** @module When a subscriber tries again, and how long it waits for what. */

/** Durations in milliseconds. */
export interface SubscriberTimes {
  /** Waits before the attempts after a failure; the last one stays. */
  readonly backoffMs: readonly number[];
  /** A connection that lasted so long makes the next failure the first one again. */
  readonly stableMs: number;
  /** Silence after which the agent's health is asked. */
  readonly silenceMs: number;
  /** A resumed stream that stays quiet for so long, without an error, counts as connected. */
  readonly settledMs: number;
}

export const SUBSCRIBER_TIMES: SubscriberTimes = {
  backoffMs: [1000, 2000, 5000, 10_000, 15_000, 30_000],
  stableMs: 10_000,
  silenceMs: 30_000,
  settledMs: 1000,
};

/** Part of a wait by which it is shortened or lengthened, so that nodes do not come back together. */
export const JITTER = 0.2;

/** Wait before the next attempt after `failures` (1, 2…) failures in a row; `random` is in [0, 1). */
export function backoff({ backoffMs }: SubscriberTimes, failures: number, random: number): number {
  const base = backoffMs[Math.min(failures, backoffMs.length) - 1] ?? 0;
  return Math.round(base * (1 - JITTER + 2 * JITTER * random));
}
