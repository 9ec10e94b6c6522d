/** @module One subscription: gathers candidates, looks at them in batches, and hands changes to its readers. */

import type { Committed } from "../replication.ts";
import { Candidates, type Look } from "./candidates.ts";
import type { RunQuery, SubscriptionsLog, SubscriptionTimes } from "./contract.ts";
import { Cost } from "./cost.ts";
import { compareKeys, compareWhole, fill, type Work } from "./difference.ts";
import type { Followed } from "./followed.ts";
import type { Identity, StateFile, StateSnapshot, StoredChange } from "./state-file.ts";

/** So many candidate keys are looked at without waiting, and at most so many at once. */
const BATCH_KEYS = 1_000;
/** Changes that are kept in memory for readers that follow closely. */
const TAIL = 2_048;
/** A look that failed so often in a row ends the subscription. */
const FAILURES = 3;

export interface Reader {
  /** So many changes were committed just now. */
  changed(count: number): void;
  /** The subscription is over; with a message when something failed. */
  ended(message: string | null): void;
}

export interface SubscriptionParts {
  readonly state: StateFile;
  readonly followed: Followed;
  readonly query: RunQuery;
  readonly times: Required<SubscriptionTimes>;
  readonly log: SubscriptionsLog;
  /** Whether the state is filled already, as a clean stop left it. */
  readonly restored: boolean;
  /** It cannot go on, or nobody has listened for long: to be deleted. Called once. */
  readonly over: (reason: "failed" | "idle") => void;
}

export class Subscription {
  readonly followed: Followed;
  readonly cost = new Cost();
  readonly #parts: SubscriptionParts;
  readonly #candidates: Candidates;
  readonly #readers = new Set<Reader>();
  readonly #stop = new AbortController();
  /** The changes up to `#last`, newest last. */
  #tail: StoredChange[] = [];
  #last: number;
  #ready: boolean;
  #task: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #idle: NodeJS.Timeout | null = null;
  #failures = 0;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.followed = parts.followed;
    this.#candidates = new Candidates(parts.followed);
    this.#last = parts.state.lastChange();
    this.#ready = parts.restored;
    this.#startIdle();
    // What was committed after the clean stop, or just before it, is found by looking at everything once.
    if (parts.restored) this.#candidates.addWhole();
    this.#start(parts.restored ? () => this.#look() : () => this.#fill());
  }

  get identity(): Identity {
    return this.#parts.state.identity;
  }

  get path(): string {
    return this.#parts.state.path;
  }

  /** The last change that readers may know. */
  get last(): number {
    return this.#last;
  }

  /** Whether the first result is complete; readers are told by `changed`. */
  get ready(): boolean {
    return this.#ready;
  }

  committed({ touched }: Pick<Committed, "touched">): void {
    for (const row of touched) this.#candidates.add(row);
    this.#schedule();
  }

  join(reader: Reader): void {
    this.#readers.add(reader);
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0 && !this.#stop.signal.aborted) this.#startIdle();
  }

  /** Up to `limit` changes after one, without a hole; null when some of them are no longer kept. */
  changesAfter(after: number, limit: number): readonly StoredChange[] | null {
    if (after >= this.#last) return [];
    const first = this.#tail[0]?.changeId;
    if (first !== undefined && first <= after + 1) {
      return this.#tail.slice(after + 1 - first, after + 1 - first + limit);
    }
    const changes = this.#parts.state.changes(after, this.#last, limit);
    return changes[0]?.changeId === after + 1 ? changes : null;
  }

  oldestChange(): number {
    return this.#parts.state.oldestChange();
  }

  snapshot(): StateSnapshot {
    return this.#parts.state.snapshot();
  }

  purge(keep: number): void {
    this.#parts.state.purge(keep);
  }

  /** Ends its readers and its work, and closes the state. Returns whether the state was left clean. */
  async stop(options: { clean: boolean; message: string | null }): Promise<boolean> {
    this.#stop.abort();
    for (const timer of [this.#timer, this.#idle]) if (timer !== null) clearTimeout(timer);
    for (const reader of [...this.#readers]) reader.ended(options.message);
    await this.#task;
    const clean = options.clean && this.#ready;
    this.#parts.state.close(clean);
    return clean;
  }

  #startIdle(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#parts.over("idle"), this.#parts.times.idle);
  }

  #schedule(): void {
    if (this.#task !== null || this.#stop.signal.aborted || this.#candidates.size === 0) return;
    if (this.#candidates.size >= BATCH_KEYS && this.#failures === 0) this.#start(() => this.#look());
    else this.#timer ??= setTimeout(() => this.#start(() => this.#look()), this.#parts.times.batch);
  }

  #start(work: () => Promise<void>): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const began = performance.now();
    this.#task = work().finally(() => {
      this.cost.add(performance.now() - began);
      this.#task = null;
      this.#schedule();
    });
  }

  async #fill(): Promise<void> {
    try {
      await fill(this.#work(this.followed.whole));
      this.#ready = true;
      this.#tell(0);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #look(): Promise<void> {
    const look = this.#candidates.take(BATCH_KEYS);
    if (look === null) return;
    try {
      const changes = await this.#compare(look);
      this.#failures = 0;
      if (changes.length === 0) return;
      this.#tail = [...this.#tail, ...changes].slice(-TAIL);
      this.#last = changes.at(-1)!.changeId;
      this.#tell(changes.length);
    } catch (error) {
      this.#failures += 1;
      if (this.#failures >= FAILURES) this.#fail(error);
      else if (!this.#stop.signal.aborted) {
        const { id } = this.identity;
        this.#parts.log.warn("subscription query failed, trying again", { id, error: messageOf(error) });
      }
      // Perhaps a part of the keys only, but those are no longer apart from the rest.
      this.#candidates.addWhole();
    }
  }

  #compare(look: Look): Promise<readonly StoredChange[]> {
    if (look.kind === "whole") return compareWhole(this.#work(this.followed.whole));
    return compareKeys(this.#work(this.followed.pinned(look.keys)), look.keys);
  }

  #work(sql: string): Work {
    const { state, followed, query, times } = this.#parts;
    const { signal } = this.#stop;
    return { state, followed, signal, rows: query(sql, { limitMs: times.query, signal }) };
  }

  #tell(count: number): void {
    for (const reader of [...this.#readers]) reader.changed(count);
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const message = messageOf(error);
    this.#stop.abort();
    this.#parts.log.warn("subscription ended", { id: this.identity.id, error: message });
    for (const reader of [...this.#readers]) reader.ended(message);
    this.#parts.over("failed");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
