/** @module One group on one node: follows its log, leads it, and changes between the two. */
import type { Service, ServiceBroker } from "moleculer";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import type { LeaderChanged, LeaderEnded, ReplicaHalted, ReplicaReport } from "./contract.ts";
import type { GroupLog } from "./engine/engine.ts";
import { followerService } from "./follower.service.ts";
import { Follower } from "./follower.ts";
import type { HotMessages } from "./hot-messages.ts";
import { leaderService } from "./leader.service.ts";
import { LeaderDriver } from "./leader-driver.ts";
import type { RaftMetrics } from "./metrics.ts";

type Holding =
  | { readonly kind: "follower"; readonly follower: Follower; readonly service: Service; caughtUp: boolean }
  | { readonly kind: "leader"; readonly leader: LeaderDriver; readonly service: Service }
  | { readonly kind: "none" };

export interface ReplicaEnvironment {
  readonly broker: ServiceBroker;
  readonly logger: ServiceBroker["logger"];
  readonly hot: HotMessages;
  readonly metrics: RaftMetrics;
  /** Node that leads by the registry, this one aside. */
  readonly otherLeader: (group: number) => string | null;
  /** Broadcasts a lifecycle event on the bus. */
  readonly announce: (event: string, payload: LeaderChanged | LeaderEnded | ReplicaHalted) => void;
  /** Something changed that topology should look at again. */
  readonly changed: () => void;
}

/** Changes of one replica run one after the other; each returns when the change is complete. */
export class Replica {
  readonly group: number;
  readonly #env: ReplicaEnvironment;
  readonly #log: GroupLog;
  #holding: Holding = { kind: "none" };
  #changes: Promise<unknown> = Promise.resolve();
  #claiming: LeaderDriver | null = null;

  constructor(log: GroupLog, env: ReplicaEnvironment) {
    this.group = log.group;
    this.#log = log;
    this.#env = env;
  }

  get log(): GroupLog {
    return this.#log;
  }

  get held(): Holding["kind"] {
    return this.#holding.kind;
  }

  get leader(): LeaderDriver | null {
    return this.#holding.kind === "leader" ? this.#holding.leader : null;
  }

  get caughtUp(): boolean {
    return this.#holding.kind === "leader" || (this.#holding.kind === "follower" && this.#holding.caughtUp);
  }

  /** State held; null when this node has no copy. */
  get state(): GroupState | null {
    if (this.#holding.kind === "leader") return this.#holding.leader.state;
    return this.#holding.kind === "follower" ? this.#holding.follower.state : null;
  }

  /** Why the copy cannot go on; null while it can. */
  get problem(): string | null {
    return this.#holding.kind === "follower" ? this.#holding.follower.problem : null;
  }

  report(): ReplicaReport {
    const { state, problem } = this;
    const recovering = this.caughtUp ? "follower" : "recovering";
    return {
      group: this.group,
      role: problem !== null ? "halted" : this.#holding.kind === "leader" ? "leader" : recovering,
      epoch: state?.epoch ?? 0,
      applied: state?.applied ?? 0,
      sessions: state?.sessions.size ?? 0,
      problem,
    };
  }

  /** Starts a follower where there is no copy yet, and waits until it has applied what the log held; false when it could not. */
  follow(): Promise<boolean> {
    return this.#change(async () => {
      if (this.#holding.kind === "none") this.#startFollower(emptyState(this.group));
      if (this.#holding.kind === "follower") this.#holding.caughtUp = await this.#holding.follower.caughtUp();
      return this.caughtUp;
    });
  }

  /** Makes the follower lead. Resolves with false when somebody else wrote first; it goes on as a follower then. */
  promote(): Promise<boolean> {
    return this.#change(async () => {
      if (this.#holding.kind !== "follower" || this.#holding.follower.problem !== null) return false;
      const began = performance.now();
      if (!(await this.#holding.follower.caughtUp())) return false;
      const { follower, service } = this.#holding;
      const state = await follower.stop();
      const leader = new LeaderDriver(
        {
          ...this.#leaderEnvironment(),
          ended: (reason) => this.#leaderEnded(leader, reason),
        },
        state,
      );
      this.#claiming = leader;
      const led = await leader.lead();
      this.#claiming = null;
      if (!led) {
        await this.#env.broker.destroyService(service);
        this.#startFollower(state);
        return false;
      }
      this.#holding = {
        kind: "leader",
        leader,
        service: this.#env.broker.createService(leaderService(leader)),
      };
      await this.#env.broker.destroyService(service);
      this.#env.metrics.ledAgain();
      this.#env.logger.info("leads group", {
        group: this.group,
        epoch: state.epoch,
        index: state.applied,
        ms: Math.round(performance.now() - began),
      });
      const changed: LeaderChanged = { group: this.group, node: this.#env.broker.nodeID, epoch: state.epoch };
      this.#env.announce("raft.leader.changed", changed);
      return true;
    });
  }

