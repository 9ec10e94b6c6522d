/** @module The nodes that were found last: answered from memory, renewed behind. */
import { type Clock, isoMicros } from "../../../lib/clock.ts";
import type { DiscoveredNode, Discovery, FetchStatus } from "../contract.ts";

export interface DirectoryEnvironment {
  readonly source: Discovery["source"];
  readonly find: (signal: AbortSignal) => Promise<readonly DiscoveredNode[]>;
  readonly clock: Clock;
  /** How long an answer counts as fresh; after that the next reader starts a look behind its answer. */
  readonly ttlMs: number;
}

export class Directory {
  readonly #env: DirectoryEnvironment;
  readonly #stopping = new AbortController();
  #looking: Promise<void> | null = null;
  #nodes: readonly DiscoveredNode[] = [];
  /** Microseconds since 1970; null before the first good answer. */
  #foundAt: number | null = null;
  /** Of the last look, whatever came of it. */
  #lookedAt: number | null = null;
  #error: string | null = null;
  #status: FetchStatus = "initializing";

  constructor(env: DirectoryEnvironment) {
    this.#env = env;
  }

  /** What is known, at once. A look begins behind it when that is too old. */
  get(): Discovery {
    const { clock, ttlMs } = this.#env;
    if (this.#lookedAt === null || clock() - this.#lookedAt >= ttlMs * 1000) void this.#look();
    return this.#discovery();
  }

  /** Looks now, or joins who does. Never throws: what went wrong stands in the answer. */
  async refresh(): Promise<Discovery> {
    await this.#look();
    return this.#discovery();
  }

  /** Resolves when the look under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
  }

  #discovery(): Discovery {
    const { clock, source } = this.#env;
    return {
      nodes: this.#nodes,
      error: this.#error,
      status: this.#status,
      last_updated: this.#foundAt === null ? null : isoMicros(this.#foundAt),
      age_ms: this.#foundAt === null ? null : Math.max(0, Math.round((clock() - this.#foundAt) / 1000)),
      source,
    };
  }

  #look(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    this.#looking ??= this.#once().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #once(): Promise<void> {
    const { clock, find } = this.#env;
    this.#status = "fetching";
    try {
      this.#nodes = await find(this.#stopping.signal);
      this.#foundAt = clock();
      this.#error = null;
      this.#status = "ok";
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
      this.#status = "error";
    }
    this.#lookedAt = clock();
  }
}
