/** @module Reading processes, started when they are needed: no query ever runs in the main process. */
import type { SqlValue, Statement } from "../values.ts";
import { type Job, QueryFailed, QueryRefused } from "./job.ts";
import { Reader } from "./reader.ts";
import type { ReaderMode } from "./reader-protocol.ts";

export interface ReadersOptions {
  readonly path: string;
  /** Queries beyond that wait for a free process. */
  readonly max: number;
  /** A process that had nothing to do for so long ends; one always stays. */
  readonly idleMs: number;
}

export interface QueryLimits {
  /** From the call to the last row; null: none. */
  readonly limitMs: number | null;
  /** Ends the query. */
  readonly signal: AbortSignal;
}

interface Output {
  readonly lines: Uint8Array;
  readonly values: readonly (readonly SqlValue[])[];
}

export class Readers {
  readonly #options: ReadersOptions;
  readonly #readers = new Set<Reader>();
  readonly #waiting: ((reader: Reader) => void)[] = [];
  #stopped = false;

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  /** Starts the first process, so that the first query need not wait for it. */
  warm(): void {
    if (this.#readers.size === 0) this.#add();
  }

  get active(): number {
    return [...this.#readers].filter((reader) => reader.busy).length;
  }

  /**
   * Runs a statement. Resolves once it is accepted and its parameters are bound, with the output in chunks; whoever
   * does not take the next chunk makes the reader wait. Throws `QueryRefused`; the chunks throw `QueryFailed`.
   */
  async run<M extends ReaderMode>(
    mode: M,
    statement: Statement,
    limits: QueryLimits,
  ): Promise<AsyncGenerator<Output[M], void, void>> {
    const signals =
      limits.limitMs === null ? [limits.signal] : [limits.signal, AbortSignal.timeout(limits.limitMs)];
    const signal = AbortSignal.any(signals);
    if (signal.aborted) throw new QueryRefused(500, "interrupted");
    const reader = await this.#free(signal);
    const job = reader.start(mode, statement, signal);
    try {
      await job.begun;
    } catch (error) {
      await job.over;
      this.#release(reader);
      throw error;
    }
    return this.#chunks<M>(reader, job);
  }

  /** All rows of a statement of the agent's own. Throws `QueryRefused` and `QueryFailed`. */
  async all(sql: string, limitMs: number): Promise<(readonly SqlValue[])[]> {
    const never = new AbortController();
    const statement: Statement = { sql, params: { kind: "none" } };
    const rows: (readonly SqlValue[])[] = [];
    for await (const chunk of await this.run("values", statement, { limitMs, signal: never.signal })) {
      rows.push(...chunk);
    }
    return rows;
  }

  /** Ends all processes. What runs fails. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#readers].map((reader) => reader.end()));
  }

  async *#chunks<M extends ReaderMode>(reader: Reader, job: Job): AsyncGenerator<Output[M], void, void> {
    try {
      for (;;) {
        const chunk = await job.next();
        if (chunk === null) return;
        // The reader sends what the job's mode asks for.
        yield chunk as Output[M];
      }
    } finally {
      job.cancel();
      void job.over.then(() => this.#release(reader));
    }
  }

  #free(signal: AbortSignal): Promise<Reader> {
    if (this.#stopped) return Promise.reject(new QueryFailed("the agent is stopping"));
    for (const reader of this.#readers) if (reader.take()) return Promise.resolve(reader);
    if (this.#readers.size < this.#options.max) {
      const reader = this.#add();
      reader.take();
      return Promise.resolve(reader);
    }
    return new Promise((resolve, reject) => {
      const taker = (reader: Reader) => {
        signal.removeEventListener("abort", gone);
        resolve(reader);
      };
      const gone = () => {
        this.#waiting.splice(this.#waiting.indexOf(taker), 1);
        reject(new QueryRefused(500, "interrupted"));
      };
      signal.addEventListener("abort", gone, { once: true });
      this.#waiting.push(taker);
    });
  }

  #add(): Reader {
    const reader = new Reader(this.#options.path, () => this.#lost(reader));
    this.#readers.add(reader);
    return reader;
  }

  #lost(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#stopped || this.#waiting.length === 0 || this.#readers.size >= this.#options.max) return;
    this.#hand(this.#add());
  }

  #release(reader: Reader): void {
    if (!this.#readers.has(reader)) return;
    reader.free();
    this.#hand(reader);
    if (reader.busy) return;
    reader.whenIdle(this.#options.idleMs, () => {
      if (this.#readers.size > 1) void reader.end();
    });
  }

  #hand(reader: Reader): void {
    const taker = this.#waiting.shift();
    if (taker === undefined) return;
    reader.take();
    taker(reader);
  }
}
