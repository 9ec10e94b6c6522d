/** @module The processes that a test run started: each carries the run's mark in its environment. */
import { readdirSync, readFileSync } from "node:fs";

/** The environment variable that holds the mark. */
export const MARK = "FLEETPORT_TEST_RUN";

export interface MarkedProcess {
  readonly pid: number;
  readonly command: string;
}

/** A new mark; a run inside a run keeps the outer mark as its beginning, so that the outer run sees it too. */
export function newMark(): string {
  const outer = process.env[MARK];
  const own = crypto.randomUUID();
  return outer ? `${outer}/${own}` : own;
}

/** The live processes that carry `mark`. Only Linux can tell; elsewhere the list is empty. */
export function markedProcesses(mark: string): MarkedProcess[] {
  if (process.platform !== "linux") return [];
  const found: MarkedProcess[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = readProc(`${name}/environ`);
    const value = environment.find((variable) => variable.startsWith(`${MARK}=`))?.slice(MARK.length + 1);
    if (value !== mark && !value?.startsWith(`${mark}/`)) continue;
    found.push({ pid: Number(name), command: readProc(`${name}/cmdline`).join(" ").trim() });
  }
  return found;
}

/** Whether a process runs; one that has ended and was not yet waited for by its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  if (process.platform !== "linux") return true;
  const stat = readProc(`${pid}/stat`).join("");
  return stat !== "" && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}

/** A file of /proc that holds NUL-ended strings; nothing when the process has ended or is someone else's. */
function readProc(path: string): string[] {
  try {
    return readFileSync(`/proc/${path}`, "utf8").split("\0");
  } catch {
    return [];
  }
}
