/** @module When an agent that ended by itself is started again, and when that is given up. */

/** Waits before the first, second … start after a crash; milliseconds. */
const DELAYS_MS = [1000, 2000, 5000, 10_000, 30_000] as const;
const MAX_CRASHES = 5;
const WINDOW_MS = 60_000;

/** What an agent's crashes amount to; `CALM` before the first one. */
export interface CrashHistory {
  /** When it crashed within the last minute, on a monotonic clock in milliseconds. */
  readonly recent: readonly number[];
  /** Crashes since it last ran for a minute. */
  readonly inRow: number;
}

export const CALM: CrashHistory = { recent: [], inRow: 0 };

export type AfterCrash =
  | { readonly kind: "retry"; readonly delayMs: number; readonly history: CrashHistory }
  | { readonly kind: "give_up"; readonly crashes: number };

/** What follows a crash at `now` of an agent that had run for `ranMs`. */
export function afterCrash(history: CrashHistory, now: number, ranMs: number): AfterCrash {
  const recent = [...history.recent.filter((at) => now - at < WINDOW_MS), now];
  if (recent.length >= MAX_CRASHES) return { kind: "give_up", crashes: recent.length };
  const inRow = ranMs >= WINDOW_MS ? 1 : history.inRow + 1;
  const delayMs = DELAYS_MS[Math.min(inRow, DELAYS_MS.length) - 1] ?? DELAYS_MS[0];
  return { kind: "retry", delayMs, history: { recent, inRow } };
}