  /** Ends leadership in an orderly way and goes on as a follower. True when the release is in the log. */
  async release(): Promise<boolean> {
    const { leader } = this;
    if (!leader) return false;
    const reason = await leader.release();
    await this.#changes;
    return reason === "released";
  }

  /** Asks the log whether this node still leads; ends its leadership when it does not. */
  async verify(): Promise<void> {
    // A refusal is the answer: the lease is lost or the leader ended, and `ended` has seen to it.
    await this.leader?.ensureLease().catch(() => undefined);
  }

  /** Drops the copy. A leader ends without a release unless it was released before. */
  stop(): Promise<void> {
    // A claim or a catch-up that waits for the log would hold up everything behind it.
    this.#claiming?.abandon();
    if (this.#holding.kind === "follower") void this.#holding.follower.stop();
    return this.#change(async () => {
      const holding = this.#holding;
      this.#holding = { kind: "none" };
      if (holding.kind === "none") return;
      if (holding.kind === "follower") await holding.follower.stop();
      else holding.leader.abandon();
      await this.#env.broker.destroyService(holding.service);
    });
  }

  #leaderEnvironment() {
    const { broker, hot, metrics, otherLeader } = this.#env;
    const { config, fanout, halt } = runtimeOf(broker);
    return {
      node: broker.nodeID,
      log: this.#log,
      fanout,
      hot,
      metrics,
      leaseMs: config.leaderLeaseMs,
      inflightBytes: config.inflightBytes,
      hint: () => otherLeader(this.group),
      broken: halt,
    };
  }

  #leaderEnded(leader: LeaderDriver, reason: LeaderEnded["reason"]): void {
    const ended: LeaderEnded = { group: this.group, node: this.#env.broker.nodeID, reason };
    this.#env.announce("raft.leader.ended", ended);
    this.#change(async () => {
      if (this.#holding.kind !== "leader" || this.#holding.leader !== leader) return;
      const { service } = this.#holding;
      this.#env.logger.info("no longer leads group", { group: this.group, reason });
      this.#startFollower(leader.state);
      await this.#env.broker.destroyService(service);
      this.#env.changed();
    });
  }

  #startFollower(state: GroupState): void {
    const { announce, broker, logger, metrics } = this.#env;
    const { group } = this;
    const follower = new Follower(this.#log, state, {
      diverged: (index) => {
        metrics.diverged();
        logger.error("state differs from the leader's and is rebuilt from the log", { group, index });
      },
      halted: (problem) => {
        logger.error("group halted", { group, problem });
        const event: ReplicaHalted = { group, node: broker.nodeID, problem };
        announce("raft.replica.halted", event);
      },
      corrupt: (error) => runtimeOf(broker).halt(error),
      unavailable: (error) =>
        logger.warn("the log cannot be read, trying again", { group, error: error.message }),
    });
    follower.start();
    const service = broker.createService(followerService(group, follower));
    this.#holding = { kind: "follower", follower, service, caughtUp: false };
  }

  #change<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(body);
    this.#changes = result.catch(() => undefined);
    return result;
  }
}
