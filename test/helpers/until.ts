/** @module Waiting for a condition, where nothing can be awaited. */
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 10;

/** Resolves with the first value that is not null, undefined or false; rejects with `what` after `limitMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 10_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value !== null && value !== undefined && value !== false) {
      return value as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > deadline) throw new Error(`Not within ${limitMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}
