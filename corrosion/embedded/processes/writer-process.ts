/** @module The writer's process: holds the store and does what the main process asks, one thing after another. */

import { SchemaRefused, StatementFailed, type Store, StoreUnusable } from "../store/contract.ts";
import { openStore } from "../store/store.ts";
import { sendToParent } from "./child-channel.ts";
import { endWithParent } from "./watchdog.ts";
import type { FailureKind, WriterCalls, WriterReport, WriterRequest } from "./writer-protocol.ts";

/** Answers leave at the latest after this, while a long batch goes on. */
const FLUSH_MS = 5;
/** Answers that wait together; commits of many changes are big. */
const FLUSH_REPORTS = 64;

const [parent = "", path = ""] = process.argv.slice(2);
endWithParent(Number(parent));

let reports: WriterReport[] = [];
let lastFlush = performance.now();

function report(what: WriterReport): void {
  reports.push(what);
  if (reports.length >= FLUSH_REPORTS || performance.now() - lastFlush > FLUSH_MS) flush();
}

function flush(): void {
  lastFlush = performance.now();
  if (reports.length === 0) return;
  const whole = reports;
  reports = [];
  sendToParent(whole);
}

function open(): Store | null {
  try {
    return openStore({ path });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const message =
      error instanceof StoreUnusable
        ? error.message
        : `The database ${path} cannot be opened: ${error.message}.`;
    report({ kind: "unusable", message });
    flush();
    return null;
  }
}

function callsOn(store: Store): WriterCalls {
  return {
    applySchema: (files) => {
      store.applySchema(files);
      return store.tables();
    },
    transact: (statements) => store.transact(statements),
    known: () => store.known(),
    held: (origin, version, maxBytes) => store.held(origin, version, maxBytes),
    receive: (chunks) => store.receive(chunks),
    receiveEmpty: (origin, versions) => store.receiveEmpty(origin, versions),
    noteHead: (origin, head) => store.noteHead(origin, head),
    writeMembers: (members) => store.writeMembers(members),
    close: () => store.close(),
  };
}

function answer(calls: WriterCalls, store: Store, { id, method, args, timed }: WriterRequest): void {
  try {
    if (timed && method === "transact") {
      const [statements] = args as Parameters<WriterCalls["transact"]>;
      const value = store.transact(statements, startedStatement);
      report({ kind: "answer", id, value });
      return;
    }
    const call = calls[method] as (...given: readonly unknown[]) => unknown;
    report({ kind: "answer", id, value: call(...args) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    report({ kind: "failed", id, failure: kindOf(error), message });
  }
}

/** Leaves at once: the main process measures each statement's time while this one is inside SQLite. */
function startedStatement(): void {
  report({ kind: "started" });
  flush();
}

function kindOf(error: unknown): FailureKind {
  if (error instanceof StatementFailed) return "StatementFailed";
  if (error instanceof SchemaRefused) return "SchemaRefused";
  return error instanceof StoreUnusable ? "StoreUnusable" : "Error";
}

const store = open();
if (store !== null) {
  const calls = callsOn(store);
  store.onCommitted((committed) => report({ kind: "committed", committed }));
  const { actorId } = store;
  const version = store.known().get(actorId)?.head ?? 0n;
  report({ kind: "ready", actorId, tables: store.tables(), version });
  flush();
  process.on("message", (batch: readonly WriterRequest[]) => {
    lastFlush = performance.now();
    for (const request of batch) answer(calls, store, request);
    flush();
  });
}
