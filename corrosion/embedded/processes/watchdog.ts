/**
 * @module A child process ends when its parent is gone, even while its own thread is inside a long statement: a second
 * thread looks.
 */
import { Worker } from "node:worker_threads";

const INTERVAL_MS = 250;

/** Starts looking. `parent` is the pid that this process's parent has while it lives. */
export function endWithParent(parent: number): void {
  process.once("disconnect", () => process.exit(0));
  if (process.ppid !== parent) process.exit(0);
  // As text: a thread that loads a file of TypeScript takes twice the memory and time.
  const worker = new Worker(`(${watch})(${parent}, ${INTERVAL_MS})`, { eval: true, stdin: false });
  worker.unref();
}

/** Runs in the second thread, so it knows nothing of this module. */
function watch(parent: number, intervalMs: number): void {
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, intervalMs);
}
