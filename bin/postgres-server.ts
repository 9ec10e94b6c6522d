/** @module One Postgres server on a folder: its data, its settings, its start, and the signals that end it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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
const ORPHANS_LIMIT_MS = 10_000;
const ORPHANS_RETRY_MS = 200;
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

export interface PostgresLogger {
  info(message: string, fields: object): void;
  warn(message: string, fields: object): void;
}

export interface PostgresServerOptions {
  /** Existing folder, as a real path, that the caller has locked; all but the log is kept in it. */
  readonly home: string;
  readonly logFile: string;
  readonly logger: PostgresLogger;
}

/** A server process that was started. */
export interface LaunchedPostgres {
  readonly child: ChildProcess;
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>;
}

export class PostgresServer {
  /** Folder of its Unix socket. */
  readonly sockets: string;
  readonly logFile: string;
  readonly #programs: PostgresPrograms;
  readonly #as: RunAs;
  readonly #home: string;
  readonly #logger: PostgresLogger;

  private constructor(
    programs: PostgresPrograms,
    as: RunAs,
    sockets: string,
    { home, logFile, logger }: PostgresServerOptions,
  ) {
    this.#programs = programs;
    this.#as = as;
    this.#home = home;
    this.sockets = sockets;
    this.logFile = logFile;
    this.#logger = logger;
  }

  /**
   * Makes the folders, ends what an earlier process left, and makes the database when there is none. Throws an error
   * of one sentence when it cannot.
   */
  static async prepare(options: PostgresServerOptions): Promise<PostgresServer> {
    const { home, logger } = options;
    const data = join(home, "data");
    const programs = await findPrograms();
    const as = await runAs(programs, home, data);
    const leftover = await endLeftover(data);
    if (leftover !== null) logger.warn("ended the Postgres that an earlier start left", { pid: leftover });
    await boundLog(options.logFile);
    const server = new PostgresServer(programs, as, await socketFolder(home, as), options);
    if (!(await exists(join(data, "PG_VERSION")))) await server.#initialise(data);
    return server;
  }

  /** Connection string, for `pg` and `psql`. */
  get url(): string {
    return `postgresql://${USER}@/${DATABASE}?host=${encodeURIComponent(this.sockets)}&port=${PORT}&sslmode=disable`;
  }

  get data(): string {
    return join(this.#home, "data");
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

  /**
   * Starts the server and waits until it accepts connections. `spawned` is called before that, as soon as there is a
   * process. Throws an error of one sentence with the last complaint of the log.
   */
  async start(spawned: (launched: LaunchedPostgres) => void): Promise<LaunchedPostgres> {
    const deadline = performance.now() + ORPHANS_LIMIT_MS;
    for (;;) {
      try {
        return await this.launch(spawned);
      } catch (error) {
        // The backends of a postmaster that was killed go by themselves, and Postgres rightly waits for them.
        const orphans = error instanceof Error && error.message.includes("is still in use");
        if (!orphans || performance.now() > deadline) throw error;
        await delay(ORPHANS_RETRY_MS);
      }
    }
  }

  /** As `start`, without waiting for what a crash may have left. */
  async launch(spawned: (launched: LaunchedPostgres) => void): Promise<LaunchedPostgres> {
    const began = performance.now();
    const args = ["-D", this.data, "-p", String(PORT), "-k", this.sockets];
    const child = this.#spawn(this.#programs.postgres, [...args, ...SETTINGS.flatMap((s) => ["-c", s])]);
    const launched = { child, ended: exitOf(child) };
    spawned(launched);
    for (;;) {
      const file = await readPidFile(this.data);
      if (file?.ready && file.pid === child.pid) break;
      if (await within(launched.ended, POLL_MS)) {
        throw new Error(`Postgres cannot start: ${await this.#lastWords()}`);
      }
      if (performance.now() - began > START_LIMIT_MS) {
        child.kill("SIGQUIT");
        throw new Error(
          `Postgres does not accept connections after ${START_LIMIT_MS / 1000} s; its log is ${this.logFile}.`,
        );
      }
    }
    this.#logger.info("postgres started", { pid: child.pid, ms: Math.round(performance.now() - began) });
    return launched;
  }

  /** In a session of its own: Ctrl-C in a terminal must not end it before what still writes to it. */
  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(this.logFile, "a");
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
    const lines = (await readFile(this.logFile, "utf8")).split("\n").filter((line) => line.trim() !== "");
    const words = lines.findLast((line) => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1);
    return `${words ?? "it gave no reason"} (its log is ${this.logFile})`;
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
export function guard(child: ChildProcess, ended: Promise<unknown>): void {
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
export function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("exit", (code) => resolve(code));
  child.once("error", () => resolve(null));
  return promise;
}

/** Whether the promise settles within this time. */
export async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
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
