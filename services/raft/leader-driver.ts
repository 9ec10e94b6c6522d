/** @module Runs a group's leader: carries its appends to the log and its outcomes to callers, sockets and metrics. */
import { randomUUID } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { Outcome } from "../../lib/conversation/apply.ts";
import type { Command, Draft, UpkeepDraft } from "../../lib/conversation/commands.ts";
import type { GroupState } from "../../lib/conversation/state.ts";
import type { Fanout } from "../../lib/fanout/fanout.ts";
import { uuidv7 } from "../../lib/ids.ts";
import type { ArchivePort } from "./archive-port.ts";
import { Archiver, type ArchiverEnvironment } from "./archiver.ts";
import type { ProposeResult } from "./contract.ts";
import type { GroupLog } from "./engine/engine.ts";
import { Corrupt, Fenced, Full, refusalOf, Truncated } from "./engine/errors.ts";
import type { AppendSlots } from "./engine/slots.ts";
import { decodeEntry } from "./entry.ts";
import { History } from "./history.ts";
import type { HotMessages } from "./hot-messages.ts";
import { type AppendResult, type EndReason, GroupLeader } from "./leader.ts";
import { Lease } from "./lease.ts";
import type { RaftMetrics } from "./metrics.ts";
import { Proposals } from "./proposals.ts";
import { publishMessages } from "./publication.ts";
import { Residency } from "./residency.ts";
import { SessionReader } from "./session-reader.ts";

export interface LeaderEnvironment {
  readonly node: string;
  readonly log: GroupLog;
  readonly fanout: Fanout;
  readonly hot: HotMessages;
  readonly archive: ArchivePort;
  readonly archiver: Pick<ArchiverEnvironment, "options" | "limit" | "stalled" | "foreign">;
  readonly logger: ServiceBroker["logger"];
  readonly metrics: RaftMetrics;
  /** Entries that the node sends to its log at a time. */
  readonly slots: AppendSlots;
  readonly leaseMs: number;
  /** Bytes that may wait for their commit in one group. */
  readonly inflightBytes: number;
  /** Node that may lead when this one does not; null when unknown. */
  readonly hint: () => string | null;
  /** The leader is over; called once. */
  readonly ended: (reason: EndReason) => void;
  /** The state machine or the log broke its own rules: the process must not go on. */
  readonly broken: (error: Error) => void;
  readonly clock?: Clock;
}

/** One leader epoch of one group on this node. */
export class LeaderDriver {
  readonly #env: LeaderEnvironment;
  readonly #leader: GroupLeader;
  readonly #history: History;
  readonly #lease: Lease;
  readonly #archiver: Archiver;
  readonly #residency: Residency;
  /** What callers read. */
  readonly reader: SessionReader;
  readonly #proposals: Proposals;
  readonly #led = Promise.withResolvers<boolean>();
  readonly #over = Promise.withResolvers<EndReason>();
  #retryTimer: NodeJS.Timeout | null = null;
  #flushScheduled = false;
  /** The append under way; null when there is none. */
  #appending: Promise<void> | null = null;
  /** When the last entry was sent that the log has taken, on the monotonic clock in ms. */
  #committedAt = Number.NEGATIVE_INFINITY;
  /** Whether the log was full at the last append. */
  #full = false;

