/**
 * @module The writer's requests in their order: which of them the process gets next, and how long a timed one may take.
 */
import { OUTCOME_UNKNOWN } from "../../../lib/corrosion/client/errors.ts";
import { StatementFailed } from "../store/contract.ts";
import type { WriterCalls, WriterMethod, WriterRequest } from "./writer-protocol.ts";

/** Requests under way: more would only wait in the channel. */
const WINDOW = 512;

/** What commits changes that others are told of. */
const CHANGING: ReadonlySet<WriterMethod> = new Set(["transact", "receive", "receiveEmpty"]);

/** The writer's process ended while it had the request; whether it took effect is not known. */
export class WriterLost extends Error {
  override name = "WriterLost";
}

/** The agent stops: the request was not begun. */
export class WriterStopped extends Error {
  override name = "WriterStopped";

  constructor() {
    super("The agent is stopping.");
  }
}

interface Call {
  readonly method: WriterMethod;
  readonly args: readonly unknown[];
  /** Milliseconds for each statement and the commit; null: none. */
  readonly limitMs: number | null;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class WriterRequests {
  readonly #onOverdue: () => void;
  readonly #waiting: Call[] = [];
  readonly #underWay = new Map<number, Call>();
  #nextId = 0;
  #timer: NodeJS.Timeout | null = null;
  #timed: Call | null = null;
  /** The one whose process was ended; it may still turn out to have been answered. */
  #interrupted: Call | null = null;
  /** The interrupted one whose process is gone: whether it was committed, the next process knows. */
  #undecided: Call | null = null;
  /** Whether a commit was told since the timed request was sent: it is alone, so that commit is its own. */
  #timedKept = false;

  /** `onOverdue`: the timed request has taken too long, and only the end of its process ends it. */
  constructor(onOverdue: () => void) {
    this.#onOverdue = onOverdue;
  }

  /** Those that are waiting or under way. */
  get count(): number {
    return this.#waiting.length + this.#underWay.size;
  }

  /** Puts a request behind those that wait. Throws what it fails with, `WriterLost` when its process ended. */
  add<M extends WriterMethod>(
    method: M,
    args: Parameters<WriterCalls[M]>,
    limitMs: number | null,
  ): Promise<ReturnType<WriterCalls[M]>> {
    return new Promise((resolve, reject) => {
      // The answer's type is the method's: both ends share `WriterCalls`.
      const answered = (value: unknown) => resolve(value as ReturnType<WriterCalls[M]>);
      this.#waiting.push({ method, args, limitMs, resolve: answered, reject });
    });
  }

  /** The agent stops: fails those that have not begun, and what only another process could tell. */
  stop(): void {
    for (const call of this.#waiting.splice(0)) call.reject(new WriterStopped());
    this.decide(true);
  }

  /** The next process has opened the database, which holds an own commit that was never told, or does not. */
  decide(untold: boolean): void {
    const kept = untold || this.#timedKept;
    this.#undecided?.reject(kept ? lost() : new StatementFailed("interrupted"));
    this.#undecided = null;
  }

  /** A commit of this agent was told. */
  committed(): void {
    this.#timedKept = true;
  }

  /** What the process is to be sent now: from here on it is under way. */
  next(): readonly WriterRequest[] {
    const batch: WriterRequest[] = [];
    while (this.#timed === null && this.#underWay.size < WINDOW) {
      const call = this.#waiting[0];
      if (call === undefined) break;
      // A request that may have to be ended by force is alone: nothing else is lost with it.
      if (call.limitMs !== null && this.#underWay.size > 0) break;
      this.#waiting.shift();
      const id = this.#nextId++;
      this.#underWay.set(id, call);
      batch.push({ id, method: call.method, args: call.args, timed: call.limitMs !== null });
      if (call.limitMs === null) continue;
      this.#timed = call;
      this.#timedKept = false;
      this.restartTimer();
    }
    return batch;
  }

  answered(id: number, value: unknown): void {
    this.#finish(id)?.resolve(value);
  }

  failed(id: number, error: Error): void {
    this.#finish(id)?.reject(error);
  }

  /** A statement of the timed request, or its commit, has begun: its time counts from now. */
  restartTimer(): void {
    const limitMs = this.#timed?.limitMs ?? null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = limitMs === null ? null : setTimeout(() => this.#overdue(), limitMs);
  }

  /**
   * The process has ended: what was under way fails, but what was interrupted waits for `decide`. Returns how many
   * those were, and whether one of the others may have committed.
   */
  lose(): { readonly count: number; readonly changes: boolean } {
    this.#forgetTimer();
    const calls = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const call of calls) {
      if (call === this.#interrupted) this.#undecided = call;
      else call.reject(lost());
    }
    const changes = calls.some((call) => call !== this.#interrupted && CHANGING.has(call.method));
    this.#interrupted = null;
    return { count: calls.length, changes };
  }

  #finish(id: number): Call | undefined {
    const call = this.#underWay.get(id);
    this.#underWay.delete(id);
    if (call === this.#timed) this.#forgetTimer();
    return call;
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timed = null;
  }

  #overdue(): void {
    this.#timer = null;
    this.#interrupted = this.#timed;
    this.#onOverdue();
  }
}

function lost(): WriterLost {
  return new WriterLost(`the writing process ended; ${OUTCOME_UNKNOWN}`);
}
