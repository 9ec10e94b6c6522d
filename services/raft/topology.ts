/** @module Topology of one node: brings its replicas to what placement wants, step by step, as nodes come and go. */
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { ServiceBroker } from "moleculer";
import pLimit from "p-limit";
import type { GroupState } from "../../lib/conversation/state.ts";
import { type Runtime, runtimeOf } from "../../lib/runtime.ts";
import { archivePort } from "./archive-port.ts";
import { haltedCopies, liveNodes, otherLeader, placeableNodes, tellOthers } from "./cluster-view.ts";
import type { CopyPart, GetCopy, Yield, Yielded } from "./contract.ts";
import { Copies, CopyFetcher } from "./copies.ts";
import { Draining } from "./draining.ts";
import type { LogEngine } from "./engine/engine.ts";
import { Corrupt, GroupsMismatch, Unavailable } from "./engine/errors.ts";
import { engineOptions, openEngine } from "./engine/open.ts";
import { type AppendSlots, Slots } from "./engine/slots.ts";
import { EngineWarnings } from "./engine-warnings.ts";
import { HotMessages } from "./hot-messages.ts";
import { RaftMetrics } from "./metrics.ts";
import { nodeGauges } from "./node-gauges.ts";
import { desiredRoles, type Role, rankNodes } from "./placement.ts";
import { Presence } from "./presence.ts";
import { nextStep, type Step } from "./reconcile.ts";
import { Replica } from "./replica.ts";

/** A node that has just joined gets its groups this much later, so that a quick restart moves them once. */
export const JOIN_DELAY_MS = 2000;
/** A change that did not come about is tried again after this. */
export const RETRY_MS = 250;
/** How long the first round waits for the nodes that start together with this one. */
const GATHER_MS = 2000;
/** Replicas that change at the same time. */
const CONCURRENCY = 32;
/**
 * Entries that a node has under way on NATS at a time. Each costs the servers much more than its bytes, so under load
 * fewer and larger ones are faster; one that is late does not hold up the others.
 */
const NATS_SLOTS = 4;
const NATS_SLOT_MS = 50;
/** Groups of a node that are archived at the same time. */
const ARCHIVERS = 4;
/** How long a leader may take to settle its entry when it hands over or stops. */
const RELEASE_MS = 3000;

export class Topology {
  readonly replicas = new Map<number, Replica>();
  /** What placement wants this node to be, by group; empty before the first round. */
  roles: readonly Role[] = [];
  readonly #broker: ServiceBroker;
  readonly #logger: ServiceBroker["logger"];
  readonly #runtime: Runtime;
  readonly #hot: HotMessages;
  readonly #metrics: RaftMetrics;
  readonly #presence: Presence;
  readonly #limit = pLimit(CONCURRENCY);
  readonly #archiverLimit = pLimit(ARCHIVERS);
  readonly #copies = new Copies();
  readonly #copyFetcher: CopyFetcher;
  readonly #draining: Draining;
  /** The SQLite engine makes one transaction of the entries of all groups: there, more at a time are faster. */
  readonly #slots: AppendSlots;
  readonly #warnings: EngineWarnings;
  /** Groups with a step under way or waiting for its turn. */
  readonly #changing = new Set<number>();
  #engine: LogEngine | null = null;
  #stopping = false;
  #timer: NodeJS.Timeout | null = null;
  #dueAt = 0;

