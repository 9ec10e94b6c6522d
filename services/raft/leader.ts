/** @module A group's leader: claim, group commit, fencing and uncertainty, as a machine without I/O of its own. */
import { applyEntry, type Outcome } from "../../lib/conversation/apply.ts";
import type { Command, Draft, UpkeepDraft } from "../../lib/conversation/commands.ts";
import { type GroupState, MAX_COMMANDS } from "../../lib/conversation/state.ts";
import { commandBytes, type Entry, encodeEntry, MAX_BATCH_BYTES } from "./entry.ts";
import { Tally } from "./tally.ts";

/** Why a proposal got no outcome; `maybe` means that it may have been written, the others that it was not. */
export type Refusal = "not_leader" | "unavailable" | "full" | "too_large" | "maybe";

export type EndReason = "fenced" | "released" | "abandoned";

/** How an append to the log ended; see `GroupLog.append`. */
export type AppendResult =
  | { readonly kind: "committed"; readonly index: number }
  | { readonly kind: "fenced" | "unavailable" | "full" | "unknown" };

/** Everything that the machine asks of the world. None of these calls back before it returned. */
export interface LeaderPort {
  /** Append these bytes; answer with `appended(messageId, result)`. */
  append(data: Uint8Array, expectedLast: number, messageId: string): void;
  /**
   * Read the entry at an index; answer with `inspected(index, batch)`: its batch id, or null when that failed; or with
   * `vanished(index)` when the log begins behind it.
   */
  inspect(index: number): void;
  /** Call `retry()` after so many milliseconds. */
  retryAfter(ms: number): void;
  /** Proposals wait and nothing is in flight: call `flush()` soon. */
  waiting(): void;
  /** A proposal is committed and applied. */
  settle(ticket: number, outcome: Outcome, command: Command): void;
  /** A proposal ends without an outcome. */
  refuse(ticket: number, why: Refusal): void;
  /** One entry is committed and applied, its proposals are about to be settled. */
  committed(index: number, outcomes: readonly Outcome[], commands: readonly Command[]): void;
  /** The claim is committed: proposals are welcome. */
  led(epoch: number): void;
  /** This leader is over; its state is that of `state.applied` and may go on as a follower's. */
  ended(reason: EndReason): void;
  /** Present time in microseconds since 1970. */
  clock(): number;
  /** A fresh message id, made at a time in microseconds. */
  messageId(at: number): string;
  /** A fresh batch id. */
  batchId(): string;
}

interface Proposal {
  readonly ticket: number;
  readonly command: Command;
  readonly json: string;
  readonly bytes: number;
}

interface Inflight {
  readonly batch: string;
  readonly data: Uint8Array;
  readonly expectedLast: number;
  readonly epoch: number;
  readonly commands: readonly Command[];
  readonly proposals: readonly Proposal[];
  /** Answers without a known outcome so far. */
  attempts: number;
  waiting: "append" | "inspect" | "retry-append" | "retry-inspect";
}

type Phase = "new" | "claiming" | "leading" | "releasing" | "ended";

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

/**
 * One leader epoch of one group. The caller gives it a state that has the whole log applied, `claim()`s, then
 * proposes; it answers through the port. It never guesses: an append without an answer is repeated with the same
 * bytes, message id and expected index, and a fenced one is compared with what stands there, until it is known.
 */
export class GroupLeader {
  readonly state: GroupState;
  readonly #node: string;
  readonly #port: LeaderPort;
  #phase: Phase = "new";
  #inflight: Inflight | null = null;
  #queue: Proposal[] = [];
  #queuedBytes = 0;
  /** Creates under way by session, so that what follows them in one pipeline finds it. */
  readonly #creating = new Tally();
  /** Evictions under way by session: what follows them in one pipeline does not find it. */
  readonly #leaving = new Tally();

