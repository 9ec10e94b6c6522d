/** @module Appending to a stream: one fenced publish, and what its answer (or the lack of one) says of the outcome. */
import { setTimeout as delay } from "node:timers/promises";
import { headers, type MsgHdrs, type StreamInfo } from "nats";
import { Corrupt, Fenced, Full, type LogError, Unavailable, Unknown } from "./errors.ts";
import { apiCode, isNoResponders, isUnsent, JS, reasonOf } from "./nats-errors.ts";
import type { NatsLink } from "./nats-link.ts";
import { EXPECTED_LAST } from "./nats-place.ts";
import { streamName, subjectOf } from "./nats-streams.ts";

const MESSAGE_ID = "Nats-Msg-Id";
const EXPECTED_STREAM = "Nats-Expected-Stream";

/** How long to wait before looking again at an entry that is being committed. */
const LOOK_AGAIN_MS = 50;

/** Refusals that JetStream gives before it stores or proposes anything. */
const REFUSED_BEFORE_STORING: readonly number[] = [
  JS.messageExceedsMaximum,
  JS.headerExceedsMaximum,
  JS.streamNotMatch,
  JS.streamSealed,
];

/** The log does not end where it was expected to, or this very message is being committed: look what stands there. */
const CONFLICTS: readonly number[] = [
  JS.wrongLastSequence,
  JS.wrongLastSequenceConstant,
  JS.sequenceNotMatch,
  JS.duplicateConflict,
];

/** Nothing is stored, for want of room. */
const NO_ROOM: readonly number[] = [
  JS.accountResourcesExceeded,
  JS.insufficientResources,
  JS.storageResourcesExceeded,
];

/** A full stream (discard new) refuses; the other reasons of "store failed" leave the outcome open. */
const FULL = /maximum (bytes|messages)|message size too large/i;

interface PubAck {
  readonly sequence: number;
}

interface Refusal {
  readonly code: number;
  readonly reason: string;
}

export class StreamAppender {
  readonly #link: NatsLink;
  readonly #group: number;
  readonly #stream: string;
  readonly #timeoutMs: number;

  constructor(link: NatsLink, group: number, timeoutMs: number) {
    this.#link = link;
    this.#group = group;
    this.#stream = streamName(group);
    this.#timeoutMs = timeoutMs;
  }

  /** See `GroupLog.append`. */
  async append(entry: Uint8Array, expectedLast: number, messageId: string): Promise<number> {
    if (!this.#link.connected) throw new Unavailable(`group ${this.#group}: not connected to NATS`);
    const deadline = performance.now() + this.#timeoutMs;
    const index = expectedLast + 1;
    // The id holds for one index only: the same batch proposed again behind another entry is another message.
    const id = `${messageId}@${index}`;
    const answer = await this.#publish(entry, expectedLast, id);
    if ("sequence" in answer) return this.#stored(answer.sequence, index);
    if (CONFLICTS.includes(answer.code)) return this.#settle(expectedLast, id, deadline);
    throw this.#outcomeOf(answer);
  }

  async #publish(entry: Uint8Array, expectedLast: number, id: string): Promise<PubAck | Refusal> {
    const head = headers();
    head.set(MESSAGE_ID, id);
    head.set(EXPECTED_LAST, String(expectedLast));
    head.set(EXPECTED_STREAM, this.#stream);
    try {
      const answer = await this.#link.request(subjectOf(this.#group), entry, this.#timeoutMs, head);
      return parseAck(answer.json());
    } catch (error) {
      const text = `group ${this.#group}: the append to index ${expectedLast + 1} failed: ${reasonOf(error)}`;
      // Everything else may have reached the stream before it went wrong.
      if (isNoResponders(error) || isUnsent(error)) throw new Unavailable(text, { cause: error });
      throw new Unknown(text, { cause: error });
    }
  }

  #stored(sequence: number, index: number): number {
    if (sequence === index) return index;
    throw new Corrupt(
      `the NATS stream ${this.#stream} stored an entry at index ${sequence} that was written for index ${index}: the server is too old, or the stream was changed by hand`,
    );
  }

  #outcomeOf(refusal: Refusal): LogError {
    const text = `group ${this.#group}: NATS refused the entry: ${refusal.reason}`;
    if (NO_ROOM.includes(refusal.code) || (refusal.code === JS.storeFailed && FULL.test(refusal.reason))) {
      return new Full(text);
    }
    return REFUSED_BEFORE_STORING.includes(refusal.code) ? new Unavailable(text) : new Unknown(text);
  }

  /**
   * Looks at what the stream's leader has at the expected index until that is certain: our own message, another
   * one, or nothing. Throws `Fenced`, or `Unknown` when it is not certain by the deadline.
   */
  async #settle(expectedLast: number, id: string, deadline: number): Promise<number> {
    const index = expectedLast + 1;
    try {
      do {
        const storedId = await this.#messageIdAt(index);
        if (storedId === id) return index;
        if (storedId !== null) throw new Fenced(this.#group, expectedLast);
        const info = await this.#link.jsm.streams.info(this.#stream);
        const { first_seq: first, last_seq: last } = info.state;
        // Gone by truncation: whoever truncated had applied another entry there.
        if (first > index) throw new Fenced(this.#group, expectedLast);
        // The log ends before what we think it has; only a leader that still has its quorum may say so.
        if (last < expectedLast && hasQuorum(info)) throw new Fenced(this.#group, expectedLast);
        // Otherwise an entry for this index is on its way through the replicas.
        await delay(LOOK_AGAIN_MS);
      } while (performance.now() < deadline);
    } catch (error) {
      if (error instanceof Fenced) throw error;
      throw new Unknown(
        `group ${this.#group}: what stands at index ${index} cannot be read: ${reasonOf(error)}`,
        {
          cause: error,
        },
      );
    }
    throw new Unknown(`group ${this.#group}: index ${index} is being written, its outcome is open`);
  }

  /** The message id of a stored entry, "" when it has none; null when there is no such entry. Asks the stream's leader. */
  async #messageIdAt(index: number): Promise<string | null> {
    try {
      const message = await this.#link.jsm.streams.getMessage(this.#stream, { seq: index });
      return headerOf(message.header, MESSAGE_ID);
    } catch (error) {
      if (apiCode(error) === JS.noMessageFound) return null;
      throw error;
    }
  }
}

function headerOf(head: MsgHdrs | undefined, name: string): string {
  return head?.get(name) ?? "";
}

function hasQuorum(info: StreamInfo): boolean {
  const others = info.cluster?.replicas ?? [];
  const reached = others.filter((peer) => peer.current && !peer.offline).length;
  return (reached + 1) * 2 > others.length + 1;
}

/** JetStream's answer to a publish. Throws when it is none. */
function parseAck(answer: unknown): PubAck | Refusal {
  if (typeof answer !== "object" || answer === null)
    throw new Error("the answer is not a publish acknowledgement");
  if ("error" in answer && typeof answer.error === "object" && answer.error !== null) {
    const error = answer.error;
    const code = "err_code" in error && typeof error.err_code === "number" ? error.err_code : 0;
    const reason = "description" in error ? String(error.description) : "no reason given";
    return { code, reason: `${reason} (${code})` };
  }
  if ("seq" in answer && typeof answer.seq === "number" && answer.seq > 0) return { sequence: answer.seq };
  throw new Error("the answer is not a publish acknowledgement");
}
