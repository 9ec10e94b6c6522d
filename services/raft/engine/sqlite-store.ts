/** @module The SQLite file as one process holds it: its lock, its writer thread, its reading connection, its followers. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Corrupt, Fenced, Full, type LogError, Unavailable, Unknown } from "./errors.ts";
import { LiveTail } from "./live-tail.ts";
import { lockFolder } from "./sqlite-lock.ts";
import type { FromWriter, Order, ToWriter, WriterData, WriterFailure } from "./sqlite-messages.ts";
import { SqlitePages } from "./sqlite-pages.ts";

/** How often appends under way are looked at for their deadline. */
const SWEEP_MS = 100;
/** How long an order (provision, truncate, probe) may wait for the writer. */
const ORDER_MS = 30_000;
const PROBE_MS = 5_000;
/** How long `close` waits for a writer that hangs before it ends the thread. */
const CLOSE_MS = 15_000;

interface Append {
  readonly group: number;
  readonly entry: Uint8Array;
  readonly expectedLast: number;
  readonly messageId: string;
  readonly deadline: number;
  resolve: (index: number) => void;
  reject: (error: LogError) => void;
  /** The caller was told `Unknown`; followers must still get the entry. */
  overdue: boolean;
}

interface Waiting {
  resolve: (value: number) => void;
  reject: (error: LogError) => void;
}

export class SqliteStore {
  readonly file: string;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly pages: SqlitePages;
  readonly #unlock: () => void;

  #lastId = 0;
  readonly #appends = new Map<number, Append>();
  readonly #orders = new Map<number, Waiting>();
  #outbox: number[] = [];
  #sweeper: NodeJS.Timeout | null = null;
  #failure: WriterFailure | null = null;
  #onSettled: (() => void) | null = null;
  readonly #tails = new Map<number, Set<LiveTail>>();

  /** Opens the file in the folder and starts the writer. Throws `Unavailable` or `Corrupt`. */
  static async open(folder: string): Promise<SqliteStore> {
    const unlock = await lockFolder(folder);
    try {
      const file = join(folder, "log.sqlite");
      const worker = await startWriter(file);
      return new SqliteStore(file, worker, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  private constructor(file: string, worker: Worker, unlock: () => void) {
    this.file = file;
    this.#worker = worker;
    this.#unlock = unlock;
    this.pages = new SqlitePages(file);
    worker.on("message", (message: FromWriter) => this.#heard(message));
    worker.on("error", (error) =>
      this.#die({ corrupt: false, message: `the log's writer failed: ${error.message}` }),
    );
    this.#exited = new Promise((resolve) => {
      worker.on("exit", () => {
        this.#die({
          corrupt: false,
          message: `the log's writer thread has ended; ${file} is no longer written`,
        });
        resolve();
      });
    });
  }

  /** Null while the writer works. */
  get failure(): WriterFailure | null {
    return this.#failure;
  }

