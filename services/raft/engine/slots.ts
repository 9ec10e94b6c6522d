/** @module A bound on how many tasks of one sort are begun at a time. */

export class Slots {
  #free: number;
  readonly #holdMs: number;
  readonly #waiting: (() => void)[] = [];

  /** A task keeps its slot until it ends, but no longer than `holdMs`, so that a straggler does not hold up the rest. */
  constructor(size: number, holdMs: number) {
    this.#free = size;
    this.#holdMs = holdMs;
  }

  /** Runs the task as soon as a slot is free and returns what it returns. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      clearTimeout(timer);
      // The slot goes straight to the next in line, so that nobody overtakes it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    };
    const timer = setTimeout(release, this.#holdMs);
    try {
      return await task();
    } finally {
      release();
    }
  }
}

/** What appends go through: slots, or nothing where any number may go at a time. */
export type AppendSlots = Pick<Slots, "run">;
