/** @module Receptions and their acknowledgements together: what is delivered when, and what is tried once more. */
import { microsOf } from "../../../lib/clock.ts";
import type { Timers } from "../../../lib/timers.ts";
import type { Deliver, Reception, ReceptionStats, SenderStatus } from "../contract.ts";
import { type Attempted, Deliveries } from "./deliveries.ts";
import type { Answer } from "./delivery-plan.ts";
import { type Entry, Receptions, receptionOf } from "./receptions.ts";

/** Deliveries that are not over, at most. */
export const MAX_QUEUED = 10_000;
/** Time between two looks at what failed. */
const REVISIT_MS = 5000;
/** No originator counts an acknowledgement that is much older. */
const WORTH_MICROS = 600_000_000;
const DROP_LOG_MS = 60_000;
/** Time between two removals of what is too old. */
const PURGE_MS = 60_000;

export interface SenderEnv {
  readonly nodeId: string;
  readonly attempts: number;
  readonly concurrency: number;
  readonly maxQueued: number;
  readonly dedupeMax: number;
  readonly dedupeTtlMs: number;
  readonly timers: Timers;
  /** Microseconds since 1970. */
  readonly clock: () => number;
  readonly random: () => number;
  readonly attempt: (entry: Entry) => Promise<Answer>;
  /** Something about an entry changed. */
  readonly changed: (reception: Reception) => void;
  readonly logger: { warn(message: string, fields: object): void };
}

export class Sender {
  readonly #env: SenderEnv;
  readonly #receptions: Receptions;
  readonly #deliveries: Deliveries<Entry>;
  #callOff: () => void = () => undefined;
  #dropped = 0;
  #droppedBefore = 0;
  /** On the timers' clock. */
  #purged = 0;
  /** On the timers' clock; null before the first one. */
  #dropLogged: number | null = null;

  constructor(env: SenderEnv) {
    this.#env = env;
    const { attempt, concurrency, dedupeMax, dedupeTtlMs, maxQueued, random, timers } = env;
    this.#receptions = new Receptions({ max: dedupeMax, ttlMs: dedupeTtlMs, now: () => timers.now() });
    this.#deliveries = new Deliveries({
      concurrency,
      max: maxQueued,
      timers,
      random,
      attempt,
      attempted: (target, outcome) => this.#attempted(target, outcome),
    });
  }

  /** Looks at what failed, now and then, until `stop`. */
  start(): void {
    this.#callOff = this.#env.timers.after(REVISIT_MS, () => {
      this.#revisit();
      this.start();
    });
  }

  /** Resolves when nothing is under way any more; the caller aborts the requests. */
  async stop(): Promise<void> {
    this.#callOff();
    await this.#deliveries.stop();
  }

  /**
   * Counts a reception, and starts to deliver its acknowledgement when the key is new or the delivery failed. All of
   * that is done when it returns.
   */
  receive(arrival: Deliver): Reception {
    const { receipt_timestamp, ...rest } = arrival;
    const at = microsOf(receipt_timestamp) ?? this.#env.clock();
    const { deliver, entry } = this.#receptions.receive(rest, at);
    if (deliver && this.#deliveries.add(entry, this.#env.attempts) === "full") this.#drop(entry);
    return this.#tell(entry);
  }

  /** The originator is, or may be, there again: what failed for want of an answer is tried anew. */
  originatorAppeared(nodeId: string): void {
    for (const entry of this.#receptions.stranded(nodeId)) {
      if (!this.#again(entry, this.#env.attempts)) return;
    }
  }

  /** More is known of where nodes are: endpoints that were not allowed, and now are, get their acknowledgements. */
  endpointsChanged(isAllowed: (endpoint: string, originator: string) => boolean): void {
    for (const entry of this.#receptions.notAllowed()) {
      const allowed = isAllowed(entry.endpoint, entry.originator);
      if (allowed && !this.#again(entry, this.#env.attempts)) return;
    }
  }

  status(): SenderStatus {
    const { acked, failed, pending } = this.#receptions.counts;
    const { queued, sending } = this.#deliveries;
    const entries = acked + failed + pending;
    return { node_id: this.#env.nodeId, queued, sending, entries, acked, failed, dropped: this.#dropped };
  }

  stats(): ReceptionStats {
    const stats = { receptions: 0, duplicated: 0, most: 0 };
    for (const { count } of this.#receptions.latest(1)) {
      stats.receptions += count;
      if (count > 1) stats.duplicated += 1;
      stats.most = Math.max(stats.most, count);
    }
    return { ...this.status(), ...stats };
  }

  /** Entries with at least `min` receptions, the latest received first, at most `limit`. */
  list(min: number, limit: number): Reception[] {
    return this.#receptions
      .latest(min)
      .take(limit)
      .map((entry) => receptionOf(this.#env.nodeId, entry))
      .toArray();
  }

  /** What is known of a message, or of a drill; null when nothing is. */
  get(pk: string): Reception | null {
    const entry = this.#receptions.of(pk);
    return entry && receptionOf(this.#env.nodeId, entry);
  }

  #attempted({ key }: Entry, { requested, verdict }: Attempted): void {
    // It may be too old by now, or another entry of the same key may have taken its place.
    const entry = this.#receptions.peek(key);
    if (entry === null) return;
    if (requested) this.#receptions.attempted(entry, verdict.kind === "acked" ? null : verdict.reason);
    if (verdict.kind === "acked") {
      this.#receptions.acked(entry);
      // Who takes one takes the others.
      if (this.#receptions.isStranded(entry.originator)) this.originatorAppeared(entry.originator);
    }
    if (verdict.kind === "failed") this.#receptions.failed(entry, verdict.failure, verdict.reason);
    this.#tell(entry);
  }

  /** One attempt for each originator that does not answer; when it does, the others follow. */
  #revisit(): void {
    const now = this.#env.timers.now();
    if (now - this.#purged >= PURGE_MS) {
      this.#purged = now;
      this.#receptions.purge();
    }
    const oldest = this.#env.clock() - WORTH_MICROS;
    for (const originator of this.#receptions.strandedOriginators) {
      const entry = this.#receptions.stranded(originator).find(({ firstSeen }) => firstSeen >= oldest);
      if (entry) this.#again(entry, 1);
    }
  }

  /** Whether there was room for it. */
  #again(entry: Entry, attempts: number): boolean {
    if (this.#deliveries.add(entry, attempts) === "full") return false;
    this.#receptions.begin(entry);
    this.#tell(entry);
    return true;
  }

  #drop(entry: Entry): void {
    const { logger, maxQueued, timers } = this.#env;
    const reason = `the queue is full: ${maxQueued} acknowledgements are not delivered yet`;
    this.#receptions.failed(entry, "dropped", reason);
    this.#dropped += 1;
    if (this.#dropLogged !== null && timers.now() - this.#dropLogged < DROP_LOG_MS) return;
    this.#dropLogged = timers.now();
    const count = this.#dropped - this.#droppedBefore;
    this.#droppedBefore = this.#dropped;
    logger.warn("acknowledgements were dropped, for their queue is full", { dropped: count });
  }

  #tell(entry: Entry): Reception {
    const reception = receptionOf(this.#env.nodeId, entry);
    this.#env.changed(reception);
    return reception;
  }
}