  /** Hands the entry to the writer. `timeoutMs` after the call an append without an answer is `Unknown`. */
  append(
    group: number,
    entry: Uint8Array,
    expectedLast: number,
    messageId: string,
    timeoutMs: number,
  ): Promise<number> {
    if (this.#failure) return Promise.reject(new Unavailable(this.#failure.message));
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const deadline = performance.now() + timeoutMs;
      this.#appends.set(id, {
        group,
        entry,
        expectedLast,
        messageId,
        deadline,
        resolve,
        reject,
        overdue: false,
      });
      // What is asked for in one turn of the event loop goes over in one message.
      if (this.#outbox.push(id) === 1) setImmediate(() => this.#send());
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
    });
  }

  #send(): void {
    const ids = this.#outbox;
    this.#outbox = [];
    if (this.#failure) return;
    const appends = ids.map((id) => this.#appends.get(id)!);
    const data = new Uint8Array(appends.reduce((sum, append) => sum + append.entry.length, 0));
    let offset = 0;
    for (const { entry } of appends) {
      data.set(entry, offset);
      offset += entry.length;
    }
    const message: ToWriter = {
      kind: "append",
      ids,
      groups: appends.map((append) => append.group),
      expectedLasts: appends.map((append) => append.expectedLast),
      messageIds: appends.map((append) => append.messageId),
      lengths: appends.map((append) => append.entry.length),
      data,
    };
    this.#worker.postMessage(message, [data.buffer]);
  }

  /** Tells callers whose deadline has passed that the outcome is not known; the answer may still come. */
  #sweep(): void {
    const now = performance.now();
    for (const append of this.#appends.values()) {
      if (append.overdue || now < append.deadline) continue;
      append.overdue = true;
      append.reject(
        new Unknown(`group ${append.group}: no answer from the disk for index ${append.expectedLast + 1}`),
      );
    }
  }

  /** The number of groups that the file was created with, which is `groups` for a new file. */
  provision(groups: number): Promise<number> {
    return this.#order((id) => ({ kind: "provision", id, groups }), ORDER_MS);
  }

  async truncate(group: number, before: number): Promise<void> {
    await this.#order((id) => ({ kind: "truncate", id, group, before }), ORDER_MS * 10);
  }

  async probe(): Promise<void> {
    await this.#order((id) => ({ kind: "probe", id }), PROBE_MS);
  }

  #order(make: (id: number) => Order, timeoutMs: number): Promise<number> {
    if (this.#failure) return Promise.reject(new Unavailable(this.#failure.message));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#orders.delete(id);
        reject(new Unavailable(`the disk of ${this.file} has not answered for ${timeoutMs} ms`));
      }, timeoutMs);
      this.#orders.set(id, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#worker.postMessage(make(id));
    });
  }

  #heard(message: FromWriter): void {
    switch (message.kind) {
      case "settled":
        for (const [i, id] of message.ids.entries()) this.#settle(id, message.indexes[i]!, message.fresh[i]!);
        this.#afterSettling();
        break;
      case "refused":
        for (const id of message.ids) {
          this.#reject(id, () => (message.full ? new Full(message.reason) : new Unavailable(message.reason)));
        }
        this.#afterSettling();
        break;
      case "done":
        this.#takeOrder(message.id)?.resolve(message.value);
        break;
      case "failed":
        this.#takeOrder(message.id)?.reject(new Unavailable(message.reason));
        break;
      case "dying":
      case "unopened":
        this.#die(message.failure);
        break;
      case "ready":
        break;
    }
  }

  #takeOrder(id: number): Waiting | undefined {
    const waiting = this.#orders.get(id);
    this.#orders.delete(id);
    return waiting;
  }

  #settle(id: number, index: number, fresh: boolean): void {
    const append = this.#appends.get(id)!;
    this.#appends.delete(id);
    if (index === 0) {
      if (!append.overdue) append.reject(new Fenced(append.group, append.expectedLast));
      return;
    }
    if (fresh) {
      const tails = this.#tails.get(append.group);
      if (tails) for (const tail of tails) tail.push({ index, data: append.entry });
    }
    if (!append.overdue) append.resolve(index);
  }

  #reject(id: number, error: () => LogError): void {
    const append = this.#appends.get(id);
    this.#appends.delete(id);
    if (append && !append.overdue) append.reject(error());
  }

  #afterSettling(): void {
    if (this.#appends.size > 0) return;
    if (this.#sweeper) clearInterval(this.#sweeper);
    this.#sweeper = null;
    this.#onSettled?.();
  }

  /** The writer is gone for good: what it had not answered is in doubt, what comes later is refused. */
  #die(failure: WriterFailure): void {
    if (this.#failure) return;
    this.#failure = failure;
    const unsent = new Set(this.#outbox);
    for (const id of [...this.#appends.keys()]) {
      this.#reject(id, () =>
        unsent.has(id) ? new Unavailable(failure.message) : new Unknown(failure.message),
      );
    }
    for (const waiting of this.#orders.values()) waiting.reject(new Unavailable(failure.message));
    this.#orders.clear();
    const error = failure.corrupt ? new Corrupt(failure.message) : new Unavailable(failure.message);
    for (const tails of this.#tails.values()) for (const tail of tails) tail.end(error);
    this.#afterSettling();
  }

  /** A tail that gets every entry of the group committed from now on. Throws `Unavailable` when the writer is gone. */
  attach(group: number): LiveTail {
    if (this.#failure) throw new Unavailable(this.#failure.message);
    const tail = new LiveTail();
    const tails = this.#tails.get(group);
    if (tails) tails.add(tail);
    else this.#tails.set(group, new Set([tail]));
    return tail;
  }

  detach(group: number, tail: LiveTail): void {
    const tails = this.#tails.get(group);
    tails?.delete(tail);
    if (tails?.size === 0) this.#tails.delete(group);
  }

  /** Waits for appends under way, ends the writer and lets go of the folder. */
  async close(): Promise<void> {
    const giveUp = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    if (this.#appends.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    this.pages.close();
    this.#worker.postMessage({ kind: "close" } satisfies ToWriter);
    await this.#exited;
    clearTimeout(giveUp);
    this.#unlock();
  }
}

/** Starts the thread and waits until it has the file open. Throws `Corrupt` or `Unavailable`. */
async function startWriter(file: string): Promise<Worker> {
  const workerData: WriterData = { file };
  const worker = new Worker(new URL("./sqlite-writer.ts", import.meta.url), { workerData });
  const started = Promise.withResolvers<FromWriter>();
  worker.once("message", started.resolve);
  worker.once("error", started.reject);
  try {
    const message = await started.promise;
    if (message.kind === "unopened") {
      const { corrupt, message: reason } = message.failure;
      throw corrupt ? new Corrupt(reason) : new Unavailable(reason);
    }
    return worker;
  } finally {
    worker.off("message", started.resolve);
    worker.off("error", started.reject);
  }
}
