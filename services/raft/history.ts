/** @module Reading messages back: from RAM where they are hot, else from the log by index, else from the archive. */
import {
  indexOfLocation,
  locationOfSeq,
  positionOfLocation,
  type SessionState,
} from "../../lib/conversation/state.ts";
import { FleetError } from "../../lib/errors.ts";
import type { Message, MessagePage } from "../conversations/contract.ts";
import type { ArchivePort } from "./archive-port.ts";
import type { GroupLog } from "./engine/engine.ts";
import { Truncated } from "./engine/errors.ts";
import { decodeEntry } from "./entry.ts";
import type { HotMessage, HotMessages } from "./hot-messages.ts";
import { hotMessage, messageView } from "./views.ts";

/** Messages fetched at a time, so that a page of large ones never holds much more than it answers. */
const CHUNK = 64;
/** Entries that are cheaper to read through than to seek past. */
const SEEK_GAP = 16;
/** How often a read begins again when the log was truncated under it. */
const ATTEMPTS = 3;

/** A message's seq, and where it lies in the log. */
export interface Located {
  readonly session: SessionState;
  readonly seq: number;
  readonly location: number;
}

/** An append that the state says is there cannot be found: the log and the state disagree. */
export class MissingMessage extends Error {
  override name = "MissingMessage";
}

type Body = Pick<HotMessage, "message" | "bytes">;

export class History {
  readonly #log: GroupLog;
  readonly #hot: HotMessages;
  readonly #archive: ArchivePort;
  readonly #distrust: () => void;

  /** `distrust` is called when the archive lacks what the state says that it has. */
  constructor(log: GroupLog, hot: HotMessages, archive: ArchivePort, distrust: () => void) {
    this.#log = log;
    this.#hot = hot;
    this.#archive = archive;
    this.#distrust = distrust;
  }

  /** Whether only the archive has this message. */
  archived(session: SessionState, seq: number): boolean {
    return locationOfSeq(session, seq) === null && this.#hot.get(session.id, seq) === undefined;
  }

  /** One message. Throws as `after`. */
  async one(session: SessionState, seq: number): Promise<Message> {
    const [body] = await this.#fetch(session, seq, seq);
    return body!.message;
  }

  /**
   * Messages after+1 .. after+limit, ended early before `maxBytes` of JSON but never before the first. Throws
   * `MissingMessage`, `archive_unavailable`, and what `GroupLog.read` throws.
   */
  async after(session: SessionState, after: number, limit: number, maxBytes: number): Promise<MessagePage> {
    const lastSeq = session.lastSeq;
    const end = Math.min(lastSeq, after + limit);
    const messages: Message[] = [];
    let bytes = 0;
    for (let from = after + 1; from <= end; from += CHUNK) {
      for (const body of await this.#fetch(session, from, Math.min(end, from + CHUNK - 1))) {
        bytes += body.bytes;
        if (bytes > maxBytes && messages.length > 0) {
          return { messages, last_seq: lastSeq, has_more: true };
        }
        messages.push(body.message);
      }
    }
    return { messages, last_seq: lastSeq, has_more: end < lastSeq };
  }

  /** The last `limit` messages below seq `before`, fewer when they pass `maxBytes`; `has_more`: earlier ones are there. */
  async before(session: SessionState, before: number, limit: number, maxBytes: number): Promise<MessagePage> {
    const last_seq = session.lastSeq;
    const last = Math.min(last_seq, before - 1);
    const first = Math.max(1, last - limit + 1);
    const messages: Message[] = [];
    let bytes = 0;
    for (let to = last; to >= first; to -= CHUNK) {
      const chunk = await this.#fetch(session, Math.max(first, to - CHUNK + 1), to);
      for (const body of chunk.reverse()) {
        bytes += body.bytes;
        if (bytes > maxBytes && messages.length > 0) {
          return { messages: messages.reverse(), last_seq, has_more: true };
        }
        messages.push(body.message);
      }
    }
    return { messages: messages.reverse(), last_seq, has_more: first > 1 };
  }

