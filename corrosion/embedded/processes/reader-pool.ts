/**
 * @module The reading processes of an agent, as few as will do: each costs some 55 MB and a third of a second of CPU.
 * One stays; another one is started only for a query that has waited behind busy ones.
 */
import { QueryFailed, QueryRefused } from "./job.ts";
import { Reader } from "./reader.ts";

/** A query waits so long before another process is started for it. */
const PATIENCE_MS = 150;
/** A process beyond the first that had nothing to do for so long ends. */
const IDLE_MS = 10_000;

/** Queries of one kind: how many of them may have a process at the same time. */
export interface Share {
  readonly max: number;
  taken: number;
}

interface Waiting {
  readonly share: Share;
  readonly since: number;
  readonly resolve: (reader: Reader) => void;
  readonly reject: (error: Error) => void;
}

export class ReaderPool {
  readonly #path: string;
  readonly #readers = new Set<Reader>();
  readonly #waiting: Waiting[] = [];
  #growing: NodeJS.Timeout | null = null;
  /** When the last process became ready; the queue is given time to see what it brings. */
  #grownAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Processes that live or start. */
  get size(): number {
    return this.#readers.size;
  }

  /** Starts the first process, so that the first query need not wait for it. */
  warm(): void {
    if (this.#readers.size === 0 && !this.#stopped) this.#add();
  }

  /**
   * A process for one job; whoever has it gives it back by `release`. Throws `QueryRefused` when the signal comes
   * first or no process can be started, `QueryFailed` when the agent stops.
   */
  take(share: Share, signal: AbortSignal): Promise<Reader> {
    if (this.#stopped) return Promise.reject(new QueryFailed("the agent is stopping"));
    return new Promise((resolve, reject) => {
      const gone = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new QueryRefused(500, "interrupted"));
      };
      const forget = () => signal.removeEventListener("abort", gone);
      const waiting: Waiting = {
        share,
        since: performance.now(),
        resolve: (reader) => {
          forget();
          resolve(reader);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      signal.addEventListener("abort", gone, { once: true });
      this.#waiting.push(waiting);
      this.#serve();
    });
  }

  release(reader: Reader, share: Share): void {
    share.taken--;
    reader.free();
    this.#serve();
    if (!this.#readers.has(reader) || reader.state !== "free") return;
    reader.whenIdle(IDLE_MS, () => {
      const staying = [...this.#readers].filter((each) => each !== reader && each.state !== "gone");
      if (staying.length > 0) void reader.end();
    });
  }

  /** Ends all processes. What runs fails, and what waits. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#growing !== null) clearTimeout(this.#growing);
    this.#refuseAll(new QueryFailed("the agent is stopping"));
    await Promise.all([...this.#readers].map((reader) => reader.end()));
  }

  /** Free processes get the queries that have waited longest. */
  #serve(): void {
    for (const reader of this.#readers) {
      if (reader.state !== "free") continue;
      const next = this.#next();
      if (next === undefined) return;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      next.share.taken++;
      reader.take();
      next.resolve(reader);
    }
    this.#growInTime();
  }

  #next(): Waiting | undefined {
    return this.#waiting.find(({ share }) => share.taken < share.max);
  }

  #growInTime(): void {
    const next = this.#next();
    if (next === undefined || this.#growing !== null || this.#stopped) return;
    if (this.#readers.size === 0) return this.#add();
    // One after another: when it is ready it is looked again whether that was enough.
    if ([...this.#readers].some(({ state }) => state === "starting")) return;
    const wait = Math.max(next.since, this.#grownAt) + PATIENCE_MS - performance.now();
    if (wait <= 0) return this.#add();
    this.#growing = setTimeout(() => {
      this.#growing = null;
      this.#growInTime();
    }, Math.ceil(wait));
  }

  #add(): void {
    const reader = new Reader(this.#path, {
      onReady: () => {
        this.#grownAt = performance.now();
        this.#serve();
      },
      onLost: (trouble, wasReady) => {
        this.#readers.delete(reader);
        // Without that every process which cannot start would be followed by the next one.
        if (!wasReady && this.#readers.size === 0) this.#refuseAll(new QueryRefused(500, trouble));
        this.#serve();
      },
    });
    this.#readers.add(reader);
  }

  #refuseAll(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
