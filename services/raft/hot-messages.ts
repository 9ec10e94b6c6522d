/** @module Message bodies in RAM: a node's bounded cache in front of the log. */
import { LRUCache } from "lru-cache";
import type { Message } from "../conversations/contract.ts";

export interface HotMessage {
  readonly message: Message;
  /** Bytes of its JSON, about. */
  readonly bytes: number;
}

/** RAM that one cached message takes beside its JSON, about. */
const OVERHEAD_BYTES = 300;
/** Groups that a key can tell apart; leaves room for 2^32 entries a group. */
const MAX_GROUPS = 4096;

/** The most recently used bodies of all groups that the node leads, at most `maxBytes` of them. */
export class HotMessages {
  readonly #cache: LRUCache<number, HotMessage>;

  constructor(maxBytes: number) {
    this.#cache = new LRUCache({ maxSize: maxBytes, sizeCalculation: (hot) => hot.bytes + OVERHEAD_BYTES });
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#cache.calculatedSize;
  }

  put(group: number, location: number, hot: HotMessage): void {
    this.#cache.set(location * MAX_GROUPS + group, hot);
  }

  get(group: number, location: number): HotMessage | undefined {
    return this.#cache.get(location * MAX_GROUPS + group);
  }
}
