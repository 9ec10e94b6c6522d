/** @module The embedded Postgres: a real server as a child of this process, with its data below the data folder. */
import type { ChildProcess } from "node:child_process";
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lockFolder } from "../services/raft/engine/sqlite-lock.ts";
import { endLeftover } from "./postgres-leftover.ts";
import {
  exitOf,
  guard,
  type LaunchedPostgres,
  type PostgresLogger,
  PostgresServer,
  within,
} from "./postgres-server.ts";

/** A fast shutdown that takes longer becomes an immediate one, and that one a kill. */
const FAST_MS = 1500;
const IMMEDIATE_MS = 400;
const FIRST_RESTART_MS = 200;
const LAST_RESTART_MS = 5000;

export interface EmbeddedPostgresOptions {
  /** Everything is kept in `<dataDir>/postgres`. */
  readonly dataDir: string;
  readonly logger?: PostgresLogger;
}

export interface EmbeddedPostgres {
  /** Connection string, for `pg` and `psql`: a Unix socket that only its owner (and root) can open. */
  readonly url: string;
  /** Shuts the server down, within 2 s. */
  stop(): Promise<void>;
}

/**
 * Starts Postgres on `<dataDir>/postgres`, which the first start makes. Should the server die it is started again,
 * at the same URL; should this process die, even by SIGKILL, the server shuts down. Throws an error of one sentence
 * when it cannot start, e.g. when another process uses the folder.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = join(options.dataDir, "postgres");
  await mkdir(home, { recursive: true });
  const unlock = await lockFolder(home);
  try {
    const logger = options.logger ?? SILENT;
    const folder = await realpath(home);
    const logFile = join(folder, "postgres.log");
    const server = await PostgresServer.prepare({ home: folder, logFile, logger });
    const supervised = new Supervised(server, logger);
    await supervised.start();
    return {
      url: server.url,
      stop: async () => {
        await supervised.stop();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

const SILENT: PostgresLogger = { info: () => undefined, warn: () => undefined };

class Supervised {
  readonly #server: PostgresServer;
  readonly #logger: PostgresLogger;
  readonly #stopping = new AbortController();
  #child: ChildProcess | null = null;
  #supervision: Promise<void> = Promise.resolve();

  constructor(server: PostgresServer, logger: PostgresLogger) {
    this.#server = server;
    this.#logger = logger;
  }

  /** Starts the server, waits until it accepts connections, and keeps it running from then on. */
  async start(): Promise<void> {
    const { ended } = await this.#server.start(this.#adopt);
    this.#supervision = this.#supervise(ended);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child) {
      const over = exitOf(child);
      for (const [signal, limitMs] of [
        ["SIGINT", FAST_MS],
        ["SIGQUIT", IMMEDIATE_MS],
      ] as const) {
        child.kill(signal);
        if (await within(over, limitMs)) break;
        this.#logger.warn("postgres did not stop", { signal, afterMs: limitMs });
      }
      child.kill("SIGKILL");
      await over;
    }
    await this.#supervision;
    await rm(this.#server.sockets, { recursive: true, force: true });
  }

  async #supervise(first: Promise<unknown>): Promise<void> {
    const { signal } = this.#stopping;
    let ended = first;
    for (;;) {
      await ended;
      let pause = FIRST_RESTART_MS;
      for (let up = false; !up; pause = Math.min(pause * 2, LAST_RESTART_MS)) {
        if (signal.aborted) return;
        this.#logger.warn("postgres has ended and is started again", {
          log: this.#server.logFile,
          afterMs: pause,
        });
        await delay(pause, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        try {
          await endLeftover(this.#server.data);
          ({ ended } = await this.#server.launch(this.#adopt));
          up = true;
        } catch (error) {
          this.#logger.warn("postgres could not be started again", { reason: String(error) });
        }
      }
    }
  }

  readonly #adopt = ({ child, ended }: LaunchedPostgres): void => {
    this.#child = child;
    guard(child, ended);
    void ended.then(() => {
      if (this.#child === child) this.#child = null;
    });
  };
}
