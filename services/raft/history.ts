/** @module Reading messages back: from RAM where they are hot, else from the log by index. */
import {
  indexOfLocation,
  locationOfSeq,
  positionOfLocation,
  type SessionState,
} from "../../lib/conversation/state.ts";
import type { Message, MessagePage } from "../conversations/contract.ts";
import type { GroupLog } from "./engine/engine.ts";
import { decodeEntry } from "./entry.ts";
import type { HotMessage, HotMessages } from "./hot-messages.ts";
import { messageView } from "./views.ts";

/** Messages fetched at a time, so that a page of large ones never holds much more than it answers. */
const CHUNK = 64;
/** Entries that are cheaper to read through than to seek past. */
const SEEK_GAP = 16;

/** An append that the state says is there cannot be found: the log and the state disagree. */
export class MissingMessage extends Error {
  override name = "MissingMessage";
}

export class History {
  readonly #log: GroupLog;
  readonly #hot: HotMessages;

  constructor(log: GroupLog, hot: HotMessages) {
    this.#log = log;
    this.#hot = hot;
  }

  /** One message. Throws `MissingMessage`, and what `GroupLog.read` throws. */
  async one(session: SessionState, seq: number): Promise<Message> {
    const [hot] = await this.#fetch(session, seq, seq);
    return hot!.message;
  }

  /** Messages after+1 .. after+limit, ended early before `maxBytes` of JSON but never before the first. */
  async after(session: SessionState, after: number, limit: number, maxBytes: number): Promise<MessagePage> {
    const lastSeq = session.lastSeq;
    const end = Math.min(lastSeq, after + limit);
    const messages: Message[] = [];
    let bytes = 0;
    for (let from = after + 1; from <= end; from += CHUNK) {
      for (const hot of await this.#fetch(session, from, Math.min(end, from + CHUNK - 1))) {
        bytes += hot.bytes;
        if (bytes > maxBytes && messages.length > 0) {
          return { messages, last_seq: lastSeq, has_more: true };
        }
        messages.push(hot.message);
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
      for (const hot of chunk.reverse()) {
        bytes += hot.bytes;
        if (bytes > maxBytes && messages.length > 0) {
          return { messages: messages.reverse(), last_seq, has_more: true };
        }
        messages.push(hot.message);
      }
    }
    return { messages: messages.reverse(), last_seq, has_more: first > 1 };
  }

  /** Messages from..to, all of which exist. */
  async #fetch(session: SessionState, from: number, to: number): Promise<HotMessage[]> {
    const found = new Map<number, HotMessage>();
    const wanted = new Map<number, number>();
    for (let seq = from; seq <= to; seq++) {
      const location = locationOfSeq(session, seq);
      if (location === null) throw new MissingMessage(`session ${session.id} has no message ${seq}`);
      const hot = this.#hot.get(this.#log.group, location);
      if (hot) found.set(seq, hot);
      else wanted.set(location, seq);
    }
    for (const [first, last] of runs([...wanted.keys()].map(indexOfLocation))) {
      await this.#readRun(first, last, wanted, found);
    }
    return Array.from({ length: to - from + 1 }, (_, i) => {
      const hot = found.get(from + i);
      if (!hot) throw new MissingMessage(`session ${session.id}: the log does not hold message ${from + i}`);
      return hot;
    });
  }

  async #readRun(
    first: number,
    last: number,
    wanted: ReadonlyMap<number, number>,
    found: Map<number, HotMessage>,
  ): Promise<void> {
    const positions = new Map<number, { location: number; seq: number }[]>();
    for (const [location, seq] of wanted) {
      const index = indexOfLocation(location);
      if (index < first || index > last) continue;
      const at = positions.get(index) ?? [];
      at.push({ location, seq });
      positions.set(index, at);
    }
    for await (const { index, data } of this.#log.read(first, last)) {
      const at = positions.get(index);
      if (!at) continue;
      const { commands } = decodeEntry(this.#log.group, index, data);
      for (const { location, seq } of at) {
        const command = commands[positionOfLocation(location)];
        if (command?.t !== "append") continue;
        const message = messageView(command, seq);
        const hot = { message, bytes: Buffer.byteLength(JSON.stringify(message)) };
        this.#hot.put(this.#log.group, location, hot);
        found.set(seq, hot);
      }
    }
  }
}

/** Ascending indexes as ranges, joined where the gap between two is small. */
function runs(indexes: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && index - range[1] <= SEEK_GAP) range[1] = index;
    else ranges.push([index, index]);
  }
  return ranges;
}