  constructor(env: LeaderEnvironment, state: GroupState) {
    this.#env = env;
    const clock = env.clock ?? systemClock;
    this.#history = new History(env.log, env.hot, env.archive, () => this.#archiver.distrust());
    this.#proposals = new Proposals({ history: this.#history, hint: env.hint });
    this.#leader = new GroupLeader(env.node, state, {
      append: (data, expectedLast, id) => {
        this.#appending = this.#append(data, expectedLast, id);
      },
      inspect: (index) => void this.#inspect(index),
      retryAfter: (ms) => this.#retryAfter(ms),
      waiting: () => this.#flushSoon(),
      settle: (ticket, outcome, command) => this.#proposals.settle(ticket, outcome, command),
      refuse: (ticket, why) => this.#proposals.refuse(ticket, why),
      committed: (_index, outcomes, commands) => this.#committed(outcomes, commands),
      led: () => {
        this.#archiver.start();
        this.#led.resolve(true);
      },
      ended: (reason) => this.#ended(reason),
      clock,
      messageId: uuidv7,
      batchId: randomUUID,
    });
    const ensureLease = () => this.ensureLease();
    this.#lease = new Lease({
      leaseMs: env.leaseMs,
      lastIndex: async () => (await env.log.bounds()).last,
      leading: () => this.leading,
      applied: () => this.state.applied,
      overtaken: () => {
        if (!this.#leader.inflight) this.#guard(() => this.#leader.foreignEntry());
      },
    });
    this.#residency = new Residency({
      state: () => this.state,
      knows: (session) => this.#leader.knows(session),
      ensureLease,
      lookUp: (session) => env.archive.session(this.group, session),
      distrust: () => this.#archiver.distrust(),
      propose: (draft) => this.#proposeUpkeep(draft),
    });
    this.reader = new SessionReader({
      state: () => this.state,
      ensureLease,
      residency: this.#residency,
      history: this.#history,
      clock,
    });
    this.#archiver = new Archiver({
      ...env.archiver,
      archive: env.archive,
      logger: env.logger,
      log: env.log,
      history: this.#history,
      reader: this.reader,
      metrics: env.metrics,
      clock,
      state: () => this.state,
      propose: async (draft) => (await this.#proposeUpkeep(draft)) !== null,
    });
  }

  get group(): number {
    return this.#env.log.group;
  }

  get state(): GroupState {
    return this.#leader.state;
  }

  get archiver(): Archiver {
    return this.#archiver;
  }

  get leading(): boolean {
    return this.#leader.phase === "leading";
  }

  /** Milliseconds since the log last answered. */
  get contactAge(): number {
    return this.#lease.age;
  }

  /** Milliseconds since the log last took an entry. */
  get commitAge(): number {
    return performance.now() - this.#committedAt;
  }

  /** See `Lease.ensure`. */
  ensureLease(): Promise<void> {
    return this.#lease.ensure();
  }

  /** Asks the log whether this still leads, and ends it when it does not. Throws as `ensureLease` does. */
  verify(): Promise<void> {
    this.#lease.doubt();
    return this.ensureLease();
  }

  /** Claims the group. Resolves with true once it leads, with false when somebody else wrote first. */
  async lead(): Promise<boolean> {
    this.#guard(() => this.#leader.claim());
    return this.#led.promise;
  }

  /** Hands over: settles what is in flight, writes `release`. Resolves when this leader is over. */
  async release(): Promise<EndReason> {
    this.#guard(() => this.#leader.release());
    return this.#over.promise;
  }

  /** Ends at once; proposals in flight end as `maybe`. */
  abandon(): void {
    this.#guard(() => this.#leader.abandon());
  }

  /** Proposes drafts in their order; resolves once all their commands are decided. */
  propose(drafts: readonly Draft[]): Promise<ProposeResult[]> {
    const shared = drafts.length > 1 && drafts.some((draft) => this.#residency.decidable(draft));
    return Promise.all(drafts.map((draft) => this.#proposeOne(draft, shared)));
  }

  /** `shared`: others of the call, which need no archive, wait for its answer too. */
  #proposeOne(draft: Draft, shared: boolean): ProposeResult | Promise<ProposeResult> {
    if (this.#leader.pendingBytes > this.#env.inflightBytes) {
      return { kind: "refused", why: "backpressure", hint: null };
    }
    if (this.leading && !this.#residency.decidable(draft)) {
      return shared ? { kind: "refused", why: "alone", hint: null } : this.#bringFor(draft);
    }
    return this.#enter(draft, shared);
  }

  /** What is not resident may be in the archive: only that can say that a session does not exist. */
  async #bringFor(draft: Draft): Promise<ProposeResult> {
    switch (await this.#residency.bring(draft.session)) {
      case "resident":
        return this.#enter(draft, false);
      case "absent":
        // Somebody who asked together with this one may have created it by now.
        if (draft.t === "create" || this.#leader.knows(draft.session)) return this.#enter(draft, false);
        return { kind: "rejected", code: "session_not_found", last_seq: 0 };
      case "archive_unavailable":
        return { kind: "refused", why: "archive_unavailable", hint: null };
      case "unavailable":
        return { kind: "refused", why: "unavailable", hint: this.#env.hint() };
    }
  }

  #proposeUpkeep(draft: UpkeepDraft): Promise<Outcome | null> {
    return this.#proposals.askUpkeep((ticket) => this.#guard(() => this.#leader.propose(ticket, draft)));
  }

  #enter(draft: Draft, shared: boolean): Promise<ProposeResult> {
    return this.#proposals.ask(shared, (ticket) => this.#guard(() => this.#leader.propose(ticket, draft)));
  }

  /**
   * What other callers propose in this turn of the event loop shares the entry, and what they propose while the log is
   * busy with the entries of other groups.
   */
  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#env.slots.run(() => this.#flush()));
  }

  async #flush(): Promise<void> {
    this.#flushScheduled = false;
    this.#appending = null;
    this.#guard(() => this.#leader.flush());
    await this.#appending;
  }

  async #append(data: Uint8Array, expectedLast: number, messageId: string): Promise<void> {
    const asked = performance.now();
    let result: AppendResult;
    try {
      result = { kind: "committed", index: await this.#env.log.append(data, expectedLast, messageId) };
      // A repeated append may be answered from the engine's memory of the first one: only a first try proves that
      // nobody else has written since.
      if (!this.#leader.unresolved) this.#lease.heard(asked);
      this.#committedAt = asked;
      this.#tellFull(null);
      this.#env.metrics.commit(performance.now() - asked, data.length);
    } catch (error) {
      if (error instanceof Fenced) this.#env.metrics.fenced();
      result = { kind: refusalOf(error) };
      this.#tellFull(error);
      if (error instanceof Corrupt) this.#env.broken(error);
    }
    this.#guard(() => this.#leader.appended(messageId, result));
  }

  /** One line when the log has no room left, one when it has again. */
  #tellFull(error: unknown): void {
    const full = error instanceof Full;
    if (full === this.#full || (error !== null && !full)) return;
    this.#full = full;
    const { group } = this;
    if (full)
      this.#env.logger.error("the log is full, appends are refused", { group, problem: error.message });
    else this.#env.logger.info("the log has room again", { group });
  }

  async #inspect(index: number): Promise<void> {
    let batch: string | null = null;
    try {
      for await (const entry of this.#env.log.read(index, index)) {
        batch = decodeEntry(this.group, index, entry.data).batch;
      }
    } catch (error) {
      if (error instanceof Truncated) return this.#guard(() => this.#leader.vanished(index));
      // Not readable now: the leader asks again, and stays unresolved until it knows.
    }
    this.#guard(() => this.#leader.inspected(index, batch));
  }

  #retryAfter(ms: number): void {
    this.#retryTimer = setTimeout(() => this.#guard(() => this.#leader.retry()), ms);
  }

  #committed(outcomes: readonly Outcome[], commands: readonly Command[]): void {
    this.#env.metrics.applied(commands.length);
    publishMessages(this.#env, this.state.epoch, outcomes, commands);
  }

  #ended(reason: EndReason): void {
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    this.#archiver.stop();
    this.#led.resolve(false);
    this.#over.resolve(reason);
    this.#env.ended(reason);
  }

  /** The machine throws only when a rule is broken that everything rests on. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#env.broken(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
