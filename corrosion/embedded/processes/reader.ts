/** @module One reading process, seen from the main process. */
import type { ChildProcess } from "node:child_process";
import type { Statement } from "../values.ts";
import { startChild } from "./child.ts";
import { Job } from "./job.ts";
import type { ReaderMode, ReaderReport, ReaderRequest } from "./reader-protocol.ts";

const PROGRAM = new URL("./reader-process.ts", import.meta.url);
/** A cancelled reader that is inside SQLite for longer is ended. */
const CANCEL_MS = 100;

/** What the pool is told. */
export interface ReaderEvents {
  readonly onReady: () => void;
  /** The process is gone; `trouble` says why, for the client of a query. */
  readonly onLost: (trouble: string, wasReady: boolean) => void;
}

export type ReaderState = "starting" | "free" | "busy" | "gone";

export class Reader {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  #job: Job | null = null;
  #state: ReaderState = "starting";
  #timer: NodeJS.Timeout | null = null;
  #trouble = "the reading process ended";

  constructor(path: string, { onReady, onLost }: ReaderEvents) {
    const child = startChild(PROGRAM, [path]);
    this.#child = child;
    child.on("message", (report: ReaderReport) => {
      if (report.kind === "unusable") this.#trouble = report.message;
      if (report.kind === "ready" && this.#state === "starting") {
        this.#state = "free";
        onReady();
      } else this.#job?.take(report);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    const lost = () => {
      this.#forgetTimer();
      const wasReady = this.#state !== "starting";
      this.#state = "gone";
      onLost(this.#trouble, wasReady);
      this.#job?.lost(this.#trouble);
      resolve();
    };
    child.once("exit", lost);
    child.once("error", (error) => {
      this.#trouble = `a reading process cannot be started: ${error.message}`;
      if (child.pid === undefined) lost();
    });
  }

  get state(): ReaderState {
    return this.#state;
  }

  /** It is free, and now it is not. */
  take(): void {
    this.#state = "busy";
    this.#forgetTimer();
  }

  free(): void {
    if (this.#state === "busy") this.#state = "free";
    this.#job = null;
  }

  start(mode: ReaderMode, statement: Statement, signal: AbortSignal): Job {
    const job = new Job(
      () => this.#send({ kind: "credit" }),
      () => this.#cancel(),
      signal,
    );
    this.#job = job;
    if (this.#state === "gone") job.lost(this.#trouble);
    else this.#send({ kind: "run", mode, statement });
    return job;
  }

  whenIdle(ms: number, then: () => void): void {
    this.#forgetTimer();
    this.#timer = setTimeout(then, ms).unref();
  }

  async end(): Promise<void> {
    if (this.#state !== "starting") this.#state = "gone";
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  #cancel(): void {
    this.#send({ kind: "cancel" });
    const timer = setTimeout(() => {
      // Its report that the job is over may be on its way: it is nobody's any more.
      this.#state = "gone";
      this.#child.kill("SIGKILL");
    }, CANCEL_MS);
    void this.#job?.over.then(() => clearTimeout(timer));
  }

  #send(request: ReaderRequest): void {
    if (this.#child.connected) this.#child.send(request, () => {});
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
