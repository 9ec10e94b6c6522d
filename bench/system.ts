/** @module What the operating system says of a process (Linux), and programs that end with this one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** CPU time of a process so far, in seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A process and the processes that it started itself, as of now. */
export async function withChildren(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return [pid, ...children.split(" ").filter(Boolean).map(Number)];
}

/** Resident memory of a process, in MiB. */
export function residentMiB(pid: number): Promise<number> {
  return statusMiB(pid, "VmRSS");
}

/** Resident memory that is the process's own, in MiB: without files, whose pages processes of one program share. */
export function ownMiB(pid: number): Promise<number> {
  return statusMiB(pid, "RssAnon");
}

async function statusMiB(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
}

/** Where a program is in the first folders or on PATH; null when it is not installed. */
export async function programPath(name: string, first: readonly string[] = []): Promise<string | null> {
  const onPath = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const folder of [...first, ...onPath]) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return null;
}

export interface Server {
  readonly pid: number;
  readonly running: boolean;
  /** The end of what it printed. */
  readonly output: string;
  /** Ends it and all that it started (SIGKILL). */
  stop(): Promise<void>;
}

const OUTPUT_CHARS = 4000;

/** Starts a server in a process group of its own; however this process ends, the group does not outlive it. */
export function startServer(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Server {
  const child = spawn(program, args, {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS);
    });
  }
  let running = true;
  child.on("error", (error) => {
    running = false;
    output += error.message;
  });
  const exited = once(child, "exit").catch(() => []);
  const guard = guardOf(child);
  void exited.then(() => {
    running = false;
    guard?.kill("SIGKILL");
  });
  return {
    pid: child.pid ?? 0,
    get running() {
      return running;
    },
    get output() {
      return output;
    },
    stop: async () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: the whole group has ended
      }
      await exited;
    },
  };
}

/** Blocks on a pipe that only this process holds. */
function guardOf(child: ChildProcess): ChildProcess | null {
  if (child.pid === undefined) return null;
  const guard = spawn("sh", ["-c", 'read _; kill -9 "-$0"', String(child.pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.stdin.on("error", () => {}); // it was ended
  return guard;
}
