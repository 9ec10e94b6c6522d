/** @module Reading processes, started when they are needed: no query ever runs in the main process. */
import type { ChildProcess } from "node:child_process";
import type { SqlValue, Statement } from "../values.ts";
import { startChild } from "./child.ts";
import type { ReaderMode, ReaderReport, ReaderRequest } from "./reader-protocol.ts";

const PROGRAM = new URL("./reader-process.ts", import.meta.url);
/** A cancelled reader that is inside SQLite for longer is ended. */
const CANCEL_MS = 100;

export interface ReadersOptions {
  readonly path: string;
  /** Queries beyond that wait for a free process. */
  readonly max: number;
  /** A process that had nothing to do for so long ends; one always stays. */
  readonly idleMs: number;
}

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

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** One statement in one process. */
class Job {
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
        this.#credit();
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

/** One process. */
class Reader {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  #job: Job | null = null;
  #busy = false;
  #timer: NodeJS.Timeout | null = null;
  #trouble = "the reading process ended";

  constructor(path: string, onLost: () => void) {
    const child = startChild(PROGRAM, [path]);
    this.#child = child;
    child.on("message", (report: ReaderReport) => {
      if (report.kind === "unusable") this.#trouble = report.message;
      this.#job?.take(report);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    const lost = () => {
      this.#forgetTimer();
      onLost();
      this.#job?.lost(this.#trouble);
      resolve();
    };
    child.once("exit", lost);
    child.once("error", (error) => {
      this.#trouble = `a reading process cannot be started: ${error.message}`;
      if (child.pid === undefined) lost();
    });
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Whether it was free; now it is not. */
  take(): boolean {
    if (this.#busy) return false;
    this.#busy = true;
    this.#forgetTimer();
    return true;
  }

  free(): void {
    this.#busy = false;
    this.#job = null;
  }

  start(mode: ReaderMode, statement: Statement, signal: AbortSignal): Job {
    const job = new Job(
      () => this.#send({ kind: "credit" }),
      () => this.#cancel(),
      signal,
    );
    this.#job = job;
    this.#send({ kind: "run", mode, statement });
    return job;
  }

  whenIdle(ms: number, then: () => void): void {
    this.#forgetTimer();
    this.#timer = setTimeout(then, ms).unref();
  }

  async end(): Promise<void> {
    this.#busy = true;
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  #cancel(): void {
    this.#send({ kind: "cancel" });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CANCEL_MS);
    void this.#job?.over.then(() => clearTimeout(timer));
  }

  #send(request: ReaderRequest): void {
    if (this.#child.connected) this.#child.send(request, () => {});
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
