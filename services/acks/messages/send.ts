/** @module Sends one message: numbers it, has it tracked, writes it, and finds out whether it was written. */
import { setTimeout as delay } from "node:timers/promises";
import { isoMicros, originClock, systemClock } from "../../../lib/clock.ts";
import { AgentError } from "../../../lib/corrosion/client/errors.ts";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import { asFailure, CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { MessageRow } from "../../corrosion/contract.ts";
import type { SendMessage, SentMessage, Track } from "../contract.ts";
import { insertStatement } from "./rows.ts";
import type { Unsettled } from "./unsettled.ts";

/** Largest content in bytes of UTF-8. */
export const MAX_CONTENT_BYTES = 8192;
/** How long a caller waits for a sign of a message whose insert was not answered. */
const SIGN_MS = 5000;

export interface Sender {
  readonly nodeId: string;
  readonly region: string;
  /** `host:port` of this node's ack API. Throws `CorrosionError` while there is none. */
  readonly endpoint: () => string;
  /** The client of the node's agent. Throws `CorrosionError`. */
  readonly client: () => Promise<CorrosionClient>;
  /** Who is to acknowledge. */
  readonly expected: () => Promise<readonly string[]>;
  /** The next sequence at this time in milliseconds, saved. */
  readonly number: (nowMs: number) => Promise<number>;
  readonly track: (track: Track) => Promise<unknown>;
  readonly untrack: (pk: string) => Promise<unknown>;
  readonly unsettled: Unsettled;
  /** How long a message is waited for. */
  readonly deadlineMs: number;
  /** The message was written; `sentAt` is of the origin's clock, microseconds. Never rejects. */
  readonly written: (message: Written) => Promise<void>;
}

export interface Written {
  readonly pk: string;
  readonly sentAt: number;
  readonly experimentId: string | null;
  /** Of the text. */
  readonly bytes: number;
}

/** What stands in a row's `message`. */
export function messageText(content: string, nodeId: string, time: string): string {
  return `${content} (from ${nodeId} at ${time})`;
}

/** Throws `invalid_request` for what no row can hold as it is. */
export function checkContent(content: string): void {
  const bytes = Buffer.byteLength(content);
  const problem =
    bytes === 0
      ? "content is empty"
      : bytes > MAX_CONTENT_BYTES
        ? `content has ${bytes} bytes, and a message has at most ${MAX_CONTENT_BYTES}`
        : content.isWellFormed()
          ? null
          : "content is no text: it has half of a surrogate pair";
  if (problem !== null) {
    throw new CorrosionError("invalid_request", `${problem}.`, { fields: { content: problem } });
  }
}

/**
 * Resolves when the message is in the agent's table. Throws `CorrosionError`: `timeout` when nobody knows yet whether
 * it is there, anything else when it surely is not.
 */
export async function send(sender: Sender, message: SendMessage): Promise<SentMessage> {
  const { nodeId, region } = sender;
  checkContent(message.content);
  const endpoint = sender.endpoint();
  const [client, expected] = await Promise.all([sender.client(), sender.expected()]);
  const sequence = await sender.number(Math.floor(systemClock() / 1000));
  const pk = `${nodeId}_${sequence}`;
  const experimentId = message.experiment_id ?? null;
  const sentAt = originClock();
  const timestamp = isoMicros(shownTime(sentAt));
  const text = messageText(message.content, nodeId, timestamp);
  const row: MessageRow = {
    pk,
    node_id: nodeId,
    message: text,
    sequence,
    timestamp,
    originating_endpoint: endpoint,
    region,
  };
  await sender.track({ pk, transport: "gossip", expected, sent_at_us: sentAt, experiment_id: experimentId });
  await insert(sender, client, row, { pk, sentAt, experimentId, bytes: Buffer.byteLength(text) });
  return { pk, timestamp, node_id: nodeId, sequence };
}

/** Rows tell the time of the machine's clock, also when that was set since the process began. */
function shownTime(sentAt: number): number {
  const now = systemClock();
  return Math.abs(now - sentAt) < 1_000_000 ? sentAt : now;
}

async function insert(
  sender: Sender,
  client: CorrosionClient,
  row: MessageRow,
  written: Written,
): Promise<void> {
  const { deadlineMs, unsettled } = sender;
  const pending = unsettled.expect(row.pk, deadlineMs);
  try {
    await client.transact([insertStatement(row)]);
  } catch (error) {
    if (!(error instanceof AgentError && error.mayHaveCommitted)) {
      pending.forget();
      await sender.untrack(row.pk);
      throw refusal(error);
    }
    const known = pending.settled.then(async (shown) => {
      if (shown) await sender.written(written);
      return shown;
    });
    const over = new AbortController();
    const patience = delay(SIGN_MS, false, { signal: over.signal }).catch(() => false);
    const shown = await Promise.race([known, patience]);
    over.abort();
    if (shown) return;
    const text = `No answer in time, and no sign of the message ${row.pk} yet: it counts once it is acknowledged or its row is seen.`;
    throw new CorrosionError("timeout", text, {}, { cause: error });
  }
  pending.forget();
  await sender.written(written);
}

/** Whoever could not reach the agent in time has not been refused by it. */
function refusal(error: unknown): unknown {
  if (error instanceof AgentError && error.kind === "timeout") {
    return new CorrosionError("agent_unavailable", error.message, {}, { cause: error });
  }
  return asFailure(error);
}
