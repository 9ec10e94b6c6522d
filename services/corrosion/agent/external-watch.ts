/** @module Looks after an agent that somebody else runs: whether it answers, and nothing more. */
import { setTimeout as delay } from "node:timers/promises";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import { ping } from "./life.ts";

const EVERY_MS = 2000;

/** Tells, at each change and at the first look, why the agent does not answer (null: it does), until `signal` aborts. */
export async function watchExternal(
  client: CorrosionClient,
  tell: (problem: string | null) => void,
  signal: AbortSignal,
): Promise<void> {
  let last: boolean | null = null;
  while (!signal.aborted) {
    const problem = await ping(client, signal);
    if (signal.aborted) return;
    if (last !== (problem === null)) tell(problem);
    last = problem === null;
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