  /** The bodies of messages that lie in the log, in the order given. Throws `MissingMessage` and as `GroupLog.read`. */
  async located(messages: readonly Located[]): Promise<HotMessage[]> {
    const found = new Map<number, HotMessage>();
    const wanted = new Map<number, Located>();
    for (const message of messages) {
      const hot = this.#hot.get(message.session.id, message.seq);
      if (hot) found.set(message.location, hot);
      else wanted.set(message.location, message);
    }
    for (const [first, last] of runs([...wanted.keys()].map(indexOfLocation))) {
      await this.#readRun(first, last, wanted, found);
    }
    return messages.map(({ session, seq, location }) => {
      const hot = found.get(location);
      if (!hot) throw new MissingMessage(`session ${session.id}: the log does not hold message ${seq}`);
      return hot;
    });
  }

  /** Messages from..to, all of which exist. */
  async #fetch(session: SessionState, from: number, to: number): Promise<Body[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#fetchOnce(session, from, to);
      } catch (error) {
        // What the log has just dropped is in the archive.
        if (!(error instanceof Truncated) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #fetchOnce(session: SessionState, from: number, to: number): Promise<Body[]> {
    const found = new Map<number, Body>();
    const inLog: Located[] = [];
    const archived: number[] = [];
    for (let seq = from; seq <= to; seq++) {
      const hot = this.#hot.get(session.id, seq);
      const location = locationOfSeq(session, seq);
      if (hot) found.set(seq, hot);
      else if (location !== null) inLog.push({ session, seq, location });
      else archived.push(seq);
    }
    for (const hot of await this.located(inLog)) found.set(hot.message.seq, hot);
    for (const [first, last] of runs(archived)) await this.#readArchive(session, first, last, found);
    return Array.from({ length: to - from + 1 }, (_, i) => {
      const body = found.get(from + i);
      if (!body) throw new MissingMessage(`session ${session.id} has no message ${from + i}`);
      return body;
    });
  }

  /** These are not kept in RAM: whoever reads old messages page by page would push the new ones out. */
  async #readArchive(
    session: SessionState,
    first: number,
    last: number,
    found: Map<number, Body>,
  ): Promise<void> {
    for (let after = first - 1; after < last; ) {
      const { messages } = await this.#archive.messages({
        session: session.id,
        after,
        limit: last - after,
        max_bytes: Number.MAX_SAFE_INTEGER,
      });
      if (messages.length === 0) {
        this.#distrust();
        throw new FleetError(
          "archive_unavailable",
          `The archive does not hold message ${after + 1} of session "${session.id}", which it held before; try again.`,
        );
      }
      for (const message of messages) {
        found.set(message.seq, { message, bytes: Buffer.byteLength(JSON.stringify(message)) });
      }
      after = messages.at(-1)!.seq;
    }
  }

  async #readRun(
    first: number,
    last: number,
    wanted: ReadonlyMap<number, Located>,
    found: Map<number, HotMessage>,
  ): Promise<void> {
    const byIndex = Map.groupBy(
      [...wanted.values()].filter(({ location }) => {
        const index = indexOfLocation(location);
        return index >= first && index <= last;
      }),
      ({ location }) => indexOfLocation(location),
    );
    for await (const { index, data } of this.#log.read(first, last)) {
      const here = byIndex.get(index);
      if (!here) continue;
      const { commands } = decodeEntry(this.#log.group, index, data);
      for (const { location, seq } of here) {
        const command = commands[positionOfLocation(location)];
        if (command?.t !== "append") continue;
        const hot = hotMessage(command, messageView(command, seq));
        this.#hot.put(hot);
        found.set(location, hot);
      }
    }
  }
}

/** Ascending numbers as ranges, joined where the gap between two is small. */
function runs(numbers: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && number - range[1] <= SEEK_GAP) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}
