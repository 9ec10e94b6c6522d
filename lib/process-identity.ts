/** @module Which process a number means: a pid with the time of its start, so that a recycled pid is never taken for ours. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** When the process started, in the system's own words; compared, never computed with. */
  readonly started: string;
}

/** The identity of a live process; null when there is none. One that ended and was not waited for is none. */
export function identify(pid: number): ProcessIdentity | null {
  const started = process.platform === "linux" ? startInProc(pid) : startByPs(pid);
  return started === null ? null : { pid, started };
}

export function isAlive({ pid, started }: ProcessIdentity): boolean {
  return identify(pid)?.started === started;
}

/**
 * Sends a signal to the process, and to no other one that got its number. Returns false when it has ended.
 * Throws with a sentence when the process may not be signalled.
 */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH") return false; // it has just ended
    if (code !== "EPERM") throw error;
    throw new Error(
      `Process ${identity.pid} belongs to another user and cannot be ended: run this as the user who started it.`,
      { cause: error },
    );
  }
}

/** The arguments of a live process, the program first, one space between them; null when there is none. */
export function commandLine(pid: number): string | null {
  try {
    // One that ended and was not waited for has none.
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim() || null;
  } catch {
    // No /proc, or no such process there.
  }
  try {
    const line = execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return line.trim() || null;
  } catch {
    return null;
  }
}

/** proc(5): ticks since the boot, and which boot that was. */
function startInProc(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null; // there is no such process
  }
  // After the name in parentheses, which may hold anything, come fields 3 and up.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, ticks] = [fields[0], fields[22 - 3]];
  if (state === "Z" || state === "X" || ticks === undefined) return null;
  return `${bootId()} ${ticks}`;
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return ""; // some sandboxes have none; the ticks then tell alone
  }
}

function startByPs(pid: number): string | null {
  let line: string;
  try {
    line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error(
        "The program ps is missing, and without it processes cannot be told apart: install it.",
      );
    }
    return null; // ps exits with 1 when there is no such process
  }
  const [, state, started] = /^(\S+)\s+(.+?)\s*$/.exec(line) ?? [];
  return state === undefined || started === undefined || state.startsWith("Z") ? null : started;
}
