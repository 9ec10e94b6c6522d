/** @module Ends a process that need not be a child of this one: signal by signal, each with its time, then SIGKILL. */
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, type ProcessIdentity, signalProcess } from "./process-identity.ts";

const POLL_MS = 25;
/** A killed process takes a moment to vanish. */
const KILLED_MS = 5000;

export type EndingStep = readonly [signal: NodeJS.Signals, limitMs: number];

/**
 * Returns how it went, for people. Throws a sentence when the process survives even SIGKILL, or is another user's.
 * `name` is what people call the process.
 */
export async function endProcess(
  name: string,
  identity: ProcessIdentity,
  steps: readonly EndingStep[],
): Promise<string> {
  let waited = 0;
  for (const [signal, limitMs] of steps) {
    signalProcess(identity, signal);
    if (await gone(identity, limitMs)) return "ended";
    waited += limitMs;
  }
  signalProcess(identity, "SIGKILL");
  if (await gone(identity, KILLED_MS)) return `did not end within ${waited / 1000} s and was killed`;
  throw new Error(
    `${name} (pid ${identity.pid}) does not end, not even by SIGKILL: its machine must let it go.`,
  );
}

/** Whether the process ends by itself within this time. */
export async function gone(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}
