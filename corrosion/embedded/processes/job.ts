/** @module One statement in a reading process: its output as it comes, and how it ends. */
import type { ReaderReport } from "./reader-protocol.ts";

/** A statement was refused before it ran; `status` is the answer's. */
export class QueryRefused extends Error {
  override name = "QueryRefused";
  readonly status: 400 | 500;
  constructor(status: 400 | 500, message: string) {
    super(message);
    this.status = status;
  }
}

/** A query failed while it ran: SQLite's message, or `interrupted`. */
export class QueryFailed extends Error {
  override name = "QueryFailed";
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class Job {
  readonly begun: Promise<void>;
  /** Resolves when the process is free again, or gone. */
  readonly over: Promise<void>;
  readonly #begun: Deferred<void> = Promise.withResolvers<void>();
  readonly #over: Deferred<void> = Promise.withResolvers<void>();
  readonly #chunks: unknown[] = [];
  readonly #credit: () => void;
  readonly #cancel: () => void;
  #wake: () => void = () => {};
  #failure: Error | null = null;
  #ended = false;
  #cancelled = false;

  constructor(credit: () => void, cancel: () => void, signal: AbortSignal) {
    this.#credit = credit;
    this.#cancel = cancel;
    this.begun = this.#begun.promise;
    this.over = this.#over.promise;
    const interrupt = () => this.interrupt();
    signal.addEventListener("abort", interrupt, { once: true });
    void this.over.then(() => signal.removeEventListener("abort", interrupt));
    // Whoever starts a job awaits `begun`; until then a failure is not one that nobody handles.
    this.begun.catch(() => {});
  }

  /** The next chunk, null after the last one. Throws `QueryFailed`. */
  async next(): Promise<unknown> {
    for (;;) {
      // What came before the failure is still the answer's.
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        // Its process may have another job by now.
        if (!this.#ended) this.#credit();
        return chunk;
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nobody wants the rest. */
  cancel(): void {
    if (this.#ended || this.#cancelled) return;
    this.#cancelled = true;
    this.#cancel();
  }

  interrupt(): void {
    if (this.#ended) return;
    this.#fail(new QueryFailed("interrupted"));
    this.cancel();
  }

  take(report: ReaderReport): void {
    switch (report.kind) {
      case "begun":
        if (report.head !== null) this.#chunk(report.head);
        this.#begun.resolve();
        return;
      case "refused":
        this.#begun.reject(new QueryRefused(report.status, report.message));
        this.#end();
        return;
      case "lines":
        this.#chunk(report.bytes);
        return;
      case "values":
        this.#chunk(report.rows);
        return;
      case "over":
        if (report.message !== null) this.#fail(new QueryFailed(report.message));
        this.#end();
        return;
      case "ready":
      case "unusable":
        return;
    }
  }

  /** The process is gone. */
  lost(reason: string): void {
    if (this.#ended) return;
    this.#fail(new QueryFailed(reason));
    this.#end();
  }

  #chunk(chunk: unknown): void {
    if (this.#failure !== null) return;
    this.#chunks.push(chunk);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#begun.reject(new QueryRefused(500, error.message));
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#over.resolve();
    this.#wake();
  }
}
