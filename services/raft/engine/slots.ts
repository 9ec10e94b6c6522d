/** @module A bound on how many tasks of one sort run at a time. */

export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#free = size;
  }

  /** Runs the task as soon as a slot is free and returns what it returns. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // The slot goes straight to the next in line, so that nobody overtakes it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
