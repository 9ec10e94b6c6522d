/** @module One reading process, seen from the main process. */
import type { ChildProcess } from "node:child_process";
import type { Statement } from "../values.ts";
import { startChild } from "./child.ts";
import { Job } from "./job.ts";
import type { ReaderMode, ReaderReport, ReaderRequest } from "./reader-protocol.ts";

const PROGRAM = new URL("./reader-process.ts", import.meta.url);
/** A cancelled reader that is inside SQLite for longer is ended. */
const CANCEL_MS = 100;

export class Reader {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  #job: Job | null = null;
  #busy = false;
  #timer: NodeJS.Timeout | null = null;
  #trouble = "the reading process ended";

  constructor(path: string, onLost: () => void) {
    const child = startChild(PROGRAM, [path]);
    this.#child = child;
    child.on("message", (report: ReaderReport) => {
      if (report.kind === "unusable") this.#trouble = report.message;
      this.#job?.take(report);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    const lost = () => {
      this.#forgetTimer();
      onLost();
      this.#job?.lost(this.#trouble);
      resolve();
    };
    child.once("exit", lost);
    child.once("error", (error) => {
      this.#trouble = `a reading process cannot be started: ${error.message}`;
      if (child.pid === undefined) lost();
    });
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Whether it was free; now it is not. */
  take(): boolean {
    if (this.#busy) return false;
    this.#busy = true;
    this.#forgetTimer();
    return true;
  }

  free(): void {
    this.#busy = false;
    this.#job = null;
  }

  start(mode: ReaderMode, statement: Statement, signal: AbortSignal): Job {
    const job = new Job(
      () => this.#send({ kind: "credit" }),
      () => this.#cancel(),
      signal,
    );
    this.#job = job;
    this.#send({ kind: "run", mode, statement });
    return job;
  }

  whenIdle(ms: number, then: () => void): void {
    this.#forgetTimer();
    this.#timer = setTimeout(then, ms).unref();
  }

  async end(): Promise<void> {
    this.#busy = true;
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  #cancel(): void {
    this.#send({ kind: "cancel" });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CANCEL_MS);
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
