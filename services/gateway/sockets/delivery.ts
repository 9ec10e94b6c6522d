/** @module Exactly once, in order: what one session channel delivers and when it reads. Pure: no I/O, clock or chance. */

export interface Sequenced {
  /** Position in the session: 1, 2, 3 … */
  readonly seq: number;
  /** What holding the message back costs, in bytes. */
  readonly size: number;
}

/** What to do after an event; the caller does it at once and in this order. */
export interface Step<M> {
  /** To the client, in this order. */
  readonly deliver: readonly M[];
  /** Start this read of the messages above `sent`, and answer it with `page` or `failed`. */
  readonly read: number | null;
  /** Call `retry` after so many milliseconds. */
  readonly retryIn: number | null;
  /** The read brought messages that live publications should have brought. */
  readonly repaired: boolean;
}

export interface Joined<M> {
  /** Goes into the join reply; the step comes after it. */
  readonly replay: readonly M[];
  readonly step: Step<M>;
}

/** Messages that arrive ahead of their turn are held up to here; what is dropped is read again. */
export const MAX_HELD = 1024;
export const MAX_HELD_BYTES = 1024 * 1024;

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2000;

/**
 * Live publications may be lost, doubled, reordered or late; reads may fail or answer with an older state.
 * Whatever comes, `deliver` continues exactly where it stopped, and while a message is known to exist that
 * was not delivered, a read or a retry is under way. At most one read at a time.
 *
 * It starts holding back everything until `joined` says where the client stands.
 */
export class Delivery<M extends Sequenced> {
  #sent = 0;
  /** Highest seq that is known to exist. */
  #known = 0;
  #state: "joining" | "behind" | "live" = "joining";
  /** Arrived ahead of their turn. */
  readonly #held = new Map<number, M>();
  #heldBytes = 0;
  #reads = 0;
  #reading: number | null = null;
  #readFrom = 0;
  /** Reads in a row that brought nothing. */
  #failures = 0;
  #waiting = false;

  /** The last seq that was delivered. */
  get sent(): number {
    return this.#sent;
  }

  /** Messages that wait for their turn. */
  get held(): number {
    return this.#held.size;
  }

  /** The client has everything up to `after`; the first read brought `messages` of a session that ends at `lastSeq`. */
  joined(after: number, messages: readonly M[], lastSeq: number): Joined<M> {
    this.#sent = after;
    this.#state = "behind";
    this.#know(lastSeq);
    for (const seq of this.#held.keys()) if (seq <= after) this.#drop(seq);
    const replay: M[] = [];
    for (const message of messages) this.#take(message, replay);
    const later: M[] = [];
    this.#flush(later);
    return { replay, step: this.#step(later, false) };
  }

  /** A live publication came. */
  published(messages: readonly M[]): Step<M> {
    const deliver: M[] = [];
    for (const message of messages) {
      this.#know(message.seq);
      if (this.#state === "joining") this.#hold(message);
      else this.#take(message, deliver);
    }
    if (this.#state !== "joining") this.#flush(deliver);
    return this.#step(deliver, false);
  }

  /** The leader says that the session ends at `lastSeq`, and there was time for its publications to arrive. */
  head(lastSeq: number): Step<M> {
    this.#know(lastSeq);
    return this.#step([], false);
  }

  /** The read answered: ascending messages of a session that ended at `lastSeq` then. */
  page(read: number, messages: readonly M[], lastSeq: number): Step<M> {
    const wasLive = this.#state === "live";
    this.#know(lastSeq);
    const deliver: M[] = [];
    for (const message of messages) this.#take(message, deliver);
    const repaired = wasLive && deliver.length > 0;
    this.#flush(deliver);
    if (read === this.#reading) {
      this.#reading = null;
      // A read that brought nothing was answered by somebody who lags: asking again at once would be a loop.
      if (this.#sent > this.#readFrom) this.#failures = 0;
      else this.#failures++;
    }
    return this.#step(deliver, repaired);
  }

  /** The read ended without an answer. */
  failed(read: number): Step<M> {
    if (read === this.#reading) {
      this.#reading = null;
      this.#failures++;
    }
    return this.#step([], false);
  }

  /** The time that a step asked for has passed. */
  retry(): Step<M> {
    this.#waiting = false;
    return this.#step([], false, true);
  }

  #know(seq: number): void {
    if (seq > this.#known) this.#known = seq;
  }

  /** The one place where a message goes out: its turn has come, it comes later, or it is there already. */
  #take(message: M, deliver: M[]): void {
    if (message.seq === this.#sent + 1) {
      this.#sent = message.seq;
      deliver.push(message);
      if (this.#held.size > 0) this.#drop(message.seq);
    } else if (message.seq > this.#sent) {
      this.#hold(message);
    }
  }

  #flush(deliver: M[]): void {
    while (this.#held.size > 0) {
      const next = this.#held.get(this.#sent + 1);
      if (!next) break;
      this.#take(next, deliver);
    }
  }

  #hold(message: M): void {
    if (this.#held.has(message.seq)) return;
    this.#held.set(message.seq, message);
    this.#heldBytes += message.size;
    // The oldest go first: reads come from below, and what they must meet is the newest.
    for (const seq of this.#held.keys()) {
      if (this.#held.size <= MAX_HELD && this.#heldBytes <= MAX_HELD_BYTES) break;
      this.#drop(seq);
    }
  }

  #drop(seq: number): void {
    const message = this.#held.get(seq);
    if (!message) return;
    this.#held.delete(seq);
    this.#heldBytes -= message.size;
  }

  #step(deliver: readonly M[], repaired: boolean, retrying = false): Step<M> {
    if (this.#state === "joining") return { deliver, read: null, retryIn: null, repaired };
    if (this.#sent >= this.#known) {
      this.#state = "live";
      this.#failures = 0;
      return { deliver, read: null, retryIn: null, repaired };
    }
    if (this.#reading !== null || this.#waiting) return { deliver, read: null, retryIn: null, repaired };
    if (this.#failures > 0 && !retrying) {
      this.#waiting = true;
      const retryIn = Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), MAX_RETRY_MS);
      return { deliver, read: null, retryIn, repaired };
    }
    this.#reading = ++this.#reads;
    this.#readFrom = this.#sent;
    return { deliver, read: this.#reading, retryIn: null, repaired };
  }
}
