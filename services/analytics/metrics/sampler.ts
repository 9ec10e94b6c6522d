/** @module Samples of a run, one after the other: soon after its start, in intervals, and at its end. */

/** So that a short run has figures of more than its first moment. */
const FIRST_MS = 1000;

export interface SamplerOptions {
  readonly intervalMs: number;
  /** Takes one sample and writes it down; must not reject. */
  readonly sample: () => Promise<void>;
}

export class Sampler {
  readonly #options: SamplerOptions;
  #timer: NodeJS.Timeout | null = null;
  #under: Promise<void> = Promise.resolve();

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#wait(Math.min(FIRST_MS, options.intervalMs));
  }

  /** Takes the last sample. Resolves when it is written down. */
  async stop(): Promise<void> {
    if (this.#timer === null) return this.#under;
    clearTimeout(this.#timer);
    this.#timer = null;
    await this.#take();
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#wait(this.#options.intervalMs);
      void this.#take();
    }, ms);
  }

  /** One at a time: a part of the node that does not answer must not pile samples up. */
  #take(): Promise<void> {
    this.#under = this.#under.then(() => this.#options.sample());
    return this.#under;
  }
}