  constructor(node: string, state: GroupState, port: LeaderPort) {
    this.#node = node;
    this.state = state;
    this.#port = port;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Whether an append is out whose outcome nobody knows yet. */
  get unresolved(): boolean {
    return this.#inflight !== null && this.#inflight.attempts > 0;
  }

  get inflight(): boolean {
    return this.#inflight !== null;
  }

  /** Bytes of commands that wait or are in flight. */
  get pendingBytes(): number {
    return this.#queuedBytes + (this.#inflight?.data.length ?? 0);
  }

  /** Whether the session exists, or will once what is queued is committed. */
  knows(session: string): boolean {
    if (this.#leaving.has(session)) return false;
    return this.state.sessions.has(session) || this.#creating.has(session);
  }

  /** Writes the claim of the next epoch. The state must be that of the log's end; if not, this ends as fenced. */
  claim(): void {
    if (this.#phase !== "new") return;
    this.#phase = "claiming";
    const epoch = this.state.epoch + 1;
    const command: Command = { t: "claim", v: 1, epoch, node: this.#node, at: this.#stamp() };
    this.#send(epoch, [command], [JSON.stringify(command)], []);
  }

  /** Takes a draft for the next entry; its outcome comes by `settle` or `refuse` with this ticket. */
  propose(ticket: number, draft: Draft | UpkeepDraft): void {
    if (this.#phase !== "leading") return this.#port.refuse(ticket, "not_leader");
    if (this.unresolved) return this.#port.refuse(ticket, "unavailable");
    if (this.#followsEviction(draft)) return this.#port.refuse(ticket, "unavailable");
    const at = this.#stamp();
    const command: Command =
      draft.t === "append" ? { ...draft, v: 1, id: this.#port.messageId(at), at } : { ...draft, v: 1, at };
    const json = JSON.stringify(command);
    const bytes = commandBytes(json);
    if (bytes > MAX_BATCH_BYTES) return this.#port.refuse(ticket, "too_large");
    if (command.t === "create") this.#creating.add(command.session);
    if (command.t === "evict") for (const session of command.sessions) this.#leaving.add(session);
    this.#queue.push({ ticket, command, json, bytes });
    this.#queuedBytes += bytes;
    if (!this.#inflight) this.#port.waiting();
  }

  /** Sends what was proposed as one entry, unless one is in flight. */
  flush(): void {
    if (this.#inflight) return;
    if (this.#phase === "releasing") return this.#sendRelease();
    if (this.#phase !== "leading" || this.#queue.length === 0) return;
    let bytes = 0;
    let count = 0;
    for (const proposal of this.#queue) {
      if (count === MAX_COMMANDS || bytes + proposal.bytes > MAX_BATCH_BYTES) break;
      bytes += proposal.bytes;
      count += 1;
    }
    const proposals = this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    this.#send(
      this.state.epoch,
      proposals.map((proposal) => proposal.command),
      proposals.map((proposal) => proposal.json),
      proposals,
    );
  }

  /** The answer to `port.append`. */
  appended(messageId: string, result: AppendResult): void {
    const inflight = this.#inflight;
    if (inflight?.batch !== messageId || inflight.waiting !== "append") return;
    switch (result.kind) {
      case "committed":
        return this.#commit(inflight);
      case "fenced":
        inflight.waiting = "inspect";
        return this.#port.inspect(inflight.expectedLast + 1);
      case "unavailable":
      case "full":
        // A definite "not written" says so of this attempt only: an earlier one may still be on its way.
        if (inflight.attempts > 0) return this.#resolveLater(inflight, "retry-append");
        return this.#giveUp(inflight, result.kind);
      case "unknown":
        return this.#resolveLater(inflight, "retry-append");
    }
  }

  /** The answer to `port.inspect`. */
  inspected(index: number, batch: string | null): void {
    const inflight = this.#inflight;
    if (inflight?.expectedLast !== index - 1 || inflight.waiting !== "inspect") return;
    if (batch === null) return this.#resolveLater(inflight, "retry-inspect");
    if (batch === inflight.batch) return this.#commit(inflight);
    this.#end("fenced");
  }

  /** The other answer to `port.inspect`: others have written far beyond, and whether it was ours cannot be told any more. */
  vanished(index: number): void {
    const inflight = this.#inflight;
    if (inflight?.expectedLast === index - 1 && inflight.waiting === "inspect") this.#end("fenced", "maybe");
  }

  /** The time asked for by `port.retryAfter` is over. */
  retry(): void {
    const inflight = this.#inflight;
    if (!inflight) return;
    if (inflight.waiting === "retry-append") {
      inflight.waiting = "append";
      this.#port.append(inflight.data, inflight.expectedLast, inflight.batch);
    } else if (inflight.waiting === "retry-inspect") {
      inflight.waiting = "inspect";
      this.#port.inspect(inflight.expectedLast + 1);
    }
  }

  /** Somebody else's entry was seen behind `state.applied` while nothing of ours was in flight. */
  foreignEntry(): void {
    if (!this.#inflight && this.#phase !== "ended") this.#end("fenced");
  }

  /** Takes nothing new, settles the entry in flight, writes `release` and ends. */
  release(): void {
    if (this.#phase === "ended" || this.#phase === "releasing") return;
    if (this.#phase !== "leading") return this.#end("abandoned");
    this.#phase = "releasing";
    this.#refuseQueue("not_leader");
    this.flush();
  }

  /** Ends at once, whatever is in flight: the node stops, or topology needs the place. */
  abandon(): void {
    if (this.#phase !== "ended") this.#end("abandoned");
  }

  /** Present time, never before any time that the log holds. */
  #stamp(): number {
    const now = Math.max(this.#port.clock(), this.state.clock, this.#lastStamp);
    this.#lastStamp = now;
    return now;
  }
  #lastStamp = 0;

  #send(epoch: number, commands: Command[], json: string[], proposals: Proposal[]): void {
    const batch = this.#port.batchId();
    const header: Omit<Entry, "commands"> = { batch, author: this.#node, epoch, digest: this.state.digest };
    const data = encodeEntry(header, json);
    const expectedLast = this.state.applied;
    this.#inflight = {
      batch,
      data,
      expectedLast,
      epoch,
      commands,
      proposals,
      attempts: 0,
      waiting: "append",
    };
    this.#port.append(data, expectedLast, batch);
  }

  #sendRelease(): void {
    const command: Command = { t: "release", v: 1, at: this.#stamp() };
    this.#send(this.state.epoch, [command], [JSON.stringify(command)], []);
  }

  #commit(inflight: Inflight): void {
    this.#inflight = null;
    const index = inflight.expectedLast + 1;
    const outcomes = applyEntry(this.state, { index, epoch: inflight.epoch }, inflight.commands);
    for (const { command } of inflight.proposals) this.#uncount(command);
    this.#port.committed(index, outcomes, inflight.commands);
    inflight.proposals.forEach((proposal, i) => {
      this.#port.settle(proposal.ticket, outcomes[i]!, proposal.command);
    });
    if (this.#phase === "claiming") {
      this.#phase = "leading";
      this.#port.led(inflight.epoch);
    } else if (this.#phase === "releasing" && inflight.commands[0]?.t === "release") {
      return this.#end("released");
    }
    this.#goOn();
  }

  /** The entry was certainly not written: its proposals are refused, the next ones may fare better. */
  #giveUp(inflight: Inflight, why: "unavailable" | "full"): void {
    if (this.#phase === "claiming") return this.#resolveLater(inflight, "retry-append", 0);
    this.#inflight = null;
    for (const { ticket, command } of inflight.proposals) {
      this.#uncount(command);
      this.#port.refuse(ticket, why);
    }
    if (this.#phase === "releasing") return this.#end("abandoned");
    this.#goOn();
  }

  /** The log is free for the next entry; an orderly end waits for nobody. */
  #goOn(): void {
    if (this.#phase === "releasing") this.flush();
    else if (this.#queue.length > 0) this.#port.waiting();
  }

  #resolveLater(inflight: Inflight, waiting: "retry-append" | "retry-inspect", counts: 0 | 1 = 1): void {
    inflight.attempts += counts;
    inflight.waiting = waiting;
    this.#refuseQueue("unavailable");
    this.#port.retryAfter(Math.min(FIRST_RETRY_MS * 2 ** Math.min(inflight.attempts, 10), LAST_RETRY_MS));
  }

  /**
   * Whether the session may be gone by the time that this is decided: a create would begin it anew, though the archive
   * has it. Only a `hydrate` finds it in either case.
   */
  #followsEviction(draft: Draft | UpkeepDraft): boolean {
    return "session" in draft && draft.t !== "hydrate" && this.#leaving.has(draft.session);
  }

  #uncount(command: Command): void {
    if (command.t === "create") this.#creating.remove(command.session);
    if (command.t === "evict") for (const session of command.sessions) this.#leaving.remove(session);
  }

  #refuseQueue(why: Refusal): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { ticket, command } of queue) {
      this.#uncount(command);
      this.#port.refuse(ticket, why);
    }
  }

  /**
   * A foreign entry at our index proves that what was in flight was not written; of an abandoned one nothing is known.
   */
  #end(reason: EndReason, why: Refusal = reason === "fenced" ? "not_leader" : "maybe"): void {
    this.#phase = "ended";
    const inflight = this.#inflight;
    this.#inflight = null;
    this.#creating.clear();
    this.#leaving.clear();
    for (const { ticket } of inflight?.proposals ?? []) this.#port.refuse(ticket, why);
    this.#refuseQueue("not_leader");
    this.#port.ended(reason);
  }
}
