/** @module Stops a process's clock, and returns when it really stands still. */
import { readdirSync, readFileSync } from "node:fs";
import { until } from "./until.ts";

/** Sends SIGSTOP and waits until every thread has stopped: a busy one goes on for a moment. */
export async function suspend(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  if (process.platform === "linux")
    await until(`process ${pid} stands still`, () => threadsOf(pid).every(isStopped));
}

/** The stat files of the threads; one that has just ended is left out. */
function threadsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    } catch {
      return [];
    }
  });
}

/** The state stands behind the command, which may hold anything but ends with the last bracket. */
function isStopped(stat: string): boolean {
  return /^[TtZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}
