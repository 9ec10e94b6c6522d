/** @module Waits until a restarted agent serves subscriptions. */
import { setTimeout as delay } from "node:timers/promises";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import { MESSAGES_SQL } from "../subscription.ts";

const LIMIT_MS = 3500;
const RETRY_MS = 250;

/**
 * Asks for what the node's subscriber asks for, so that the agent keeps one subscription for both.
 * Returns at the first line of that probe, at the latest after 3.5 s, or when `signal`
 * aborts.
 */
export async function settle(client: CorrosionClient, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  while (!limit.aborted) {
    if (await firstLine(client, limit)) return;
    await delay(RETRY_MS, undefined, { signal: limit }).catch(() => undefined);
  }
}

async function firstLine(client: CorrosionClient, signal: AbortSignal): Promise<boolean> {
  try {
    const stream = await client.subscribe(MESSAGES_SQL, { signal });
    for await (const _line of stream.events) return true;
    return false;
  } catch {
    return false; // An agent without that table serves subscriptions all the same; the limit ends the wait.
  }
}
