/**
 * @module The main process's side of the writer: everything that changes the database goes through it, in order.
 * A statement that runs out of time ends the process; what had not begun goes to the next one.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../log.ts";
import type { ActorId, Committed, Replication } from "../replication.ts";
import {
  type ReplicatedTable,
  SchemaRefused,
  StatementFailed,
  type StoredMember,
  StoreUnusable,
  type TransactionResult,
} from "../store/contract.ts";
import type { Statement } from "../values.ts";
import { startChild } from "./child.ts";
import type { FailureKind, WriterCalls, WriterMethod, WriterReport } from "./writer-protocol.ts";
import { WriterRequests, WriterStopped } from "./writer-requests.ts";

const PROGRAM = new URL("./writer-process.ts", import.meta.url);
const RESTART_DELAY_MS = 500;

export interface WriterOptions {
  readonly path: string;
  readonly log: Log;
  /** Told after each commit, in order; must not throw. */
  readonly onCommitted: (committed: Committed) => void;
  /** A new process took over; commits of the old one were not told, or may not have been. */
  readonly onCommitsLost: () => void;
}

type Phase = "starting" | "serving" | "stopping" | "stopped";

export class Writer {
  readonly #options: WriterOptions;
  readonly #requests: WriterRequests;
  #child: ChildProcess | null = null;
  /** One that was killed and may still answer: it is sent nothing more. */
  #killed: ChildProcess | null = null;
  #phase: Phase = "starting";
  #pumping = false;
  #actorId: ActorId | null = null;
  #tables: readonly ReplicatedTable[] = [];
  /** The highest own version that was told. */
  #version = 0n;
  /** Whether the process that ended may have committed what it did not tell. */
  #lost = false;

  private constructor(options: WriterOptions) {
    this.#options = options;
    this.#requests = new WriterRequests(() => this.#interrupt());
  }

  /** Starts the process. Throws `StoreUnusable`. */
  static async start(options: WriterOptions): Promise<Writer> {
    const writer = new Writer(options);
    await writer.#open();
    writer.#lost = false;
    return writer;
  }

