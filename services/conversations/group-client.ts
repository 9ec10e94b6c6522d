/** @module Calls to a group's leader: batches what one turn proposes, follows the leader, never guesses. */
import { setTimeout } from "node:timers/promises";
import { Errors, type ServiceBroker } from "moleculer";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import type { Draft } from "../../lib/conversation/commands.ts";
import { errorCode, FleetError } from "../../lib/errors.ts";
import { groupName, groupOf } from "../../lib/ids.ts";
import type { Propose, Proposed, ProposeResult } from "../raft/contract.ts";

export interface GroupClientOptions {
  readonly groups: number;
  /** How long a proposal may take in all, in milliseconds. */
  readonly timeoutMs: number;
  /** While it is not open, the number of groups may be wrong: nothing is sent. */
  readonly admission: { readonly open: boolean };
}

/** Outcomes that a proposal can have for its caller. */
export type Decided = Exclude<ProposeResult, { kind: "refused" | "maybe" }>;

interface Pending {
  readonly draft: Draft;
  /** Bytes that it takes in a call, about. */
  readonly bytes: number;
  readonly group: number;
  /** Whether it may be sent again after it was possibly written. */
  readonly repeatable: boolean;
  readonly deadline: number;
  readonly resolve: (result: Decided) => void;
  readonly reject: (error: FleetError) => void;
  /** Whether it may be in the log: it was sent and nobody said that it was not written. */
  maybe: boolean;
  hint: string | null;
  done: boolean;
}

/** What a command takes in a call beside its content, about. */
const ENVELOPE_BYTES = 1024;
/** Time between tries while a group has no leader, in milliseconds. */
const RETRY_MS = 40;
/** How often deadlines are looked at while anything is pending. */
const SWEEP_MS = 25;

/** Whether the call was certainly not executed by anybody. */
function notExecuted(error: unknown): boolean {
  return error instanceof Errors.ServiceNotFoundError || error instanceof Errors.ServiceNotAvailableError;
}

/** One a node: what its services propose to the groups, and ask of their leaders. */
export class GroupClient {
  readonly #broker: ServiceBroker;
  readonly #options: GroupClientOptions;
  /** What this turn of the event loop has proposed, by group. */
  #outbox = new Map<number, Pending[]>();
  readonly #pending = new Set<Pending>();
  #sweeper: NodeJS.Timeout | null = null;

  constructor(broker: ServiceBroker, options: GroupClientOptions) {
    this.#broker = broker;
    this.#options = options;
  }

