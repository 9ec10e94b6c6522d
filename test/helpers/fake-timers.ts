/** @module A clock that stands still until a test moves it. */
import type { Timers } from "../../lib/timers.ts";

interface Pending {
  readonly due: number;
  readonly run: () => void;
}

export class FakeTimers implements Timers {
  #now = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const pending = { due: this.#now + ms, run };
    this.#pending.add(pending);
    return () => void this.#pending.delete(pending);
  }

  /** How long each timer still has, in milliseconds. */
  get waits(): number[] {
    return [...this.#pending].map(({ due }) => due - this.#now);
  }

  /** Moves on, and calls what is due meanwhile in its order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#pending].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due);
      if (!next) break;
      this.#pending.delete(next);
      this.#now = next.due;
      next.run();
    }
    this.#now = end;
  }
}
