/** @module Who leads what: keeps this node's replicas as placement wants them, as nodes come and go. */
import type { Context, Service } from "moleculer";
import pLimit, { type LimitFunction } from "p-limit";
import type { Config } from "../../lib/config.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { liveNodes, otherLeader } from "./cluster-view.ts";
import type {
  GroupDetail,
  NodeReport,
  UserSessions,
  UserSessionsResult,
  Yield,
  Yielded,
} from "./contract.ts";
import type { LogEngine } from "./engine/engine.ts";
import { Corrupt, GroupsMismatch, Unavailable } from "./engine/errors.ts";
import { type EngineOptions, openEngine } from "./engine/open.ts";
import { HotMessages } from "./hot-messages.ts";
import { RaftMetrics } from "./metrics.ts";
import { desiredRoles, type Role, rankNodes } from "./placement.ts";
import { nextStep, type Step } from "./reconcile.ts";
import { Replica } from "./replica.ts";
import { sessionView } from "./views.ts";

/** A node that has just joined gets its groups this much later, so that a quick restart moves them once. */
const JOIN_DELAY_MS = 2000;
const RECONCILE_MS = 10_000;
/** How long the first round waits for the nodes that start together with this one. */
const GATHER_MS = 2000;
/** Replicas that change at the same time. */
const CONCURRENCY = 32;
/** A change that did not come about is tried again after this. */
const RETRY_MS = 250;
/** How often this node checks that it has not been asleep. */
const PULSE_MS = 500;
/** A pulse this late means that the process stood still, and missed the heartbeats of the others. */
const ASLEEP_MS = 2000;
/** Readiness wants a commit or a probe within this. */
const WRITABLE_MS = 5000;
/** How long a leader may take to settle its entry when it hands over or stops. */
const RELEASE_MS = 3000;

interface Topology {
  engine: LogEngine | null;
  replicas: Map<number, Replica>;
  roles: readonly Role[];
  hot: HotMessages;
  metrics: RaftMetrics;
  limit: LimitFunction;
  timer: NodeJS.Timeout | null;
  dueAt: number;
  interval: NodeJS.Timeout | null;
  pulse: NodeJS.Timeout | null;
  beatAt: number;
  /** Until then this node does not trust its view of the others. */
  blindUntil: number;
  stopping: boolean;
  running: boolean;
  again: boolean;
  probedAt: number;
}

type TopologyService = Service & { topology: Topology; reconcile(): Promise<void>; soon(ms: number): void };