  constructor(broker: ServiceBroker, logger: ServiceBroker["logger"]) {
    this.#broker = broker;
    this.#logger = logger;
    this.#runtime = runtimeOf(broker);
    this.#presence = new Presence(broker, JOIN_DELAY_MS);
    this.#copyFetcher = new CopyFetcher(broker);
    this.#draining = new Draining(broker, logger, () =>
      [...this.replicas.values()].some(({ leader }) => leader !== null),
    );
    const { natsUrl } = this.#runtime.config;
    this.#slots = natsUrl === null ? { run: (task) => task() } : new Slots(NATS_SLOTS, NATS_SLOT_MS);
    this.#warnings = new EngineWarnings(logger);
    this.#hot = new HotMessages(this.#runtime.config.hotBytes);
    this.#metrics = new RaftMetrics(this.#runtime.metrics, () =>
      nodeGauges([...this.replicas.values()], this.#hot, this.#engine),
    );
  }

  /** The node's log engine. Throws before it is open. */
  get engine(): LogEngine {
    if (!this.#engine) throw new Error(`node ${this.#broker.nodeID} has not opened its log engine yet`);
    return this.#engine;
  }

  /** Opens the log engine. Throws as the engines do. */
  async open(): Promise<void> {
    this.#engine = await openEngine(engineOptions(this.#runtime.config, this.#logger));
  }

  /** Waits for the nodes that start together and for the logs, then takes this node's place. */
  async start(): Promise<void> {
    const { config } = this.#runtime;
    const deadline = performance.now() + GATHER_MS;
    while (liveNodes(this.#broker).length < config.expectedNodes && performance.now() < deadline)
      await delay(20);
    while (!this.#stopping && !(await this.#provision())) await delay(RETRY_MS);
    this.soon(0);
  }

  /** What is done every 10 s: the coordinator looks after the logs, every node after its replicas. */
  async reconcile(): Promise<void> {
    this.soon(0);
    if (this.roles.length === 0) return;
    if (liveNodes(this.#broker)[0] === this.#broker.nodeID) await this.#provision();
    else await this.#inspect();
  }

  /** Runs a round after so many milliseconds, or earlier when one is due earlier. */
  soon(ms: number): void {
    // Before the logs are known to be those of its configuration the node has no place among the others.
    if (this.#stopping || !this.#runtime.admission.open) return;
    const dueAt = performance.now() + ms;
    if (this.#timer) {
      if (this.#dueAt <= dueAt) return;
      clearTimeout(this.#timer);
    }
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#round();
    }, ms);
  }

  /** Looks for lost nodes, and notices when this process itself was away. */
  async pulse(): Promise<void> {
    this.#feelPulse();
    await this.#presence.missTheGone();
  }

  #feelPulse(): void {
    this.#presence.beat();
    if (this.#engine?.kind === "sqlite" && !this.#stopping && !this.#engine.status().connected) {
      return this.#runtime.halt(
        new Error(
          "The log's writer ended unexpectedly: what was acknowledged is in the log; start Fleetport again.",
        ),
      );
    }
    // Moleculer by itself looks only once in a whole timeout.
    this.#broker.registry.discoverer.checkRemoteNodes();
  }

  /** Hands a group to the node that ranks first, if this node agrees that it does. */
  async yield({ group, to }: Yield): Promise<Yielded> {
    const first = rankNodes(group, placeableNodes(this.#broker), haltedCopies(this.#broker))[0];
    if (first !== to) return { released: false, reason: `node ${first} ranks first here` };
    const replica = this.replicas.get(group);
    if (!replica?.leader) return { released: false, reason: "not the leader" };
    return { released: await replica.release(), reason: null };
  }

  /** Leaves placement: see `Draining.begin`. */
  drain(limitMs: number): Promise<boolean> {
    return this.#draining.begin(limitMs);
  }

  /** Archives what the groups led here have decided so far; stops waiting after so many milliseconds. */
  async flush(limitMs: number): Promise<void> {
    const flushes = Promise.all([...this.replicas.values()].map((replica) => replica.flush()));
    await Promise.race([flushes, delay(limitMs, undefined, { ref: false })]);
  }

  /** A part of this node's copy of a group; null when it has none that is recovered. */
  copy({ group, token, offset }: GetCopy): CopyPart {
    const replica = this.replicas.get(group);
    if (!replica?.state || !replica.caughtUp) return null;
    return this.#copies.part(replica.state, token, offset);
  }

  /** Returns to placement, if the node is still here. */
  undrain(): void {
    this.#draining.end();
    this.soon(0);
  }

  /** Starts no more steps: the nodes of this process stop together, and none takes over from another. */
  freeze(): void {
    this.#stopping = true;
    this.#copyFetcher.stop();
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Releases what is led, drops every copy and closes the engine. */
  async stop(): Promise<void> {
    this.freeze();
    await Promise.all(
      [...this.replicas.values()].map(async (replica) => {
        await Promise.race([replica.release(), delay(RELEASE_MS, undefined, { ref: false })]);
        await replica.stop();
      }),
    );
    await this.#engine?.close();
  }

  /** True once every log is there; false when the engine cannot be reached now. */
  async #provision(): Promise<boolean> {
    try {
      await this.engine.provision(this.#runtime.config.groups);
      this.#runtime.admission.open = true;
      this.#warnings.look(this.engine.status().warnings);
      return true;
    } catch (error) {
      if (error instanceof GroupsMismatch || error instanceof Corrupt) {
        this.#runtime.halt(error);
        return true;
      }
      if (!(error instanceof Unavailable)) throw error;
      this.#logger.warn("the log engine is not ready, trying again", { error: error.message });
      return false;
    }
  }

  /** Learns what the coordinator has changed of the logs. */
  async #inspect(): Promise<void> {
    try {
      await this.engine.inspect();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
    }
    this.#warnings.look(this.engine.status().warnings);
  }

  /** One round: every group that is not as it should be here is brought one step nearer. */
  #round(): void {
    const { config, fanout } = this.#runtime;
    this.#feelPulse();
    if (!fanout.connected || this.#presence.blind) return this.soon(JOIN_DELAY_MS);
    this.#tellHalted();
    const nodes = placeableNodes(this.#broker);
    const isHalted = haltedCopies(this.#broker);
    this.roles = desiredRoles(this.#broker.nodeID, nodes, config.groups, config.replicas, isHalted);
    this.roles.forEach((desired, group) => {
      if (this.#changing.has(group)) return;
      const replica = this.replicas.get(group);
      const step = nextStep({
        desired,
        held: replica?.held ?? "none",
        caughtUp: replica?.caughtUp ?? false,
        halted: replica?.problem != null,
        otherLeader: otherLeader(this.#broker, group),
      });
      if (step) this.#schedule(group, step);
    });
  }

  /** The others lead what this node's copies cannot go on with; see `haltedCopies`. */
  #tellHalted(): void {
    const halted = [...this.replicas.values()].filter((copy) => copy.copyHalted).map(({ group }) => group);
    if (isDeepStrictEqual(new Set(halted), new Set(this.#broker.metadata.halted ?? []))) return;
    tellOthers(this.#broker, { halted });
  }

  #schedule(group: number, step: Step): void {
    this.#changing.add(group);
    this.#limit(async () => {
      try {
        if (this.#stopping || (await this.#take(group, step))) return;
      } catch (error) {
        const fields = { group, step: step.kind, error: String(error) };
        this.#logger.warn("a group could not be changed, trying again", fields);
      } finally {
        this.#changing.delete(group);
      }
      this.soon(RETRY_MS);
    });
  }

  /** Takes a step, and the next one where it follows at once. False when topology should look again soon. */
  async #take(group: number, step: Step): Promise<boolean> {
    const replica = this.replicas.get(group) ?? (await this.#addReplica(group));
    switch (step.kind) {
      case "follow": {
        const caughtUp = await replica.follow();
        const leads = this.roles[group] === "leader" && otherLeader(this.#broker, group) === null;
        return caughtUp && leads
          ? replica.promote()
          : replica.problem !== null || this.roles[group] !== "leader";
      }
      case "promote":
        return replica.promote();
      case "take-over": {
        const { released } = await this.#broker.call<Yielded, Yield>(
          "raft.topology.yield",
          { group, to: this.#broker.nodeID },
          { nodeID: step.from, timeout: 2 * RELEASE_MS },
        );
        return released && replica.promote();
      }
      case "verify":
        await replica.verify();
        return true;
      case "stop":
        this.replicas.delete(group);
        await replica.stop();
        return true;
    }
  }

  async #addReplica(group: number): Promise<Replica> {
    const log = await this.engine.open(group);
    if (this.#stopping) throw new Error("the node stops");
    const replica = new Replica(log, {
      broker: this.#broker,
      logger: this.#logger,
      hot: this.#hot,
      metrics: this.#metrics,
      archive: archivePort(this.#broker, this.#runtime.config.appendTimeoutMs / 2),
      archiverLimit: this.#archiverLimit,
      slots: this.#slots,
      fetchCopy: (of) => this.#fetchCopy(of),
      otherLeader: (of) => otherLeader(this.#broker, of),
      announce: (event, payload) => this.#announce(event, payload),
      changed: () => this.soon(0),
    });
    this.replicas.set(group, replica);
    return replica;
  }

  /** The leader's copy is the newest; any other will do. */
  #fetchCopy(group: number): Promise<GroupState | null> {
    return this.#copyFetcher.fetch(group, () => {
      const leader = otherLeader(this.#broker, group);
      const others = liveNodes(this.#broker).filter((id) => id !== this.#broker.nodeID && id !== leader);
      return leader === null ? others : [leader, ...others];
    });
  }

  /** Nodes of one process stop together: there is nobody left to tell. */
  #announce(event: string, payload: object): void {
    if (this.#stopping && this.#runtime.config.mode === "embedded") return;
    this.#broker.broadcast(event, payload).catch((error: unknown) => {
      this.#logger.warn("a lifecycle event was not sent", { event, error: String(error) });
    });
  }
}