  get actorId(): ActorId {
    if (this.#actorId === null) throw new Error("The writer has not started.");
    return this.#actorId;
  }

  /** The schema's tables, as of the last change of the schema. */
  get tables(): readonly ReplicatedTable[] {
    return this.#tables;
  }

  /** Requests that are waiting or under way. */
  get queued(): number {
    return this.#requests.count;
  }

  /**
   * Throws `StatementFailed` (`interrupted` when one statement or the commit took longer than `limitMs`),
   * `WriterLost` and `WriterStopped`.
   */
  transact(statements: readonly Statement[], limitMs: number | null): Promise<TransactionResult> {
    return this.#call("transact", [statements], limitMs);
  }

  /** Throws `SchemaRefused`, `WriterLost` and `WriterStopped`. */
  async applySchema(files: readonly string[]): Promise<void> {
    this.#tables = await this.#call("applySchema", [files]);
  }

  /** Throws `WriterLost` and `WriterStopped`. */
  writeMembers(members: readonly StoredMember[]): Promise<void> {
    return this.#call("writeMembers", [members]);
  }

  /** The port of gossip. All of it throws `WriterLost` and `WriterStopped`. */
  readonly replication: Replication = {
    known: () => this.#call("known", []),
    held: (...args) => this.#call("held", args),
    receive: (...args) => this.#call("receive", args),
    receiveEmpty: (...args) => this.#call("receiveEmpty", args),
    noteHead: (...args) => this.#call("noteHead", args),
  };

  /** Finishes what is under way, checkpoints and closes; after `limitMs` the process is ended. */
  async stop(limitMs: number): Promise<void> {
    if (this.#phase === "stopped") return;
    const child = this.#child;
    const serving = this.#phase === "serving" && child !== null;
    this.#requests.stop();
    const closed = serving ? this.#call("close", []).catch(() => {}) : Promise.resolve();
    this.#phase = "stopping";
    if (child === null) return;
    const limit = new AbortController();
    await Promise.race([closed, delay(limitMs, undefined, { signal: limit.signal }).catch(() => {})]);
    limit.abort();
    this.#phase = "stopped";
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  #call<M extends WriterMethod>(
    method: M,
    args: Parameters<WriterCalls[M]>,
    limitMs: number | null = null,
  ): Promise<ReturnType<WriterCalls[M]>> {
    if (this.#phase === "stopping" || this.#phase === "stopped") return Promise.reject(new WriterStopped());
    const answer = this.#requests.add(method, args, limitMs);
    this.#schedule();
    return answer;
  }

  /** Requests of one turn of the event loop travel together. */
  #schedule(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const child = this.#child;
    if (
      child === null ||
      child === this.#killed ||
      !(this.#phase === "serving" || this.#phase === "stopping")
    )
      return;
    const batch = this.#requests.next();
    if (batch.length > 0) child.send(batch, (error) => error !== null && child.kill("SIGKILL"));
  }

  async #open(): Promise<void> {
    const child = startChild(PROGRAM, [this.#options.path]);
    this.#child = child;
    try {
      await this.#ready(child);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    // Stopped meanwhile: whoever stopped it ends the process.
    if (this.#phase !== "starting") return;
    this.#phase = "serving";
    this.#schedule();
  }

  /** Throws `StoreUnusable`. */
  async #ready(child: ChildProcess): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      child.on("message", (reports: readonly WriterReport[]) => {
        for (const report of reports) {
          if (report.kind === "unusable") reject(new StoreUnusable(report.message));
          else if (report.kind === "ready") {
            this.#actorId = report.actorId;
            this.#tables = report.tables;
            const untold = report.version !== this.#version;
            this.#lost ||= untold;
            this.#requests.decide(untold);
            this.#version = report.version;
            resolve();
          } else this.#take(report);
        }
        this.#pump();
      });
      child.once("error", reject);
      void ended(child).then((how) => {
        reject(new StoreUnusable(`The writing process ended before it was ready (${how}).`));
        this.#ended(child, how);
      });
    });
  }

  #take(report: WriterReport): void {
    switch (report.kind) {
      case "committed":
        if (report.committed.local) {
          this.#version = report.committed.version;
          this.#requests.committed();
        }
        this.#options.onCommitted(report.committed);
        return;
      case "started":
        this.#requests.restartTimer();
        return;
      case "answer":
        this.#requests.answered(report.id, report.value);
        return;
      case "failed":
        this.#requests.failed(report.id, failure(report.failure, report.message));
    }
  }

  /** A statement took too long, and SQLite can be stopped from outside its thread only with its process. */
  #interrupt(): void {
    this.#options.log.warn("a transaction ran out of time, the writing process is replaced");
    // What waits goes to the next process, even if this one has answered meanwhile.
    this.#killed = this.#child;
    this.#child?.kill("SIGKILL");
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    const { changes, count } = this.#requests.lose();
    this.#lost ||= changes;
    if (this.#phase !== "serving") {
      this.#requests.stop();
      return;
    }
    this.#phase = "starting";
    this.#options.log.warn("the writing process has ended, a new one starts", { how, lost: count });
    void this.#reopen();
  }

  async #reopen(): Promise<void> {
    while (this.#phase === "starting") {
      try {
        await this.#open();
        if (this.#lost) this.#options.onCommitsLost();
        this.#lost = false;
      } catch (error) {
        this.#options.log.error("the writing process cannot start, it is tried again", {
          reason: (error as Error).message,
        });
        await delay(RESTART_DELAY_MS);
      }
    }
  }
}

/** Resolves with how a process ended, once it is gone and everything that it had sent was read. */
async function ended(child: ChildProcess): Promise<string> {
  const [[code, signal]] = await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  return String(signal ?? `code ${code}`);
}

function failure(kind: FailureKind, message: string): Error {
  switch (kind) {
    case "StatementFailed":
      return new StatementFailed(message);
    case "SchemaRefused":
      return new SchemaRefused(message);
    case "StoreUnusable":
      return new StoreUnusable(message);
    case "Error":
      return new Error(message);
  }
}