export default defineService<TopologyService>({
  name: "raft.topology",

  actions: {
    /** What this node holds; answers `NodeReport`. */
    report: {
      params: {},
      async handler(this: TopologyService): Promise<NodeReport> {
        return report(this);
      },
    },

    /** One replica in full; null when this node holds none of the group. */
    group: {
      params: { group: "number" },
      async handler(this: TopologyService, ctx: Context<{ group: number }>): Promise<GroupDetail | null> {
        const replica = this.topology.replicas.get(ctx.params.group);
        if (!replica?.state) return null;
        const health = await replica.log.health().catch(() => null);
        return { ...replica.report(), digest: stateDigest(replica.state), health };
      },
    },

    /** Resident sessions of a user in the groups led here. */
    userSessions: {
      params: { user_id: "string" },
      handler(this: TopologyService, ctx: Context<UserSessions>): UserSessionsResult {
        const leading = [...this.topology.replicas.values()].filter((replica) => replica.leader?.leading);
        return {
          groups: leading.map((replica) => replica.group),
          sessions: leading.flatMap(({ state }) =>
            [...(state?.byUser.get(ctx.params.user_id) ?? [])].map((id) =>
              sessionView(state!.sessions.get(id)!),
            ),
          ),
        };
      },
    },

    /** Hands a group to the node that ranks first, if this node agrees that it does. */
    yield: {
      params: { group: "number", to: "string" },
      async handler(this: TopologyService, ctx: Context<Yield>): Promise<Yielded> {
        const { group, to } = ctx.params;
        const first = rankNodes(group, liveNodes(this.broker))[0];
        if (first !== to) return { released: false, reason: `node ${first} ranks first here` };
        const replica = this.topology.replicas.get(group);
        if (!replica?.leader) return { released: false, reason: "not the leader" };
        return { released: await replica.release(), reason: null };
      },
    },
  },

  events: {
    "$broker.started"(this: TopologyService) {
      void start(this);
    },
    "$node.connected"(this: TopologyService) {
      this.soon(JOIN_DELAY_MS);
    },
    "$node.disconnected"(this: TopologyService) {
      this.soon(0);
    },
    "$transporter.connected"(this: TopologyService) {
      this.soon(JOIN_DELAY_MS);
    },
    /** All nodes of this process stop: nobody takes over what another one lets go. */
    "fleet.stopping"(this: TopologyService) {
      this.topology.stopping = true;
    },
    "raft.leader.ended"(this: TopologyService, ctx: Context<{ node: string }>) {
      // The release may be known here before the registry knows it.
      if (ctx.params.node !== this.broker.nodeID) this.soon(RETRY_MS);
    },
  },

  methods: {
    /** Runs a round of reconciliation after so many milliseconds, or earlier when one is due earlier. */
    soon(this: TopologyService, ms: number) {
      const { topology } = this;
      if (topology.stopping || !topology.engine) return;
      const dueAt = performance.now() + ms;
      if (topology.timer) {
        if (topology.dueAt <= dueAt) return;
        clearTimeout(topology.timer);
      }
      topology.dueAt = dueAt;
      topology.timer = setTimeout(() => {
        topology.timer = null;
        void this.reconcile();
      }, ms);
    },

    /** One round: every group is brought one step nearer to what it should be here. */
    async reconcile(this: TopologyService) {
      const { topology } = this;
      if (topology.running) {
        topology.again = true;
        return;
      }
      topology.running = true;
      try {
        await round(this);
      } finally {
        topology.running = false;
      }
      if (topology.again) {
        topology.again = false;
        this.soon(0);
      }
    },
  },

  created(this: TopologyService) {
    const { config, metrics } = runtimeOf(this.broker);
    const hot = new HotMessages(config.hotBytes);
    const replicas = new Map<number, Replica>();
    this.topology = {
      engine: null,
      replicas,
      roles: [],
      hot,
      metrics: new RaftMetrics(metrics, () => gauges(replicas, hot)),
      limit: pLimit(CONCURRENCY),
      timer: null,
      dueAt: 0,
      interval: null,
      pulse: null,
      beatAt: performance.now(),
      blindUntil: 0,
      stopping: false,
      running: false,
      again: false,
      probedAt: Number.NEGATIVE_INFINITY,
    };
  },

  async started(this: TopologyService) {
    const { config, halt } = runtimeOf(this.broker);
    try {
      this.topology.engine = await openEngine(engineOptions(config, this.logger));
    } catch (error) {
      halt(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  },

  async stopped(this: TopologyService) {
    const { topology } = this;
    topology.stopping = true;
    if (topology.timer) clearTimeout(topology.timer);
    if (topology.interval) clearInterval(topology.interval);
    if (topology.pulse) clearInterval(topology.pulse);
    await Promise.all(
      [...topology.replicas.values()].map(async (replica) => {
        await within(RELEASE_MS, replica.release());
        await replica.stop();
      }),
    );
    await topology.engine?.close();
  },
});

function engineOptions(config: Config, logger: Service["logger"]): EngineOptions {
  const { appendTimeoutMs, dataDir, natsUrl, nodeId, replicas } = config;
  return natsUrl === null
    ? { kind: "sqlite", dataDir, logger, appendTimeoutMs }
    : { kind: "jetstream", servers: natsUrl, name: nodeId, replicas, logger, appendTimeoutMs };
}

async function start(service: TopologyService): Promise<void> {
  const { topology, broker, logger } = service;
  const { config, halt } = runtimeOf(broker);
  const { engine } = topology;
  if (!engine) return;
  await gather(service, config.expectedNodes);
  while (!topology.stopping) {
    try {
      await engine.provision(config.groups);
      break;
    } catch (error) {
      if (error instanceof GroupsMismatch || error instanceof Corrupt) return halt(error);
      if (!(error instanceof Unavailable)) throw error;
      logger.warn("the log engine is not ready, trying again", { error: error.message });
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  topology.pulse = setInterval(() => {
    feelPulse(topology);
    // Moleculer looks for lost nodes only once in a whole timeout.
    broker.registry.discoverer.checkRemoteNodes();
  }, PULSE_MS);
  topology.interval = setInterval(() => {
    if (isCoordinator(service)) {
      engine.provision(config.groups).catch((error: Error) => {
        logger.warn("the coordinator could not look after the logs", { error: error.message });
      });
    }
    service.soon(0);
  }, RECONCILE_MS);
  service.soon(0);
}

/** Waits until the nodes that start together see each other, a bounded time. */
async function gather(service: TopologyService, expected: number): Promise<void> {
  const deadline = performance.now() + GATHER_MS;
  while (
    liveNodes(service.broker).length < expected &&
    performance.now() < deadline &&
    !service.topology.stopping
  ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isCoordinator(service: Service): boolean {
  return liveNodes(service.broker)[0] === service.broker.nodeID;
}

/**
 * A node that was suspended wakes up to find that it has heard from nobody, and would take everybody's groups;
 * until heartbeats have come again, its view is worth nothing.
 */
function feelPulse(topology: Topology): void {
  const now = performance.now();
  if (now - topology.beatAt > ASLEEP_MS) topology.blindUntil = now + JOIN_DELAY_MS;
  topology.beatAt = now;
}

async function round(service: TopologyService): Promise<void> {
  const { topology, broker, logger } = service;
  const { config, fanout } = runtimeOf(broker);
  feelPulse(topology);
  if (!fanout.connected || performance.now() < topology.blindUntil) return service.soon(JOIN_DELAY_MS);
  topology.roles = desiredRoles(broker.nodeID, liveNodes(service.broker), config.groups, config.replicas);
  let unfinished = false;
  await Promise.all(
    topology.roles.map(async (desired, group) => {
      const replica = topology.replicas.get(group);
      if (replica?.busy) return;
      const step = nextStep({
        desired,
        held: replica?.held ?? "none",
        caughtUp: replica?.caughtUp ?? false,
        otherLeader: otherLeader(broker, group),
      });
      if (!step) return;
      await topology.limit(async () => {
        if (topology.stopping) return;
        try {
          if (!(await take(service, group, step))) unfinished = true;
        } catch (error) {
          unfinished = true;
          logger.warn("a group could not be changed, trying again", {
            group,
            step: step.kind,
            error: String(error),
          });
        }
      });
    }),
  );
  if (unfinished) service.soon(RETRY_MS);
}

/** Takes a step, and the next one where it follows at once. False when topology should look again soon. */
async function take(service: TopologyService, group: number, step: Step): Promise<boolean> {
  const { topology, broker } = service;
  const replica = topology.replicas.get(group) ?? (await addReplica(service, group));
  switch (step.kind) {
    case "follow":
      await replica.follow();
      if (replica.report().role === "halted") return true;
      return topology.roles[group] === "leader" && otherLeader(service.broker, group) === null
        ? replica.promote()
        : false;
    case "promote":
      return replica.report().role === "halted" || replica.promote();
    case "take-over": {
      const { released } = await broker.call<Yielded, Yield>(
        "raft.topology.yield",
        { group, to: broker.nodeID },
        { nodeID: step.from, timeout: 2 * RELEASE_MS },
      );
      return released && replica.promote();
    }
    case "verify":
      await replica.verify();
      return true;
    case "stop":
      await replica.stop();
      topology.replicas.delete(group);
      return true;
  }
}

async function addReplica(service: TopologyService, group: number): Promise<Replica> {
  const { topology, broker, logger } = service;
  const log = await topology.engine!.open(group);
  const replica = new Replica(log, {
    broker,
    logger,
    hot: topology.hot,
    metrics: topology.metrics,
    otherLeader: (of) => otherLeader(service.broker, of),
    changed: () => service.soon(0),
  });
  topology.replicas.set(group, replica);
  return replica;
}

async function report(service: TopologyService): Promise<NodeReport> {
  const { topology, broker } = service;
  const { engine } = topology;
  if (!engine) throw new Error(`node ${broker.nodeID} has no log engine yet`);
  const replicas = [...topology.replicas.values()].map((replica) => replica.report());
  return {
    node: broker.nodeID,
    engine: engine.status(),
    replicas,
    recovered: recovered(service),
    writable: await writable(topology, engine),
  };
}

/** Every assigned group is at its log's end, and those to be led from here have a leader somewhere. */
function recovered(service: TopologyService): boolean {
  const { topology } = service;
  if (topology.roles.length === 0) return false;
  return topology.roles.every((role, group) => {
    if (role === "none") return true;
    const replica = topology.replicas.get(group);
    if (!replica?.caughtUp || replica.report().role === "halted") return false;
    return (
      role === "follower" || replica.leader?.leading === true || otherLeader(service.broker, group) !== null
    );
  });
}

/** A commit went through within the last 5 s, or a probe does now. */
async function writable(topology: Topology, engine: LogEngine): Promise<boolean> {
  const now = performance.now();
  const fresh = (age: number) => age < WRITABLE_MS;
  if (fresh(now - topology.probedAt)) return true;
  for (const replica of topology.replicas.values()) {
    if (replica.leader && fresh(replica.leader.contactAge)) return true;
  }
  try {
    await engine.probe();
    topology.probedAt = now;
    return true;
  } catch {
    return false;
  }
}

function gauges(replicas: ReadonlyMap<number, Replica>, hot: HotMessages) {
  const reports = [...replicas.values()].map((replica) => replica.report());
  return {
    replicas: reports.map(({ group, role, applied }) => ({ group, leads: role === "leader", applied })),
    residentSessions: reports.reduce(
      (sum, { role, sessions }) => sum + (role === "leader" ? sessions : 0),
      0,
    ),
    hotBytes: hot.bytes,
  };
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, ms);
  await Promise.race([work, timeout.promise]);
  clearTimeout(timer);
}
