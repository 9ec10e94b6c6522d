/** @module The log engine of one machine: every group's log in one SQLite file, one fsync for many groups. */
import { setImmediate as turn } from "node:timers/promises";
import type { EngineHealth, EngineStatus, GroupLog, LogEngine, LogEntry } from "./engine.ts";
import { checkEntry, DoubtKeeper } from "./entry-rules.ts";
import { GroupsMismatch, Unavailable } from "./errors.ts";
import type { LiveTail } from "./live-tail.ts";
import type { EngineLogger } from "./logger.ts";
import { MAX_GROUPS } from "./sqlite-file.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import { acquireStore, releaseStore } from "./sqlite-stores.ts";

export interface SqliteEngineOptions {
  /** Folder of the file `log.sqlite`; made when it is missing. */
  readonly dataDir: string;
  readonly logger?: EngineLogger;
  /** After how many milliseconds an append without an answer is `Unknown`; default 5000. */
  readonly appendTimeoutMs?: number;
}

const APPEND_TIMEOUT_MS = 5000;

/**
 * Opens the log in a folder. Engines of one process on the same folder share its file and writer thread.
 * Throws `Unavailable` when another process has the folder or the disk refuses, `Corrupt` when the file is damaged,
 * is not a log, or was written by a newer version.
 */
export async function openSqliteEngine(options: SqliteEngineOptions): Promise<LogEngine> {
  const { store, folder } = await acquireStore(options.dataDir);
  options.logger?.info("log opened", { engine: "sqlite", file: store.file });
  return new SqliteEngine(store, folder, options.appendTimeoutMs ?? APPEND_TIMEOUT_MS);
}

class SqliteEngine implements LogEngine {
  readonly kind = "sqlite";
  readonly #store: SqliteStore;
  readonly #folder: string;
  readonly #appendTimeoutMs: number;
  readonly #tails = new Set<LiveTail>();
  readonly #underWay = new Set<Promise<number>>();
  #closed: Promise<void> | null = null;

  constructor(store: SqliteStore, folder: string, appendTimeoutMs: number) {
    this.#store = store;
    this.#folder = folder;
    this.#appendTimeoutMs = appendTimeoutMs;
  }

  async provision(groups: number): Promise<void> {
    this.#checkOpen();
    if (groups > MAX_GROUPS) throw new RangeError(`FLEET_GROUPS is ${groups}, the most is ${MAX_GROUPS}`);
    const stored = await this.#store.provision(groups);
    if (stored !== groups) throw new GroupsMismatch(stored, groups, this.#store.file);
  }

  async inspect(): Promise<void> {
    // Nobody else writes the file.
  }

  async open(group: number): Promise<GroupLog> {
    this.#checkOpen();
    if (!this.#store.pages.groupRow(group))
      throw new Unavailable(`group ${group} was not provisioned in ${this.#store.file}`);
    return new SqliteGroupLog(this, this.#store, group);
  }

  async probe(): Promise<void> {
    this.#checkOpen();
    await this.#store.probe();
  }

  status(): EngineStatus {
    const failure = this.#store.failure;
    return {
      kind: this.kind,
      connected: failure === null && this.#closed === null,
      detail: this.#store.file,
      warnings: failure ? [failure.message] : [],
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const tail of this.#tails) tail.end();
    await Promise.allSettled(this.#underWay);
    await releaseStore(this.#folder);
  }

  #checkOpen(): void {
    if (this.#closed) throw new Unavailable("the log engine is closed");
  }

  append(group: number, entry: Uint8Array, expectedLast: number, messageId: string): Promise<number> {
    this.#checkOpen();
    const append = this.#store.append(group, entry, expectedLast, messageId, this.#appendTimeoutMs);
    this.#underWay.add(append);
    const done = (): void => void this.#underWay.delete(append);
    append.then(done, done);
    return append;
  }

  /** A tail that ends when the engine closes. */
  attach(group: number): LiveTail {
    this.#checkOpen();
    const tail = this.#store.attach(group);
    this.#tails.add(tail);
    return tail;
  }

  detach(group: number, tail: LiveTail): void {
    this.#tails.delete(tail);
    this.#store.detach(group, tail);
  }

  get closed(): boolean {
    return this.#closed !== null;
  }
}

class SqliteGroupLog implements GroupLog {
  readonly group: number;
  readonly #engine: SqliteEngine;
  readonly #store: SqliteStore;
  readonly #doubt = new DoubtKeeper();

  constructor(engine: SqliteEngine, store: SqliteStore, group: number) {
    this.#engine = engine;
    this.#store = store;
    this.group = group;
  }

  async bounds(): Promise<{ first: number; last: number }> {
    const { first, last } = this.#row();
    return { first, last };
  }

  #row() {
    if (this.#engine.closed) throw new Unavailable("the log engine is closed");
    const row = this.#store.pages.groupRow(this.group);
    if (!row) throw new Unavailable(`group ${this.group} was not provisioned in ${this.#store.file}`);
    return row;
  }

  async append(entry: Uint8Array, expectedLast: number, messageId: string): Promise<number> {
    checkEntry(entry, expectedLast);
    return this.#doubt.settle(messageId, () =>
      this.#engine.append(this.group, entry, expectedLast, messageId),
    );
  }

  async *read(from: number, to?: number): AsyncGenerator<LogEntry, void, void> {
    const { last } = this.#row();
    if (to !== undefined && to > last) {
      throw new Unavailable(`group ${this.group}: index ${to} was asked for, the log ends at ${last}`);
    }
    yield* this.#pages(from, to ?? last);
  }

  async *#pages(from: number, to: number): AsyncGenerator<LogEntry, void, void> {
    let next = from;
    for (;;) {
      if (this.#engine.closed) throw new Unavailable("the log engine is closed");
      const page = this.#store.pages.page(this.group, next, to);
      if (page.length === 0) return;
      yield* page;
      next += page.length;
      // A long replay must not keep the event loop from heartbeats and other groups.
      await turn();
    }
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    if (signal.aborted) return;
    // Attached before the first page is read, so that nothing falls between the pages and the live entries.
    const tail = this.#engine.attach(this.group);
    const end = (): void => tail.end();
    signal.addEventListener("abort", end, { once: true });
    try {
      let next = from;
      while (!tail.ended) {
        for await (const entry of this.#pages(next, Number.MAX_SAFE_INTEGER)) {
          if (tail.ended) break;
          yield entry;
          next = entry.index + 1;
        }
        for await (const entry of liveFrom(next, tail)) {
          yield entry;
          next = entry.index + 1;
        }
      }
      tail.take();
    } catch (error) {
      if (signal.aborted || this.#engine.closed) return;
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
      this.#engine.detach(this.group, tail);
    }
  }

  async truncate(before: number): Promise<void> {
    this.#row();
    await this.#store.truncate(this.group, before);
  }

  async health(): Promise<EngineHealth> {
    const { bytes } = this.#row();
    return {
      leader: null,
      replicas: [{ name: this.#store.file, current: this.#store.failure === null, lag: 0 }],
      wanted: 1,
      bytes,
    };
  }
}

/** Entries from `next` on as they come; returns when the tail has ended or has dropped some. */
async function* liveFrom(next: number, tail: LiveTail): AsyncGenerator<LogEntry, void, void> {
  let wanted = next;
  for (;;) {
    for (const entry of tail.take()) {
      if (tail.ended || entry.index > wanted) return;
      if (entry.index < wanted) continue;
      wanted++;
      yield entry;
    }
    if (tail.ended) return;
    await tail.wait();
  }
}
