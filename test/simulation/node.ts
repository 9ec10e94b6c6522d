/** @module One simulated node: a replica that follows the log, leads when its view says so, pauses, dies, returns. */
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { Draft } from "../../lib/conversation/commands.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import { decodeEntry } from "../../services/raft/entry.ts";
import { applyBytes } from "../../services/raft/follower.ts";
import { GroupLeader, type LeaderPort, type Refusal } from "../../services/raft/leader.ts";
import { desiredRoles } from "../../services/raft/placement.ts";
import { spoil } from "./defects.ts";
import { summary } from "./ledger.ts";
import { must } from "./naive-group.ts";
import type { World } from "./world.ts";

/** What a caller hears: an outcome in the words of `summary`, or why there is none. */
export type Answer =
  | { readonly kind: "settled"; readonly words: string }
  | { readonly kind: "refused"; readonly why: Refusal };

export interface Request {
  readonly ticket: number;
  readonly draft: Draft;
  readonly answer: (answer: Answer) => void;
}

/** Copies of a group. */
const REPLICAS = 3;

export class SimNode {
  readonly id: string;
  /** Counts its lives: what is on its way to a former life never arrives. */
  life = 0;
  alive = true;
  paused = false;
  /** Step at which a pause or a death ends. */
  backAt = 0;
  /** Nodes that it believes alive. */
  view: readonly string[];
  /** How far its clock is off, in microseconds. */
  skew = 0;
  state: GroupState = emptyState(0);
  leader: GroupLeader | null = null;
  /** While it is about to lead: the index to reach before the claim, null until the log has told. */
  #candidate: { target: number | null } | null = null;
  readonly #world: World;
  readonly #waiting = new Map<number, Request>();
  #flushPlanned = false;

  constructor(id: string, world: World) {
    this.id = id;
    this.#world = world;
    this.view = [id];
  }

  get up(): boolean {
    return this.alive && !this.paused;
  }

  get leads(): boolean {
    return this.leader?.phase === "leading";
  }

  get name(): string {
    return `${this.id}#${this.life}`;
  }

  /** Everything in RAM is gone; what it sent stays on its way. */
  crash(): void {
    this.life += 1;
    this.alive = false;
    this.paused = false;
    this.state = emptyState(0);
    this.leader = null;
    this.#candidate = null;
    this.#waiting.clear();
    this.#flushPlanned = false;
  }

  restart(): void {
    this.life += 1;
    this.alive = true;
  }

