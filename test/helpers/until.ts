/** @module Waiting for a condition instead of for a time. */
import { setTimeout } from "node:timers/promises";

const POLL_MS = 10;

/**
 * Resolves with what the condition returned, once that is truthy. Throws after `limitMs` with what it waited for,
 * and with the last error of a condition that threw.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 20_000,
): Promise<Exclude<T, false | null | undefined | 0 | "">> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined | 0 | "">;
    } catch (error) {
      last = error;
    }
    await setTimeout(POLL_MS);
  }
  throw new Error(`waited ${limitMs} ms in vain: ${what}`, { cause: last });
}
