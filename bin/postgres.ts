/** @module The embedded Postgres: a real server as a child of this process, with its data below the data folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lockFolder } from "../services/raft/engine/sqlite-lock.ts";
import { endLeftover, MARK, readPidFile } from "./postgres-leftover.ts";
import {
  findPrograms,
  type PostgresPrograms,
  postgresEnvironment,
  type RunAs,
  runAs,
} from "./postgres-program.ts";

/** Database, and user, of the archive. */
const DATABASE = "postgres";
const USER = "fleetport";
/** Only part of the socket's file name: nothing listens on a network. */
const PORT = 5432;
/** Longest path of a Unix socket that all systems take. */
const MAX_SOCKET_PATH = 103;

/** Recovery after a crash replays the write-ahead log. */
const START_LIMIT_MS = 60_000;
const INITDB_LIMIT_MS = 60_000;
const POLL_MS = 10;
/** A fast shutdown that takes longer becomes an immediate one, and that one a kill. */
const FAST_MS = 1500;
const IMMEDIATE_MS = 400;
const ORPHANS_LIMIT_MS = 10_000;
const FIRST_RESTART_MS = 200;
const LAST_RESTART_MS = 5000;
const MAX_LOG_BYTES = 10_000_000;

/** Connections that it takes at most. */
export const MAX_CONNECTIONS = 200;

/** What differs from Postgres' own defaults. Durability is left as it is. */
const SETTINGS = [
  MARK,
  "listen_addresses=", // the socket below is the only way in
  `max_connections=${MAX_CONNECTIONS}`,
  "shared_buffers=64MB",
  "max_wal_size=512MB",
  "wal_level=minimal",
  "max_wal_senders=0",
  "max_parallel_workers_per_gather=0",
  "io_method=sync",
  "jit=off",
  "timezone=UTC",
  "log_timezone=UTC",
];

export interface EmbeddedPostgresOptions {
  /** Everything is kept in `<dataDir>/postgres`. */
  readonly dataDir: string;
  readonly logger?: PostgresLogger;
}

