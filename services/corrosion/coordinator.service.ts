/** @module Bootstrap hosts for several nodes: led from any node over the bus, because a broken gossip cannot repair itself. */
import { setTimeout as delay } from "node:timers/promises";
import type { Context, Service } from "moleculer";
import { parseHosts } from "../../lib/bootstrap-hosts.ts";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { busConnected, nodesWith } from "../../lib/cluster-nodes.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { uuidv7 } from "../../lib/ids.ts";
import { defineService } from "../../lib/service.ts";
import type { ClusterUpdate, NodeConfiguration } from "./contract.ts";
import { Campaign } from "./coordinator/campaign.ts";
import type { Reservation } from "./coordinator/reservation.ts";
import { STEP_MS } from "./coordinator/steps.ts";
import { checkOwnAgent, knownNodes } from "./coordinator/surroundings.ts";
import { checkTargets } from "./coordinator/targets.ts";
import { Watch } from "./coordinator/watch.ts";

const EVENT = "cluster_config_coordination";
/** A node that knows of an update answers from its memory. */
const STATUS_LIMIT_MS = 2000;
const RECORD_RETRY_MS = [1000, 5000, 15_000];

/** How long each node has for its step. */
const settings = { stepMs: STEP_MS };

type CoordinatorService = Service<typeof settings> & {
  watch: Watch;
  stopping: AbortController;
  campaign: Campaign | null;
  /** The run and the records under way; `stopped` waits for them. */
  tasks: Set<Promise<unknown>>;
};

interface Reserve {
  readonly update_id: string;
  readonly initiator: string;
  /** Whether the update will touch the node, or only must not meet another one. */
  readonly target: boolean;
}

interface Update {
  readonly hosts: string | readonly string[];
  readonly node_ids: readonly string[];
}

export default defineService<CoordinatorService>({
  name: "corrosion.coordinator",

  settings,

  actions: {
    /** Promises this node to an update, or renews the promise, for 120 s. Refuses with 409. */
    reserve: {
      params: { update_id: "string", initiator: "string", target: "boolean" },
      async handler(ctx: Context<Reserve>): Promise<{ node_id: string }> {
        const { initiator, target, update_id } = ctx.params;
        const known = this.watch.holds(update_id);
        const grant = this.watch.reserve({ update_id, initiator });
        if (grant.kind === "refused") throw busy(this.broker.nodeID, grant.holder.initiator);
        if (target && !known) {
          await checkOwnAgent(this.broker).catch((error: unknown) => {
            this.watch.release(update_id);
            throw error;
          });
        }
        return { node_id: this.broker.nodeID };
      },
    },

    /** The update that has this node: `Reservation`; null: none has. */
    holder: {
      params: {},
      handler(): Reservation | null {
        return this.watch.holder;
      },
    },

    /** Takes the promise back. */
    release: {
      params: { update_id: "string" },
      handler(ctx: Context<{ update_id: string }>): void {
        this.watch.release(ctx.params.update_id);
      },
    },

    /** Starts an update that this node leads; answers at once with its id. `hosts` as text or list. */
    update: {
      params: {
        hosts: [{ type: "string" }, { type: "array", items: "string" }],
        node_ids: { type: "array", items: "string" },
      },
      handler(ctx: Context<Update>): Promise<{ update_id: string }> {
        return begin(this, ctx.params);
      },
    },

    /** The update that runs, or ran last, as this node knows it: `ClusterUpdate`, null when there was none. */
    status: {
      params: {},
      handler(): ClusterUpdate | null {
        return this.watch.update;
      },
    },
  },

  events: {
    [EVENT](ctx: Context<ClusterUpdate>) {
      // What this node says itself it knows already.
      if (ctx.params.initiator !== this.broker.nodeID) this.watch.heard(ctx.params);
    },
    "$node.disconnected"(ctx: Context<{ node: { id: string } }>) {
      this.watch.nodeLost(ctx.params.node.id);
    },
    "$broker.started"(_ctx: Context<never>) {
      own(this, learn(this));
    },
  },

  created() {
    this.stopping = new AbortController();
    this.campaign = null;
    this.tasks = new Set();
    this.watch = new Watch({
      nodeId: this.broker.nodeID,
      monotonic: () => performance.now(),
      now: () => isoMicros(systemClock()),
      settled: (update) => own(this, record(this, update)),
    });
  },

  async stopped() {
    this.stopping.abort();
    this.campaign?.stop();
    await Promise.all(this.tasks);
    this.watch.stop();
  },
});

