/** @module A model of the log engine's storage: what a JetStream stream does with a publish that reached it. */

export type Written =
  | { readonly kind: "committed"; readonly index: number; readonly duplicate: boolean }
  | { readonly kind: "fenced" };

/**
 * One group's log. As in JetStream, the message id is looked up first, in a window that may expire, and only then
 * the expected last sequence. It never loses what it has taken: that is the engine's promise, not ours to test here.
 */
export class LogModel {
  /** All entries that ever were; those below `first` are for the books only. */
  readonly entries: Uint8Array[] = [];
  /** Message id of each entry. */
  readonly batches: string[] = [];
  /** The log holds nothing below this index. */
  first = 1;
  /** Message ids that are still remembered, oldest first. */
  readonly #window = new Map<string, number>();
  readonly #ignoresExpectedLast: boolean;

  constructor(ignoresExpectedLast = false) {
    this.#ignoresExpectedLast = ignoresExpectedLast;
  }

  get last(): number {
    return this.entries.length;
  }

  write(data: Uint8Array, expectedLast: number, messageId: string): Written {
    const known = this.#window.get(messageId);
    if (known !== undefined) return { kind: "committed", index: known, duplicate: true };
    if (expectedLast !== this.last && !this.#ignoresExpectedLast) return { kind: "fenced" };
    this.entries.push(data);
    this.batches.push(messageId);
    this.#window.set(messageId, this.last);
    return { kind: "committed", index: this.last, duplicate: false };
  }

  /** The de-duplication window moves on: the oldest message ids are forgotten. */
  forget(count: number): void {
    for (const id of [...this.#window.keys()].slice(0, count)) this.#window.delete(id);
  }

  truncate(before: number): void {
    this.first = Math.max(this.first, Math.min(before, this.last + 1));
  }
}
