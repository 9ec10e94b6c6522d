/** @module Keeps the node's actor id in the cluster's table: looks again and again, and writes only what changed. */
import type { Identity } from "../contract.ts";

export interface ReporterEnvironment {
  readonly nodeId: string;
  /** The agent's id, and whether it had to be written. Throws what the agent's client throws. */
  readonly report: () => Promise<{ readonly actorId: string; readonly wrote: boolean }>;
  /** ISO 8601. */
  readonly now: () => string;
  readonly retryMs: number;
  readonly recheckMs: number;
  readonly changed: (actorId: string) => void;
}

/** Reports from `start` to `stop`, one report at a time. */
export class Reporter {
  readonly #env: ReporterEnvironment;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<Identity> | null = null;
  #stopped = false;
  #paused = false;
  #again = false;
  #actorId: string | null = null;
  #reportedAt: string | null = null;
  #error: string | null = null;

  constructor(env: ReporterEnvironment) {
    this.#env = env;
  }

  start(firstMs: number): void {
    this.#after(firstMs);
  }

  /** Resolves when the report under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#running;
  }

  /** While the agent restarts nothing is reported by itself. */
  pause(): void {
    this.#paused = true;
  }

  /** The agent may be another one now; a report that began before may have met the old one. */
  resume(): void {
    this.#paused = false;
    this.#again = this.#running !== null;
    this.#after(0);
  }

  /** The agent answers now: whoever missed it need not wait for the next look. */
  agentRuns(): void {
    if (!this.#paused && (this.#actorId === null || this.#error !== null)) this.resume();
  }

  identity(): Identity {
    return {
      node_id: this.#env.nodeId,
      actor_id: this.#actorId,
      reported_at: this.#reportedAt,
      error: this.#error,
    };
  }

  /** Reports now, or joins who does. Never throws: what went wrong stands in the answer. */
  report(): Promise<Identity> {
    if (this.#stopped) return Promise.resolve(this.identity());
    if (this.#timer) clearTimeout(this.#timer);
    this.#running ??= this.#once().finally(() => {
      this.#running = null;
      const { recheckMs, retryMs } = this.#env;
      this.#after(this.#again ? 0 : this.#error === null ? recheckMs : retryMs);
      this.#again = false;
    });
    return this.#running;
  }

  async #once(): Promise<Identity> {
    const { changed, now, report } = this.#env;
    try {
      const { actorId, wrote } = await report();
      this.#actorId = actorId;
      this.#error = null;
      if (wrote) {
        this.#reportedAt = now();
        changed(actorId);
      }
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
    }
    return this.identity();
  }

  #after(ms: number): void {
    if (this.#stopped) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#paused) this.#after(this.#env.retryMs);
      else void this.report();
    }, ms);
  }
}
