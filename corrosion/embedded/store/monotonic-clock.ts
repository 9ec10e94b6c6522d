/** @module The clock that stamps local commits. */
import { ntp64 } from "../../../lib/ntp64.ts";
import type { Mirror } from "./transactions.ts";

/** How far ahead of a time that is told the stored limit is set: the limit is stored a few times a second at most. */
const RESERVED = 1n << 30n;

/**
 * A clock that follows the wall clock but never goes back and never says the same time twice, over restarts too: it
 * stores a limit before it tells a time beyond the one that is stored, and its next life begins above that.
 */
export class MonotonicClock implements Mirror {
  readonly #now: () => number;
  readonly #store: (limit: bigint) => void;
  #last: bigint;
  #limit: bigint;
  #stored: bigint;

  /**
   * @param limit What was stored last.
   * @param store Makes a limit durable with the transaction under way.
   */
  constructor(now: () => number, limit: bigint, store: (limit: bigint) => void) {
    this.#now = now;
    this.#store = store;
    this.#last = limit;
    this.#limit = limit;
    this.#stored = limit;
  }

  /** To be called in the transaction that uses the time. */
  next(): bigint {
    const wall = ntp64(this.#now());
    this.#last = wall > this.#last ? wall : this.#last + 1n;
    if (this.#last > this.#limit) {
      this.#limit = this.#last + RESERVED;
      this.#store(this.#limit);
    }
    return this.#last;
  }

  committed(): void {
    this.#stored = this.#limit;
  }

  rolledBack(): void {
    this.#limit = this.#stored;
  }
}