  /** Topology looks at the group: leads, hands over or steps aside as its own view says. */
  tick(): void {
    const { random, healing, climate, stats } = this.#world;
    const desired = desiredRoles(this.id, this.view, 1, REPLICAS)[0];
    if (this.leader) {
      if (desired === "leader" && !random.chance(climate.abandon / 20)) return;
      if (healing || random.chance(climate.release)) {
        stats.releases += 1;
        this.leader.release();
      } else if (random.chance(climate.abandon)) {
        stats.abandons += 1;
        this.leader.abandon();
      }
      return;
    }
    if (desired !== "leader") {
      this.#candidate = null;
      if (desired === "none" && random.chance(0.1)) this.state = emptyState(0);
    } else if (!this.#candidate) {
      const candidate: { target: number | null } = { target: null };
      this.#candidate = candidate;
      this.#world.bounds(this, (last) => {
        if (this.#candidate !== candidate) return;
        if (last === null) this.#candidate = null;
        else candidate.target = last;
        this.#claimWhenReady();
      });
    }
  }

  /** Applies some of what the log holds next, unless it leads. */
  follow(most: number): void {
    const { log, engineUp } = this.#world;
    if (this.leader || !engineUp) return;
    const to = Math.min(log.last, this.state.applied + most);
    while (this.state.applied < to) this.#apply(this.state.applied + 1);
    this.#claimWhenReady();
  }

  /** The leader looks at the log's end. What stands there may be its own entry, whose answer is still on its way. */
  observe(): void {
    const { log, engineUp, stats } = this.#world;
    if (!engineUp || !this.leader || log.last <= this.state.applied) return;
    if (!this.leader.inflight) stats.observedForeign += 1;
    this.leader.foreignEntry();
  }

  /** A call from a client, with one or more commands. */
  handle(requests: readonly Request[]): void {
    if (!this.alive) return;
    for (const request of requests) this.#propose(request);
    if (this.leader && !this.#flushPlanned) {
      this.#flushPlanned = true;
      this.#world.later(this, "flush", () => {
        this.#flushPlanned = false;
        this.leader?.flush();
      });
    }
  }

  #propose(request: Request): void {
    const { ticket, draft, answer } = request;
    const { defects, engineUp, ledger, log } = this.#world;
    if (this.leader?.phase === "leading" && draft.t !== "create" && !this.leader.knows(draft.session)) {
      // Only a leader that the log confirms may say that something does not exist.
      const confirmed = engineUp && !this.leader.inflight && log.last === this.state.applied;
      if (confirmed || defects.deniesUnconfirmed) {
        ledger.denied(ticket);
        return answer({ kind: "settled", words: "rejected session_not_found 0" });
      }
    }
    if (!this.leader) {
      ledger.refused(ticket, "not_leader");
      return answer({ kind: "refused", why: "not_leader" });
    }
    this.#waiting.set(ticket, request);
    this.leader.propose(ticket, draft);
  }

  #apply(index: number): void {
    const { log, ledger, defects } = this.#world;
    const data = log.entries[index - 1]!;
    if (defects.divergesOnRead && this.id === "n1") {
      const { commands, epoch } = decodeEntry(0, index, data);
      const changed = commands.map((command) => (command.t === "read" ? { ...command, seq: 0 } : command));
      applyEntry(this.state, { index, epoch }, changed);
    } else {
      must(applyBytes(this.state, index, data), () => `${this.name} diverged before entry ${index}`);
    }
    spoil(this.state, defects);
    ledger.applied(this.state, this.name);
  }

  #claimWhenReady(): void {
    const target = this.#candidate?.target ?? null;
    if (target === null || this.state.applied < target || this.leader) return;
    this.#candidate = null;
    const { stats } = this.#world;
    stats.claims += 1;
    if (this.state.applied > 0) stats.hotPromotions += 1;
    const leader: GroupLeader = new GroupLeader(
      this.id,
      this.state,
      this.#port(() => leader),
    );
    this.leader = leader;
    leader.claim();
  }

  #port(self: () => GroupLeader): LeaderPort {
    const world = this.#world;
    const { defects, ledger, stats } = world;
    return {
      append: (data, expectedLast, messageId) =>
        world.append(this, data, expectedLast, messageId, (result) => self().appended(messageId, result)),
      inspect: (index) => world.inspect(this, index, (batch) => self().inspected(index, batch)),
      retryAfter: () => {
        if (!defects.losesRetries) world.timer(this, "retry", () => self().retry());
      },
      settle: (ticket, outcome, command) => {
        ledger.settled(ticket, outcome, command, this.state.applied);
        stats.settled += 1;
        this.#answer(ticket, { kind: "settled", words: summary(outcome) });
      },
      refuse: (ticket, why) => {
        const said = why === "maybe" && defects.abandonedMeansNotWritten ? "not_leader" : why;
        ledger.refused(ticket, said);
        stats[said] += 1;
        this.#answer(ticket, { kind: "refused", why: said });
      },
      committed: (index) => {
        ledger.committed(this.state.epoch, index);
        spoil(this.state, defects);
        ledger.applied(this.state, this.name);
      },
      led: (epoch) => {
        ledger.led(this.name, epoch);
        stats.led += 1;
        world.trace(() => `${this.name} leads epoch ${epoch} from ${this.state.applied}`);
      },
      ended: (reason) => {
        stats[reason] += 1;
        world.trace(() => `${this.name} leads no more: ${reason}`);
        this.leader = null;
      },
      clock: () => world.now + this.skew,
      messageId: () => world.nextId("m"),
      batchId: () => world.nextId("b"),
    };
  }

  #answer(ticket: number, answer: Answer): void {
    this.#waiting.get(ticket)?.answer(answer);
    this.#waiting.delete(ticket);
  }
}