export interface PostgresLogger {
  info(message: string, fields: object): void;
  warn(message: string, fields: object): void;
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
    const server = await Server.prepare(await realpath(home), options.logger ?? SILENT);
    await server.start();
    return {
      url: server.url,
      stop: async () => {
        await server.stop();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

const SILENT: PostgresLogger = { info: () => undefined, warn: () => undefined };

class Server {
  readonly #programs: PostgresPrograms;
  readonly #as: RunAs;
  readonly #home: string;
  readonly #sockets: string;
  readonly #logger: PostgresLogger;
  readonly #stopping = new AbortController();
  #child: ChildProcess | null = null;
  #supervision: Promise<void> = Promise.resolve();

  private constructor(
    programs: PostgresPrograms,
    as: RunAs,
    home: string,
    sockets: string,
    logger: PostgresLogger,
  ) {
    this.#programs = programs;
    this.#as = as;
    this.#home = home;
    this.#sockets = sockets;
    this.#logger = logger;
  }

  /** Makes the folders, ends what an earlier process left, and makes the database when there is none. */
  static async prepare(home: string, logger: PostgresLogger): Promise<Server> {
    const data = join(home, "data");
    const programs = await findPrograms();
    const as = await runAs(programs, home, data);
    const leftover = await endLeftover(data);
    if (leftover !== null) logger.warn("ended the Postgres that an earlier start left", { pid: leftover });
    await boundLog(join(home, "postgres.log"));
    const sockets = await socketFolder(home, as);
    const server = new Server(programs, as, home, sockets, logger);
    if (!(await exists(join(data, "PG_VERSION")))) await server.#initialise(data);
    return server;
  }

  get url(): string {
    return `postgresql://${USER}@/${DATABASE}?host=${encodeURIComponent(this.#sockets)}&port=${PORT}&sslmode=disable`;
  }

  get #data(): string {
    return join(this.#home, "data");
  }

  get #logFile(): string {
    return join(this.#home, "postgres.log");
  }

  /** The new folder gets its name when it is complete, so that a start that was cut off leaves nothing half made. */
  async #initialise(data: string): Promise<void> {
    const began = performance.now();
    const fresh = join(this.#home, "data.new");
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    await this.#as.own(fresh);
    const args = [
      "-D",
      fresh,
      "-U",
      USER,
      "--auth-local=trust",
      "--auth-host=reject",
      "--encoding=UTF8",
      "--locale=C",
      "--no-instructions",
    ];
    const child = this.#spawn(this.#programs.initdb, args);
    const timer = setTimeout(() => child.kill("SIGKILL"), INITDB_LIMIT_MS);
    const ended = exitOf(child);
    guard(child, ended);
    const code = await ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`Postgres cannot make its data folder: ${await this.#lastWords()}`);
    await rename(fresh, data);
    this.#logger.info("postgres data folder made", { data, ms: Math.round(performance.now() - began) });
  }

  /** Starts the server, waits until it accepts connections, and keeps it running from then on. */
  async start(): Promise<void> {
    const deadline = performance.now() + ORPHANS_LIMIT_MS;
    for (;;) {
      try {
        const { ended } = await this.#launch();
        this.#supervision = this.#supervise(ended);
        return;
      } catch (error) {
        // The backends of a postmaster that was killed go by themselves, and Postgres rightly waits for them.
        const orphans = error instanceof Error && error.message.includes("is still in use");
        if (!orphans || performance.now() > deadline) throw error;
        await delay(FIRST_RESTART_MS);
      }
    }
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
    await rm(this.#sockets, { recursive: true, force: true });
  }

  async #supervise(first: Promise<unknown>): Promise<void> {
    const { signal } = this.#stopping;
    let ended = first;
    for (;;) {
      await ended;
      let pause = FIRST_RESTART_MS;
      for (let up = false; !up; pause = Math.min(pause * 2, LAST_RESTART_MS)) {
        if (signal.aborted) return;
        this.#logger.warn("postgres has ended and is started again", { log: this.#logFile, afterMs: pause });
        await delay(pause, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        try {
          await endLeftover(this.#data);
          ({ ended } = await this.#launch());
          up = true;
        } catch (error) {
          this.#logger.warn("postgres could not be started again", { reason: String(error) });
        }
      }
    }
  }

  /** Resolves, once the server accepts connections, with a promise of its end. */
  async #launch(): Promise<{ ended: Promise<unknown> }> {
    const began = performance.now();
    const args = ["-D", this.#data, "-p", String(PORT), "-k", this.#sockets];
    const child = this.#spawn(this.#programs.postgres, [...args, ...SETTINGS.flatMap((s) => ["-c", s])]);
    this.#child = child;
    const ended = exitOf(child).finally(() => {
      if (this.#child === child) this.#child = null;
    });
    guard(child, ended);
    for (;;) {
      const file = await readPidFile(this.#data);
      if (file?.ready && file.pid === child.pid) break;
      if (await within(ended, POLL_MS)) {
        throw new Error(`Postgres cannot start: ${await this.#lastWords()}`);
      }
      if (performance.now() - began > START_LIMIT_MS) {
        child.kill("SIGQUIT");
        throw new Error(
          `Postgres does not accept connections after ${START_LIMIT_MS / 1000} s; its log is ${this.#logFile}.`,
        );
      }
    }
    this.#logger.info("postgres started", { pid: child.pid, ms: Math.round(performance.now() - began) });
    return { ended };
  }

  /** In a session of its own: Ctrl-C in a terminal must not end it before what still writes to it. */
  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(this.#logFile, "a");
    try {
      return this.#as.spawn(program, args, {
        cwd: "/",
        env: postgresEnvironment(),
        detached: true,
        stdio: ["ignore", log, log],
      });
    } finally {
      closeSync(log);
    }
  }

  /** The last complaint in the log. */
  async #lastWords(): Promise<string> {
    const lines = (await readFile(this.#logFile, "utf8")).split("\n").filter((line) => line.trim() !== "");
    const words = lines.findLast((line) => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1);
    return `${words ?? "it gave no reason"} (its log is ${this.#logFile})`;
  }
}

/** A folder for the socket that only Postgres' user and root can enter; empty. */
async function socketFolder(home: string, as: RunAs): Promise<string> {
  let folder = join(home, "socket");
  if (Buffer.byteLength(join(folder, `.s.PGSQL.${PORT}`)) > MAX_SOCKET_PATH) {
    folder = await mkdtemp(join(tmpdir(), "fleetport-pg-"));
  } else {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
  }
  await as.own(folder);
  return folder;
}

/**
 * A process that blocks on a pipe which only this one holds: however this process ends, the child, the server or
 * initdb, shuts down after it.
 */
function guard(child: ChildProcess, ended: Promise<unknown>): void {
  if (child.pid === undefined) return;
  const watch = spawn("sh", ["-c", 'read _; kill -INT "$0"', String(child.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watch.on("error", () => undefined); // without it, the next start ends what is left
  watch.stdin.on("error", () => undefined);
  watch.unref();
  void ended.then(() => watch.kill("SIGKILL"));
}

/** Resolves when the process has ended, with its exit code; null when a signal ended it or it never ran. */
function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("exit", (code) => resolve(code));
  child.once("error", () => resolve(null));
  return promise;
}

/** Whether the promise settles within this time. */
async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const timeout = new AbortController();
  const late = delay(limitMs, false, { signal: timeout.signal }).catch(() => false);
  const settled = await Promise.race([work.then(() => true), late]);
  timeout.abort();
  return settled;
}

/** The log of all starts together stays small. */
async function boundLog(file: string): Promise<void> {
  if ((await exists(file)) && (await stat(file)).size > MAX_LOG_BYTES) await rm(file);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
