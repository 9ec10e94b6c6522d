/** @module Waits until a restarted agent serves subscriptions. */
import { setTimeout as delay } from "node:timers/promises";
import type { CorrosionClient } from "../client/http.ts";

const LIMIT_MS = 3500;
const RETRY_MS = 250;
/** Byte for byte what the node's subscriber asks for, so that the agent keeps one subscription for both. */
const PROBE =
  "SELECT pk, node_id, message, sequence, timestamp, originating_endpoint, region FROM node_messages";

/** Returns at the first line of a probe subscription, at the latest after 3.5 s, or when `signal` aborts. */
export async function settle(client: CorrosionClient, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  while (!limit.aborted) {
    if (await firstLine(client, limit)) return;
    await delay(RETRY_MS, undefined, { signal: limit }).catch(() => undefined);
  }
}

async function firstLine(client: CorrosionClient, signal: AbortSignal): Promise<boolean> {
  try {
    const stream = await client.subscribe(PROBE, { signal });
    for await (const _line of stream.events) return true;
    return false;
  } catch {
    return false; // An agent without that table serves subscriptions all the same; the limit ends the wait.
  }
}
