/** @module One group on one node: follows its log, leads it, and changes between the two. */
import type { Service, ServiceBroker } from "moleculer";
import type { LimitFunction } from "p-limit";
import type { GroupState } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import type { ArchivePort } from "./archive-port.ts";
import type { ArchiveStalled, LeaderChanged, LeaderEnded, ReplicaHalted, ReplicaReport } from "./contract.ts";
import type { GroupLog } from "./engine/engine.ts";
import type { AppendSlots } from "./engine/slots.ts";
import { followerService } from "./follower.service.ts";
import { Follower } from "./follower.ts";
import type { HotMessages } from "./hot-messages.ts";
import { leaderService } from "./leader.service.ts";
import { LeaderDriver } from "./leader-driver.ts";
import type { RaftMetrics } from "./metrics.ts";
import { recoverState } from "./recovery.ts";

type Holding =
  | { readonly kind: "follower"; readonly follower: Follower; readonly service: Service; caughtUp: boolean }
  | { readonly kind: "leader"; readonly leader: LeaderDriver; readonly service: Service }
  | { readonly kind: "none" };

export interface ReplicaEnvironment {
  readonly broker: ServiceBroker;
  readonly logger: ServiceBroker["logger"];
  readonly hot: HotMessages;
  readonly metrics: RaftMetrics;
  readonly archive: ArchivePort;
  /** Passes of archivers that run at the same time on this node. */
  readonly archiverLimit: LimitFunction;
  readonly slots: AppendSlots;
  /** A copy of the group from another node; null when none has one. */
  readonly fetchCopy: (group: number) => Promise<GroupState | null>;
  /** Node that leads by the registry, this one aside. */
  readonly otherLeader: (group: number) => string | null;
  /** Broadcasts a lifecycle event on the bus. */
  readonly announce: (
    event: string,
    payload: LeaderChanged | LeaderEnded | ReplicaHalted | ArchiveStalled,
  ) => void;
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
  /** Whether `stop` was called: nothing begins here any more. */
  #stopping = false;
  /** Why this group must not begin; null when it may. */
  #refusal: string | null = null;

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
    return this.#refusal ?? (this.#holding.kind === "follower" ? this.#holding.follower.problem : null);
  }

  /**
   * Whether this copy cannot apply the log, which others may: of another version, or damaged. What is wrong with the
   * group's data as a whole is none of it: there no node should lead.
   */
  get copyHalted(): boolean {
    return this.#holding.kind === "follower" && this.#holding.follower.problem !== null;
  }

  report(): ReplicaReport {
    const { state, problem } = this;
    const obstacle = this.#holding.kind === "follower" ? this.#holding.follower.obstacle : null;
    const recovering = this.caughtUp ? "follower" : "recovering";
    return {
      group: this.group,
      role: problem !== null ? "halted" : this.#holding.kind === "leader" ? "leader" : recovering,
      epoch: state?.epoch ?? 0,
      applied: state?.applied ?? 0,
      archived: state?.archived ?? 0,
      behind: state ? Math.max(0, state.changed - state.archived) : 0,
      sessions: state?.sessions.size ?? 0,
      problem: problem ?? obstacle,
      archive_problem: this.leader?.archiver.problem ?? null,
    };
  }

  /** Starts a follower where there is no copy yet, and waits until it has applied what the log held; false when it could not. */
  follow(): Promise<boolean> {
    return this.#change(async () => {
      if (this.#holding.kind === "none" && !this.#stopping) this.#startFollower(null);
      if (this.#holding.kind === "follower") this.#holding.caughtUp = await this.#holding.follower.caughtUp();
      return this.caughtUp;
    });
  }

  /**
   * Makes the follower lead. Resolves with false when somebody else wrote first; it goes on as a follower then. And when
   * the replica stops meanwhile.
   */
  promote(): Promise<boolean> {
    return this.#change(async () => {
      if (this.#holding.kind !== "follower" || this.problem !== null) return false;
      const began = performance.now();
      if (!(await this.#holding.follower.caughtUp())) return false;
      if (this.#holding.follower.state.applied === 0 && (await this.#archiveHasMore())) return false;
      const { follower, service } = this.#holding;
      const state = await follower.stop();
      // Nobody would be left to abandon a claim that waits for the log.
      if (this.#stopping) return false;
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
    await this.leader?.verify().catch(() => undefined);
  }

  /**
   * Another node leads by this epoch: a leader of an earlier one serves no read that the log has not confirmed, though
   * its lease goes on.
   */
  async rivalled(epoch: number): Promise<void> {
    if (this.leader && this.leader.state.epoch < epoch) await this.verify();
  }

  /** Drops the copy for good. A leader ends without a release unless it was released before. */
  stop(): Promise<void> {
    this.#stopping = true;
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

  /** Archives now what there is, if this node leads. */
  async flush(): Promise<void> {
    await this.leader?.archiver.flush();
  }

  /** No group starts empty over existing data. An archive that is away is asked later, by the archiver. */
  async #archiveHasMore(): Promise<boolean> {
    const watermark = await this.#env.archive.watermark(this.group).catch((error: unknown) => {
      if (errorCode(error) === "archive_unavailable") return 0;
      throw error;
    });
    if (watermark === 0) return false;
    this.#halt(
      `group ${this.group}: its log is empty, and the archive holds its entries up to ${watermark}: set DATABASE_URL to an empty database, or bring the log back that belongs to this one`,
    );
    return true;
  }

  #halt(problem: string): void {
    this.#refusal = problem;
    this.#env.logger.error("group halted", { group: this.group, problem });
    const event: ReplicaHalted = { group: this.group, node: this.#env.broker.nodeID, problem };
    this.#env.announce("raft.replica.halted", event);
  }

  #leaderEnvironment() {
    const { announce, archive, archiverLimit, broker, hot, logger, metrics, otherLeader, slots } = this.#env;
    const { config, fanout, halt } = runtimeOf(broker);
    const { group } = this;
    return {
      node: broker.nodeID,
      log: this.#log,
      fanout,
      hot,
      archive,
      archiver: {
        options: config,
        limit: archiverLimit,
        stalled: (problem: string | null) => {
          const event: ArchiveStalled = { group, node: broker.nodeID, problem };
          if (problem === null) logger.info("the group is archived again", { group });
          else logger.error("the group's archive stands still", { group, problem });
          announce(problem === null ? "archive.resumed" : "archive.stalled", event);
        },
        foreign: (problem: string) => {
          this.#halt(problem);
          void this.release();
        },
      },
      logger,
      metrics,
      slots,
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

  #startFollower(state: GroupState | null): void {
    const { announce, archive, broker, changed, fetchCopy, logger, metrics } = this.#env;
    const { group } = this;
    const follower = new Follower(this.#log, state, {
      recover: () =>
        recoverState(this.#log, {
          replica: () => fetchCopy(group),
          archive,
          logger,
          refused: () => metrics.snapshot("refused"),
        }),
      diverged: (index) => {
        metrics.diverged();
        logger.error("state differs from the leader's and is rebuilt", { group, index });
      },
      halted: (problem) => {
        logger.error("group halted", { group, problem });
        const event: ReplicaHalted = { group, node: broker.nodeID, problem };
        announce("raft.replica.halted", event);
        changed();
      },
      corrupt: (error) => runtimeOf(broker).halt(error),
      unavailable: (error) =>
        logger.warn("the group cannot be followed, trying again", { group, error: error.message }),
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
