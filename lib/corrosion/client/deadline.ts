/** @module How long a call may take: one signal for the caller's wish and the clock. */

/**
 * `signal` aborts with the caller's reason, or with `expired()` after `ms`. Whoever makes one disposes of it, so that
 * neither a timer nor a listener stays.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort = () => this.#controller.abort(this.#caller?.reason);
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, expired: () => Error, caller?: AbortSignal) {
    this.#caller = caller;
    if (caller?.aborted) this.#onAbort();
    caller?.addEventListener("abort", this.#onAbort);
    this.#timer = setTimeout(() => this.#controller.abort(expired()), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The clock counts no more; the caller's abort still does. */
  disarm(): void {
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.disarm();
    this.#caller?.removeEventListener("abort", this.#onAbort);
  }
}
