/** @module A monotonic clock that stands still while this process does: silence then is nobody else's fault. */

export class AwakeClock {
  readonly #roundMs: number;
  readonly #source: () => number;
  #tickedAt: number;
  #stoodStill = 0;

  /** @param source A monotonic clock in milliseconds. */
  constructor(roundMs: number, source: () => number = () => performance.now()) {
    this.#roundMs = roundMs;
    this.#source = source;
    this.#tickedAt = source();
  }

  /** Milliseconds in which this process could have listened. */
  now(): number {
    return this.#source() - this.#stoodStill;
  }

  /** To be called every round: one that comes later than another whole round shows that the process stood still. */
  tick(): void {
    const now = this.#source();
    const late = now - this.#tickedAt - this.#roundMs;
    if (late > this.#roundMs) this.#stoodStill += late;
    this.#tickedAt = now;
  }
}
