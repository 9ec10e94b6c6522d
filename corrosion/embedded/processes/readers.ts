/** @module Queries of one kind in reading processes: no query ever runs in the main process. */
import type { SqlValue, Statement } from "../values.ts";
import { type Job, QueryRefused } from "./job.ts";
import type { ReaderPool, Share } from "./reader-pool.ts";
import type { ReaderMode } from "./reader-protocol.ts";

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
  readonly #pool: ReaderPool;
  readonly #share: Share;

  /** At most `max` queries run at the same time; others wait, whatever else the pool does. */
  constructor(pool: ReaderPool, max: number) {
    this.#pool = pool;
    this.#share = { max, taken: 0 };
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
    const reader = await this.#pool.take(this.#share, signal);
    const job = reader.start(mode, statement, signal);
    try {
      await job.begun;
    } catch (error) {
      await job.over;
      this.#pool.release(reader, this.#share);
      throw error;
    }
    // Not when its rows are taken: who takes none must not keep it from others.
    void job.over.then(() => this.#pool.release(reader, this.#share));
    return this.#chunks<M>(job);
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

  async *#chunks<M extends ReaderMode>(job: Job): AsyncGenerator<Output[M], void, void> {
    try {
      for (;;) {
        const chunk = await job.next();
        if (chunk === null) return;
        // The reader sends what the job's mode asks for.
        yield chunk as Output[M];
      }
    } finally {
      job.cancel();
    }
  }
}
