/** @module The thread that owns a node's analytics file: one operation after the other, as they are asked for. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { openStore, type StoreOperations } from "./operations.ts";

/** What the thread is started with. */
export interface ThreadData {
  readonly path: string;
  readonly nodeId: string;
}

export interface Asked {
  readonly id: number;
  readonly operation: keyof StoreOperations;
  readonly args: readonly unknown[];
}

export type Answered = { readonly id: number } & (
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly problem: string }
);

const { nodeId, path } = workerData as ThreadData;
let store: StoreOperations | null = null;

(parentPort as MessagePort).on("message", ({ args, id, operation }: Asked) => {
  (parentPort as MessagePort).postMessage(answer(id, operation, args));
});

function answer(id: number, operation: keyof StoreOperations, args: readonly unknown[]): Answered {
  try {
    // A file that could not be opened may be there by the next time.
    store ??= openStore(path, nodeId);
    // `StoreThread.call` has checked the arguments against the operation.
    const run = store[operation] as (...given: readonly unknown[]) => unknown;
    return { id, kind: "done", value: run(...args) };
  } catch (error) {
    return { id, kind: "failed", problem: error instanceof Error ? error.message : String(error) };
  }
}
