/** @module A node's way to the archive: opened while Postgres is away, its schema brought up to date, known to be there or not. */
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../../lib/logging.ts";
import { ArchiveUnavailable, describe } from "./errors.ts";
import { migrateArchive } from "./migrate.ts";
import { type ArchiveOptions, type ArchiveStore, openArchive } from "./store.ts";

export interface LinkOptions extends ArchiveOptions {
  /** Whether the schema is brought up to date before the first call. */
  readonly migrate: boolean;
  readonly logger: Log;
  /** Called whenever the archive comes (null) or goes (why). */
  readonly onChange: (problem: string | null) => void;
  /** Between two tries of a migration that Postgres refuses, in milliseconds: a person has to look; default 30,000. */
  readonly refusedRetryMs?: number;
}

/** Between two tries to reach Postgres, at first and at most. */
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5000;
const REFUSED_RETRY_MS = 30_000;

export class ArchiveLink {
  readonly #options: LinkOptions;
  readonly #store: ArchiveStore;
  readonly #refusedRetryMs: number;
  readonly #stopping = new AbortController();
  #schemaReady: boolean;
  #problem: string | null = "it has not been reached yet";
  /** Before the first answer, so that the first change is told whatever it is. */
  #unknown = true;
  #wake: () => void = () => undefined;
  #work: Promise<void> = Promise.resolve();
  readonly #tried = Promise.withResolvers<void>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#store = openArchive(options);
    this.#refusedRetryMs = options.refusedRetryMs ?? REFUSED_RETRY_MS;
    this.#schemaReady = !options.migrate;
  }

  /** Why the archive cannot be used; null when it can, as far as the last call tells. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Begins to reach for Postgres, and does so again whenever it was lost. Returns after the first try. */
  start(): Promise<void> {
    this.#work = this.#keepReached(this.#stopping.signal);
    return this.#tried.promise;
  }

  /** Throws what the store throws, and `ArchiveUnavailable` while the schema is not up to date. */
  async run<T>(call: (store: ArchiveStore) => Promise<T>): Promise<T> {
    if (!this.#schemaReady) {
      throw new ArchiveUnavailable(`the archive's schema is not up to date yet: ${this.#problem}`);
    }
    try {
      const result = await call(this.#store);
      this.#reached();
      return result;
    } catch (error) {
      if (error instanceof ArchiveUnavailable) this.#lost(reasonOf(error));
      throw error;
    }
  }

  /** Ends the tries and closes the connections; calls under way get a second to end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#store.close();
    await this.#work;
  }

  async #keepReached(signal: AbortSignal): Promise<void> {
    let pause = FIRST_RETRY_MS;
    while (!signal.aborted) {
      if (this.#problem === null) {
        await this.#untilLost();
        pause = FIRST_RETRY_MS;
      } else {
        const refused = !(await this.#reach(signal));
        this.#tried.resolve();
        if (this.#problem === null) continue;
        await delay(refused ? this.#refusedRetryMs : pause, undefined, { signal }).catch(() => undefined);
        pause = Math.min(pause * 2, LAST_RETRY_MS);
      }
    }
  }

  /** False when Postgres was there and refused the schema. */
  async #reach(signal: AbortSignal): Promise<boolean> {
    try {
      if (!this.#schemaReady) await this.#migrate(signal);
      await this.run((store) => store.watermark(0));
      return true;
    } catch (error) {
      if (signal.aborted) return true;
      const problem = reasonOf(error);
      this.#lost(problem);
      if (error instanceof ArchiveUnavailable) return true;
      this.#options.logger.error("the archive cannot be used, and a person has to look", {
        problem,
        retryAfterMs: this.#refusedRetryMs,
      });
      return false;
    }
  }

  async #migrate(signal: AbortSignal): Promise<void> {
    const { url, connectTimeoutMs, logger } = this.#options;
    const began = performance.now();
    const done = await migrateArchive({
      url,
      signal,
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    });
    this.#schemaReady = true;
    if (done.length === 0) return;
    logger.info("the archive's schema was brought up to date", {
      migrations: done,
      ms: Math.round(performance.now() - began),
    });
  }

  #untilLost(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  #reached(): void {
    if (this.#problem === null || this.#stopping.signal.aborted) return;
    this.#problem = null;
    this.#unknown = false;
    this.#options.logger.info("the archive is available", {});
    this.#options.onChange(null);
  }

  #lost(problem: string): void {
    if (this.#stopping.signal.aborted) return;
    const flips = this.#unknown || this.#problem === null;
    this.#problem = problem;
    this.#unknown = false;
    if (!flips) return;
    this.#options.logger.warn("the archive is not available; conversations go on without it", { problem });
    this.#options.onChange(problem);
    this.#wake();
  }
}

/** What lies below "the archive is not available". */
function reasonOf(error: unknown): string {
  return describe(error instanceof ArchiveUnavailable && error.cause !== undefined ? error.cause : error);
}