/** Throws `CorrosionError`. */
async function begin(service: CoordinatorService, params: Update): Promise<{ update_id: string }> {
  const { broker, settings } = service;
  const parsed = parseHosts(params.hosts);
  if (parsed.kind === "refused") {
    const { problems } = parsed;
    throw new CorrosionError("invalid_request", Object.values(problems).join(" "), { fields: problems });
  }
  if (params.node_ids.length > 0 && !busConnected(broker)) {
    throw new CorrosionError(
      "bus_unavailable",
      "The bus between the nodes is not connected: try again later.",
    );
  }
  const targets = checkTargets(params.node_ids, await knownNodes(broker));
  const update_id = uuidv7(systemClock());
  const update = { update_id, initiator: broker.nodeID, targets, hosts: parsed.hosts };
  const campaign = new Campaign({
    broker,
    update,
    stepMs: settings.stepMs,
    publish: (status) => tell(service, status),
  });
  await campaign.reserve();
  service.campaign = campaign;
  service.logger.info("cluster update begins", { update: update_id, nodes: targets.join(" ") });
  const run = campaign.run().then(({ state }) => {
    service.logger.info("cluster update ended", { update: update_id, state });
    service.campaign = null;
  });
  own(service, run);
  return { update_id };
}

function busy(nodeId: string, initiator: string): CorrosionError {
  return new CorrosionError(
    "busy",
    `${nodeId} belongs to another cluster update, led by ${initiator}: wait until that is over.`,
  );
}

function tell({ broker, logger, watch }: CoordinatorService, update: ClusterUpdate): void {
  watch.heard(update);
  broker.broadcast(EVENT, update).catch((error: unknown) => {
    logger.warn("the state of a cluster update was not sent", {
      update: update.update_id,
      error: String(error),
    });
  });
}

/** A node that comes in the midst of an update, or after it, hears of it from the others. */
async function learn({ broker, watch }: CoordinatorService): Promise<void> {
  const others = nodesWith(broker, "corrosion.coordinator").filter(
    ({ id, available }) => available && id !== broker.nodeID,
  );
  for (const { id: nodeID } of others) {
    const options = { nodeID, timeout: STATUS_LIMIT_MS };
    const update = await broker
      .call<ClusterUpdate | null, object>("corrosion.coordinator.status", {}, options)
      .catch(() => null);
    if (update) return watch.learnt(update);
  }
}

/** This node's row says which hosts its agent has now. */
async function record(service: CoordinatorService, { initiator, update_id }: ClusterUpdate): Promise<void> {
  const { broker, logger, stopping } = service;
  const here = { nodeID: broker.nodeID };
  for (const waitMs of [0, ...RECORD_RETRY_MS]) {
    try {
      await delay(waitMs, undefined, { signal: stopping.signal });
      const { hosts } = await broker.call<NodeConfiguration, object>("corrosion.config.get", {}, here);
      await broker.call("corrosion.identity.reportHosts", { hosts, by: initiator }, here);
      return;
    } catch (error) {
      if (stopping.signal.aborted) return;
      logger.warn("the node's row was not written", { update: update_id, error: String(error) });
    }
  }
}

function own({ tasks }: CoordinatorService, task: Promise<unknown>): void {
  tasks.add(task);
  void task.finally(() => tasks.delete(task));
}
