/** @module One simulated node: a replica that follows the log, leads when its view says so, pauses, dies, returns. */
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { Draft } from "../../lib/conversation/commands.ts";
import { decodeSnapshot, encodeSnapshot } from "../../lib/conversation/snapshot.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import { LogError } from "../../services/raft/engine/errors.ts";
import { decodeEntry } from "../../services/raft/entry.ts";
import { applyBytes } from "../../services/raft/follower.ts";
import type { Refusal } from "../../services/raft/leader.ts";
import { desiredRoles } from "../../services/raft/placement.ts";
import { RecoveryGap, recoverState } from "../../services/raft/recovery.ts";
import { archiveLink } from "./archive-link.ts";
import { spoil } from "./defects.ts";
import { Lead } from "./lead.ts";
import { must } from "./naive-group.ts";
import { quietLogger } from "./quiet.ts";
import type { World } from "./world.ts";

/** What a caller hears: an outcome in the words of `summary`, or why there is none. */
export type Answer =
  | { readonly kind: "settled"; readonly words: string }
  | { readonly kind: "refused"; readonly why: Refusal | "archive_unavailable" };

export interface Request {
  readonly ticket: number;
  readonly draft: Draft;
  readonly answer: (answer: Answer) => void;
}

/** Copies of a group. */
const REPLICAS = 3;

/** Nodes that are asked for their copy, one after the other. */
const ASKED = 2;

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
  leader: Lead | null = null;
  /** Whether the state is one that the log can be applied to. */
  #recovered = false;
  #recovering = false;
  /** While it is about to lead: the index to reach before the claim, null until the log has told. */
  #candidate: { target: number | null } | null = null;
  readonly #world: World;

  constructor(id: string, world: World) {
    this.id = id;
    this.#world = world;
    this.view = [id];
  }

  get up(): boolean {
    return this.alive && !this.paused;
  }

  get leads(): boolean {
    return this.leader?.leads ?? false;
  }

  get name(): string {
    return `${this.id}#${this.life}`;
  }

  /** Everything in RAM is gone; what it sent stays on its way. */
  crash(): void {
    this.life += 1;
    this.alive = false;
    this.paused = false;
    this.#drop();
    this.leader?.forget();
    this.leader = null;
    this.#candidate = null;
    this.#recovering = false;
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
        this.leader.machine.release();
      } else if (random.chance(climate.abandon)) {
        stats.abandons += 1;
        this.leader.machine.abandon();
      }
      return;
    }
    if (desired !== "leader") {
      this.#candidate = null;
      if (desired === "none" && random.chance(0.1)) this.#drop();
    } else if (!this.#candidate) {
      const candidate: { target: number | null } = { target: null };
      this.#candidate = candidate;
      this.#world.logLink.bounds(this, (last) => {
        if (this.#candidate !== candidate) return;
        if (last === null) this.#candidate = null;
        else candidate.target = last;
        this.#claimWhenReady();
      });
    }
  }

  /** Applies some of what the log holds next, unless it leads. */
  follow(most: number): void {
    const { log, engineUp, stats, defects } = this.#world;
    if (this.leader || !engineUp) return;
    if (this.#recovered && this.state.applied < log.first - 1) {
      stats.fellBehind += 1;
      this.#drop();
    }
    if (!this.#recovered && defects.recoversEmpty) {
      this.#recovered = true;
      this.state.applied = log.first - 1;
    }
    if (!this.#recovered) return this.#recover();
    const to = Math.min(log.last, this.state.applied + most);
    while (this.state.applied < to) this.#apply(this.state.applied + 1);
    this.#claimWhenReady();
  }

  /** The leader looks at the log's end. What stands there may be its own entry, whose answer is still on its way. */
  observe(): void {
    const { log, engineUp, stats } = this.#world;
    if (!engineUp || !this.leader || log.last <= this.state.applied) return;
    if (!this.leader.machine.inflight) stats.observedForeign += 1;
    this.leader.machine.foreignEntry();
  }

  /** A call from a client, with one or more commands. */
  handle(requests: readonly Request[]): void {
    if (!this.alive) return;
    if (this.leader) return this.leader.handle(requests);
    for (const { ticket, answer } of requests) {
      this.#world.ledger.refused(ticket, "not_leader");
      answer({ kind: "refused", why: "not_leader" });
    }
  }

  /** What this node gives to others; null when it has nothing that they can use. */
  copy(): Uint8Array | null {
    return this.up && this.#recovered ? encodeSnapshot(this.state) : null;
  }

  #drop(): void {
    this.state = emptyState(0);
    this.#recovered = false;
  }

  #recover(): void {
    if (this.#recovering) return;
    this.#recovering = true;
    const world = this.#world;
    const { stats, ledger } = world;
    world.stir();
    recoverState(world.logLink.of(this), {
      replica: () => this.#fetchCopy(),
      archive: archiveLink(world, this),
      logger: quietLogger,
      refused: () => {
        stats.refusedSnapshots += 1;
      },
    })
      .then((state) => {
        this.#recovering = false;
        if (this.leader || this.#recovered) return;
        if (state.applied > 0 && this.#copied !== state) stats.recoveredFromSnapshot += 1;
        else stats[state.applied > 0 ? "recoveredFromReplica" : "recoveredFromLog"] += 1;
        world.trace(() => `${this.name} has recovered at ${state.applied}`);
        this.state = state;
        this.#recovered = true;
        ledger.compareFully(state, this.name);
      })
      .catch((error: unknown) => {
        this.#recovering = false;
        if (error instanceof RecoveryGap) stats.recoveryGaps += 1;
        else if (!(error instanceof LogError)) world.broken(error);
      });
  }
  /** The last state that came from another node. */
  #copied: GroupState | null = null;

  async #fetchCopy(): Promise<GroupState | null> {
    const world = this.#world;
    const { callLost } = world.climate;
    for (let asked = 0; asked < ASKED; asked++) {
      const other = world.random.pick(world.nodes);
      if (other === this) continue;
      const lost = () => new Error("no answer");
      const bytes = await world.traffic
        .request(this, `copy of ${other.id}`, callLost, callLost, lost, () => other.copy())
        .catch(() => null);
      if (!bytes) continue;
      this.#copied = decodeSnapshot(bytes);
      return this.#copied;
    }
    return null;
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
    spoil(this.state, defects, () => decodeEntry(0, index, data).commands);
    ledger.applied(this.state, this.name);
  }

  #claimWhenReady(): void {
    const target = this.#candidate?.target ?? null;
    if (target === null || !this.#recovered || this.state.applied < target || this.leader) return;
    this.#candidate = null;
    const { stats } = this.#world;
    stats.claims += 1;
    if (this.state.applied > 0) stats.hotPromotions += 1;
    this.leader = new Lead(this.#world, this, this.state, () => {
      this.leader = null;
    });
    this.leader.machine.claim();
  }
}
