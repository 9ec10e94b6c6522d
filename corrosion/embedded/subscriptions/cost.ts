/** @module How much work a subscription was in the last minute. */

const WINDOW_MS = 60_000;

export class Cost {
  readonly #since = performance.now();
  #spent: { at: number; ms: number }[] = [];

  add(ms: number): void {
    this.#forget();
    this.#spent.push({ at: performance.now(), ms });
  }

  /** Milliseconds of work a second. */
  perSecond(): number {
    this.#forget();
    const seconds = Math.max(1_000, Math.min(WINDOW_MS, performance.now() - this.#since)) / 1_000;
    return this.#spent.reduce((sum, { ms }) => sum + ms, 0) / seconds;
  }

  #forget(): void {
    const oldest = performance.now() - WINDOW_MS;
    this.#spent = this.#spent.filter(({ at }) => at >= oldest);
  }
}
