/** @module The queue of acknowledgements: so many at a time, one for each key, none that waits holds up another one. */
import type { Timers } from "../../../lib/timers.ts";
import { type Answer, type Verdict, verdictOf } from "./delivery-plan.ts";

export interface Target {
  readonly key: string;
  /** As the message says it. */
  readonly endpoint: string;
}

/** What became of an attempt. */
export interface Attempted {
  readonly verdict: Verdict;
  /** False when the endpoint was not allowed. */
  readonly requested: boolean;
}

export interface DeliveriesEnv<T extends Target> {
  readonly concurrency: number;
  /** Deliveries that are not over, at most. */
  readonly max: number;
  readonly timers: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  readonly attempt: (target: T) => Promise<Answer>;
  readonly attempted: (target: T, outcome: Attempted) => void;
}

interface Job<T> {
  readonly target: T;
  /** Attempts at most. */
  readonly attempts: number;
  made: number;
  /** Calls off the wait for the next attempt; null when it is not waiting. */
  callOff: (() => void) | null;
}

/** The deliveries to one endpoint. */
interface Lane<T> {
  readonly ready: Job<T>[];
  sending: number;
  /** The last request had no answer: one at a time is enough until there is one, so that others have their turn. */
  silent: boolean;
  /** Jobs that are not over. */
  jobs: number;
}

export class Deliveries<T extends Target> {
  readonly #env: DeliveriesEnv<T>;
  readonly #jobs = new Map<string, Job<T>>();
  readonly #lanes = new Map<string, Lane<T>>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(env: DeliveriesEnv<T>) {
    this.#env = env;
  }

  get sending(): number {
    return this.#running.size;
  }

  /** Those that wait for their turn or their next attempt. */
  get queued(): number {
    return this.#jobs.size - this.#running.size;
  }

  /** Tries up to `attempts` times. Nothing happens when the key is under way already, or no more than `max` fit. */
  add(target: T, attempts: number): "added" | "under_way" | "full" {
    if (this.#jobs.has(target.key)) return "under_way";
    if (this.#stopped || this.#jobs.size >= this.#env.max) return "full";
    const job: Job<T> = { target, attempts, made: 0, callOff: null };
    this.#jobs.set(target.key, job);
    const lane = this.#lanes.get(target.endpoint) ?? { ready: [], sending: 0, silent: false, jobs: 0 };
    this.#lanes.set(target.endpoint, lane);
    lane.jobs += 1;
    lane.ready.push(job);
    this.#pump();
    return "added";
  }

  /** Starts no request any more. Resolves when those under way are over: the caller aborts them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { callOff } of this.#jobs.values()) callOff?.();
    await Promise.all(this.#running);
    this.#jobs.clear();
    this.#lanes.clear();
  }

  #pump(): void {
    while (!this.#stopped && this.#running.size < this.#env.concurrency) {
      const lane = this.#nextLane();
      const job = lane?.ready.shift();
      if (!lane || !job) return;
      lane.sending += 1;
      const run = this.#attempt(job, lane).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  /** The lane with the fewest requests under way: one slow originator takes the turns of no other. */
  #nextLane(): Lane<T> | null {
    let next: Lane<T> | null = null;
    for (const lane of this.#lanes.values()) {
      if (lane.ready.length === 0 || (lane.silent && lane.sending > 0)) continue;
      if (next === null || lane.sending < next.sending) next = lane;
    }
    return next;
  }

  async #attempt(job: Job<T>, lane: Lane<T>): Promise<void> {
    const { attempt, attempted, random } = this.#env;
    job.made += 1;
    const answer = await attempt(job.target);
    lane.sending -= 1;
    if (this.#stopped) return;
    lane.silent = answer.kind === "unanswered";
    const verdict = verdictOf(answer, job.made, job.attempts, random());
    if (verdict.kind === "retry") this.#retry(job, lane, verdict.waitMs);
    else this.#over(job, lane);
    attempted(job.target, { verdict, requested: answer.kind !== "not_allowed" });
  }

  #retry(job: Job<T>, lane: Lane<T>, waitMs: number): void {
    job.callOff = this.#env.timers.after(waitMs, () => {
      job.callOff = null;
      lane.ready.push(job);
      this.#pump();
    });
  }

  #over({ target }: Job<T>, lane: Lane<T>): void {
    this.#jobs.delete(target.key);
    lane.jobs -= 1;
    if (lane.jobs === 0) this.#lanes.delete(target.endpoint);
  }
}
