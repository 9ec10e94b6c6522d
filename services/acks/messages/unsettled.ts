/** @module Messages whose insert is under way, or was never answered: what shows that they were written after all. */

/** One message that may be written. */
export interface Pending {
  /** True once something showed that it was written; false when nobody waits any longer. */
  readonly settled: Promise<boolean>;
  /** Ends the waiting. */
  readonly forget: () => void;
}

/** Every wait ends: by what shows the message, by `forget`, after its time, or with `close`. */
export class Unsettled {
  readonly #waits = new Map<string, (written: boolean) => void>();

  get size(): number {
    return this.#waits.size;
  }

  /** Begins to wait, for `ms` at most. To be called before the insert: what shows the message may come first. */
  expect(pk: string, ms: number): Pending {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const end = (written: boolean) => {
      clearTimeout(timer);
      this.#waits.delete(pk);
      resolve(written);
    };
    const timer = setTimeout(() => end(false), ms);
    this.#waits.set(pk, end);
    return { settled: promise, forget: () => end(false) };
  }

  /** The message was written: it was acknowledged, or its row was seen. */
  settle(pk: string): void {
    this.#waits.get(pk)?.(true);
  }

  close(): void {
    for (const end of [...this.#waits.values()]) end(false);
  }
}
