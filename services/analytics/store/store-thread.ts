/** @module The node's end of its analytics file: operations run on a thread of their own, in the order of the calls. */
import { Worker } from "node:worker_threads";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { StoreOperations } from "./operations.ts";
import type { Answered, Asked, ThreadData } from "./thread.ts";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const THREAD = new URL("./thread.ts", import.meta.url);

/** A thread that ended is begun anew by the next call. */
export class StoreThread {
  readonly #data: ThreadData;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #asked = 0;
  #closed = false;

  constructor(data: ThreadData) {
    this.#data = data;
  }

  /** Throws `CorrosionError` (`store_unavailable`) with what went wrong. */
  async call<Name extends keyof StoreOperations>(
    operation: Name,
    ...args: Parameters<StoreOperations[Name]>
  ): Promise<ReturnType<StoreOperations[Name]>> {
    if (this.#closed) throw this.#unavailable("it is closed, for the node stops");
    const worker = this.#running();
    const id = ++this.#asked;
    const { promise, reject, resolve } = Promise.withResolvers<unknown>();
    if (this.#waiting.size === 0) worker.ref();
    this.#waiting.set(id, { resolve, reject });
    worker.postMessage({ id, operation, args } satisfies Asked);
    // The thread answers with what the operation returned.
    return (await promise) as ReturnType<StoreOperations[Name]>;
  }

  /** After the calls that were made before it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const worker = this.#worker;
    // A file that cannot be used has nothing to close.
    if (worker) await this.call("close").catch(() => undefined);
    this.#closed = true;
    await worker?.terminate();
  }

  #running(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(THREAD, { workerData: this.#data, name: "analytics" });
    worker.on("message", (answered: Answered) => this.#answered(answered));
    worker.on("error", (error) => this.#ended(worker, error.message));
    worker.on("exit", () => this.#ended(worker, "its thread ended"));
    // Only what is asked for keeps the process alive.
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #answered(answered: Answered): void {
    const waiting = this.#waiting.get(answered.id);
    this.#waiting.delete(answered.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (answered.kind === "done") waiting?.resolve(answered.value);
    else waiting?.reject(this.#unavailable(answered.problem));
  }

  #ended(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(this.#unavailable(reason));
  }

  #unavailable(reason: string): CorrosionError {
    const sentence = `The analytics file of node ${this.#data.nodeId} (${this.#data.path}) cannot be used: ${reason}.`;
    return new CorrosionError("store_unavailable", sentence);
  }
}
