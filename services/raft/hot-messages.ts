/** @module Message bodies in RAM: a node's bounded cache in front of the log and the archive. */
import { LRUCache } from "lru-cache";
import type { Message } from "../conversations/contract.ts";

export interface HotMessage {
  readonly message: Message;
  /** Microseconds since 1970. */
  readonly at: number;
  readonly key: string | null;
  /** Bytes of the message's JSON, about. */
  readonly bytes: number;
}

/** RAM that one cached message takes beside its JSON, about. */
const OVERHEAD_BYTES = 400;

/** The most recently used bodies of all groups that the node leads, at most `maxBytes` of them. */
export class HotMessages {
  readonly #cache: LRUCache<string, HotMessage>;

  constructor(maxBytes: number) {
    this.#cache = new LRUCache({ maxSize: maxBytes, sizeCalculation: (hot) => hot.bytes + OVERHEAD_BYTES });
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#cache.calculatedSize;
  }

  put(hot: HotMessage): void {
    this.#cache.set(keyOf(hot.message.session_id, hot.message.seq), hot);
  }

  get(session: string, seq: number): HotMessage | undefined {
    return this.#cache.get(keyOf(session, seq));
  }
}

/** A session's id has no slash. */
function keyOf(session: string, seq: number): string {
  return `${session}/${seq}`;
}
