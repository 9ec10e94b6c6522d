/** @module A Postgres that an earlier process of ours left behind: recognised by its folder and mark, then ended. */
import { readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { commandLine } from "../lib/process-identity.ts";

/** An argument of every Postgres that Fleetport starts. */
export const MARK = "cluster_name=fleetport";

const FAST_MS = 10_000;
const IMMEDIATE_MS = 5000;
const POLL_MS = 20;

/**
 * Makes sure that no postmaster runs on the folder `data`, whose use the caller has locked: ends one that Fleetport
 * started. Returns its pid, or null. Throws, and touches nothing, when somebody else's runs there.
 */
export async function endLeftover(data: string): Promise<number | null> {
  const pid = (await readPidFile(data))?.pid;
  if (pid === undefined) return null;
  const found = await whoIs(pid, data);
  if (found === "foreign") {
    throw new Error(
      `Postgres cannot start: process ${pid}, a Postgres that Fleetport did not start, uses ${data}: stop it first.`,
    );
  }
  if (found === "ours") {
    process.kill(pid, "SIGINT"); // fast shutdown
    if (!(await gone(pid, data, FAST_MS))) {
      process.kill(pid, "SIGQUIT"); // immediate shutdown; the next start recovers
      if (!(await gone(pid, data, IMMEDIATE_MS))) {
        throw new Error(
          `Postgres cannot start: process ${pid}, left over from an earlier start, uses ${data} and does not end: end it first.`,
        );
      }
    }
  }
  if (found === "nobody") await disown(data, pid);
  return found === "ours" ? pid : null;
}

/**
 * Another program may have got the number of a postmaster that is gone, and Postgres would take it for a live one.
 * The file itself must stay: by it, Postgres makes sure that no backend of that postmaster is left. Its own parent,
 * this process, is a number that it never takes for a postmaster.
 */
async function disown(data: string, pid: number): Promise<void> {
  const file = join(data, "postmaster.pid");
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return;
  }
  const [, ...rest] = (await readFile(file, "utf8")).split("\n");
  await writeFile(file, [process.pid, ...rest].join("\n"));
}

export interface PidFile {
  readonly pid: number;
  /** True when it accepts connections. */
  readonly ready: boolean;
}

/** What a postmaster of this folder has noted of itself; null when nothing. */
export async function readPidFile(data: string): Promise<PidFile | null> {
  let lines: string[];
  try {
    lines = (await readFile(join(data, "postmaster.pid"), "utf8")).split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const pid = Number(lines[0]);
  return Number.isSafeInteger(pid) && pid > 1 ? { pid, ready: lines[7]?.trim() === "ready" } : null;
}

async function gone(pid: number, data: string, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while ((await whoIs(pid, data)) === "ours") {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** Whether the process is a Postgres on this folder, and whose. A process that has ended is nobody. */
async function whoIs(pid: number, data: string): Promise<"ours" | "foreign" | "nobody"> {
  const command = commandLine(pid);
  if (command === null || !/(^|\/)postgres( |$)/.test(command)) return "nobody";
  const folder = await workingFolder(pid);
  // A postmaster works in its data folder; where that cannot be seen, its arguments tell.
  const here = folder === null ? command.includes(`-D ${data}`) : folder === data;
  if (!here) return "nobody";
  return command.includes(MARK) ? "ours" : "foreign";
}

async function workingFolder(pid: number): Promise<string | null> {
  try {
    return await readlink(`/proc/${pid}/cwd`);
  } catch {
    return null; // no /proc, or another user's process
  }
}