  groupOf(session: string): number {
    return groupOf(session, this.#options.groups);
  }

  /**
   * Proposes a command to its session's group. `repeatable` says that proposing it twice does no harm (it carries a
   * key, or is idempotent by itself); `bytes` is what its content takes. Throws `backpressure`, `leader_unavailable` (certainly not written) and
   * `append_timeout` (may have been written).
   */
  propose(draft: Draft, repeatable: boolean, bytes = 0): Promise<Decided> {
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        draft,
        bytes: bytes + ENVELOPE_BYTES,
        group: this.groupOf(draft.session),
        repeatable,
        deadline: performance.now() + this.#options.timeoutMs,
        resolve,
        reject,
        maybe: false,
        hint: null,
        done: false,
      };
      this.#pending.add(pending);
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
      this.#enqueue(pending);
    });
  }

  /**
   * Calls a reading action of a group's leader, again while there is none, until the time is over. Throws
   * `leader_unavailable` then.
   */
  async ask<T>(group: number, action: string, params: object): Promise<T> {
    const deadline = performance.now() + this.#options.timeoutMs;
    for (;;) {
      try {
        const timeout = Math.max(1, deadline - performance.now());
        if (this.#routable(group, action)) {
          return await this.#broker.call<T, object>(`raft.${groupName(group)}.${action}`, params, {
            timeout,
          });
        }
      } catch (error) {
        const again =
          error instanceof Errors.MoleculerRetryableError || errorCode(error) === "leader_unavailable";
        if (!again) throw error;
      }
      if (performance.now() + RETRY_MS >= deadline) throw noLeader(group);
      await setTimeout(RETRY_MS);
    }
  }

  /** Fails what is pending; nothing may be proposed afterwards. */
  close(): void {
    for (const pending of this.#pending) this.#expire(pending);
    if (this.#sweeper) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  /** Whether the registry knows a leader; asking first spares a warning and an error for each try without one. */
  #routable(group: number, action: string): boolean {
    if (!this.#options.admission.open) return false;
    const endpoints = this.#broker.registry.getActionEndpoints(`raft.${groupName(group)}.${action}`);
    return endpoints?.hasAvailable() === true;
  }

  #enqueue(pending: Pending): void {
    if (this.#outbox.size === 0) setImmediate(() => this.#send());
    const items = this.#outbox.get(pending.group);
    if (items) items.push(pending);
    else this.#outbox.set(pending.group, [pending]);
  }

  /** What one turn proposes to one group shares a call, and all its calls leave in one piece. */
  #send(): void {
    const outbox = this.#outbox;
    this.#outbox = new Map();
    for (const [group, proposed] of outbox) {
      const items = proposed.filter((pending) => !pending.done);
      for (const call of splitForBus(items)) this.#call(group, call);
    }
  }

  #call(group: number, items: readonly Pending[]): void {
    if (!this.#routable(group, "propose")) {
      for (const pending of items) this.#later(pending);
      return;
    }
    const hint = items[0]!.hint;
    const before = items.map(({ maybe }) => maybe);
    for (const pending of items) pending.maybe = true;
    this.#broker
      .call<Proposed, Propose>(
        `raft.${groupName(group)}.propose`,
        { commands: items.map(({ draft }) => draft) },
        hint !== null && this.#broker.registry.nodes.get(hint)?.available ? { nodeID: hint } : {},
      )
      .then(
        ({ results }) => {
          items.forEach((pending, i) => {
            this.#answered(pending, results[i]!, before[i]!);
          });
        },
        (error: unknown) => {
          items.forEach((pending, i) => {
            pending.hint = null;
            if (notExecuted(error)) pending.maybe = before[i]!;
            this.#later(pending);
          });
        },
      );
  }

  /** `before` says whether an earlier try may have been written: a refusal speaks of its own try only. */
  #answered(pending: Pending, result: ProposeResult, before: boolean): void {
    if (result.kind === "maybe") return this.#later(pending);
    if (result.kind !== "refused") return this.#finish(pending, () => pending.resolve(result));
    pending.maybe = before;
    if (result.why === "backpressure" && !pending.maybe) {
      return this.#finish(pending, () => pending.reject(backpressure()));
    }
    if (result.why === "alone") {
      if (!pending.done) this.#call(pending.group, [pending]);
      return;
    }
    if (result.why === "too_large") {
      return this.#finish(pending, () =>
        pending.reject(new FleetError("content_too_large", "The message does not fit into a log entry.")),
      );
    }
    if (result.why === "full" && !pending.maybe) {
      return this.#finish(pending, () => pending.reject(logFull(pending.group)));
    }
    if (result.why === "archive_unavailable" && !pending.maybe) {
      return this.#finish(pending, () => pending.reject(archiveUnavailable(pending.draft.session)));
    }
    pending.hint = result.hint;
    this.#later(pending);
  }

  /** Tries again in a moment, if that can do no harm. */
  #later(pending: Pending): void {
    if (pending.done) return;
    if (pending.maybe && !pending.repeatable) return this.#expire(pending);
    if (performance.now() + RETRY_MS >= pending.deadline) return this.#expire(pending);
    setTimeout(RETRY_MS).then(() => {
      if (!pending.done) this.#enqueue(pending);
    });
  }

  #sweep(): void {
    const now = performance.now();
    for (const pending of this.#pending) if (pending.deadline <= now) this.#expire(pending);
    if (this.#pending.size === 0 && this.#sweeper) {
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }
  }

  #expire(pending: Pending): void {
    this.#finish(pending, () => pending.reject(pending.maybe ? timedOut() : noLeader(pending.group)));
  }

  #finish(pending: Pending, settle: () => void): void {
    if (pending.done) return;
    pending.done = true;
    this.#pending.delete(pending);
    settle();
  }
}

/** What one turn proposed, in calls that the bus can carry; one command alone always fits. */
function splitForBus(items: readonly Pending[]): Pending[][] {
  const calls: Pending[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const pending of items) {
    if (bytes + pending.bytes > MAX_CALL_BYTES) {
      calls.push([]);
      bytes = 0;
    }
    calls.at(-1)!.push(pending);
    bytes += pending.bytes;
  }
  return calls;
}

export function backpressure(): FleetError {
  return new FleetError(
    "backpressure",
    "This node has as many unacknowledged bytes as it may hold; try again.",
  );
}

function archiveUnavailable(session: string): FleetError {
  return new FleetError(
    "archive_unavailable",
    `Session "${session}" is not in RAM, and the archive cannot be asked now; nothing was written, try again.`,
  );
}

function logFull(group: number): FleetError {
  return new FleetError(
    "leader_unavailable",
    `The log of group ${group} is full: its disk or its stream has no room. Nothing was written; try again when there is room.`,
  );
}

function noLeader(group: number): FleetError {
  return new FleetError(
    "leader_unavailable",
    `Group ${group} has no leader at the moment, and nothing was written; try again.`,
  );
}

function timedOut(): FleetError {
  return new FleetError(
    "append_timeout",
    "The outcome is not known yet: the write may have been committed. Retry with the same idempotency key.",
    { may_have_committed: true },
  );
}
