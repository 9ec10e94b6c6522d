/**
 * @module A child process ends when its parent is gone, even while its own thread is inside a long statement: a second
 * thread looks.
 */
import { isMainThread, Worker, workerData } from "node:worker_threads";

const INTERVAL_MS = 250;

/** Starts looking. `parent` is the pid that this process's parent has while it lives. */
export function endWithParent(parent: number): void {
  process.once("disconnect", () => process.exit(0));
  if (process.ppid !== parent) process.exit(0);
  const worker = new Worker(new URL(import.meta.url), { workerData: { parent }, stdin: false });
  worker.unref();
}

if (!isMainThread && isWatch(workerData)) {
  const { parent } = workerData;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, INTERVAL_MS);
}

function isWatch(data: unknown): data is { readonly parent: number } {
  return typeof data === "object" && data !== null && "parent" in data && typeof data.parent === "number";
}
