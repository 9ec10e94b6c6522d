/** @module What other programs take of the machine: limits of time are for a quiet one. */
import { availableParallelism, loadavg } from "node:os";

/** How many times as long work may take now as on a quiet machine; at least 1. */
export function loadShare(): number {
  return Math.max(1, loadavg()[0]! / availableParallelism());
}

/** Milliseconds of processor time that this thread has used so far; work that waits for a core costs none. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
