/** @module Who leads what on this node: the actor around `Topology`. */
import type { Context, Service } from "moleculer";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { periodicJob } from "../../mixins/periodic-job.ts";
import type { GetCopy, LeaderChanged, LeaderEnded, UserSessions, Yield } from "./contract.ts";
import { NodeReporter } from "./node-report.ts";
import { JOIN_DELAY_MS, RETRY_MS, Topology } from "./topology.ts";

const RECONCILE_MS = 10_000;
const PULSE_MS = 500;

type TopologyService = Service & { topology: Topology; reporter: NodeReporter };

export default defineService<TopologyService>({
  name: "raft.topology",

  mixins: [
    periodicJob<TopologyService>({
      name: "reconcile",
      everyMs: RECONCILE_MS,
      run() {
        return this.topology.reconcile();
      },
    }),
    periodicJob<TopologyService>({
      name: "pulse",
      everyMs: PULSE_MS,
      run() {
        return this.topology.pulse();
      },
    }),
  ],

  actions: {
    /** What this node holds: `NodeReport`. */
    report: {
      params: {},
      handler() {
        return this.reporter.report();
      },
    },

    /** One replica in full: `GroupDetail`, null when this node holds none of the group. */
    group: {
      params: { group: "number" },
      handler(ctx: Context<{ group: number }>) {
        return this.reporter.group(ctx.params.group);
      },
    },

    /** Resident sessions of a user in the groups led here: `UserSessionsResult`. */
    userSessions: {
      params: {
        user_id: "string",
        status: { type: "string", optional: true },
        position: { type: "object", optional: true },
        limit: "number",
        known: { type: "array", items: "string", optional: true },
      },
      handler(ctx: Context<UserSessions>) {
        return this.reporter.userSessions(ctx.params);
      },
    },

    /** A part of this node's copy of a group: `CopyPart`. */
    copy: {
      params: { group: "number", token: { type: "string", optional: true }, offset: "number" },
      handler(ctx: Context<GetCopy>) {
        return this.topology.copy(ctx.params);
      },
    },

    /** Archives what the groups led here have decided so far, for at most so long. */
    flush: {
      params: { limit_ms: "number" },
      handler(ctx: Context<{ limit_ms: number }>) {
        return this.topology.flush(ctx.params.limit_ms);
      },
    },

    /**
     * Leaves placement; answers true once this node leads nothing, or has drained for `limit_ms`, false when it was
     * undrained.
     */
    drain: {
      params: { limit_ms: { type: "number", optional: true } },
      handler(ctx: Context<{ limit_ms?: number }>): Promise<boolean> {
        return this.topology.drain(ctx.params.limit_ms ?? Number.POSITIVE_INFINITY);
      },
    },

    /** Returns to placement. */
    undrain: {
      params: {},
      handler() {
        this.topology.undrain();
      },
    },

    /** Hands a group to the node that ranks first: `Yielded`. */
    yield: {
      params: { group: "number", to: "string" },
      handler(ctx: Context<Yield>) {
        return this.topology.yield(ctx.params);
      },
    },
  },

  events: {
    async "$broker.started"() {
      await this.topology.start();
    },
    "$node.connected"() {
      this.topology.soon(JOIN_DELAY_MS);
    },
    "$node.updated"() {
      // A node may have begun to drain, or have changed its mind.
      this.topology.soon(RETRY_MS);
    },
    "$node.disconnected"() {
      this.topology.soon(0);
    },
    async "raft.leader.changed"(ctx: Context<LeaderChanged>) {
      const { group, node, epoch } = ctx.params;
      if (node !== this.broker.nodeID) await this.topology.replicas.get(group)?.rivalled(epoch);
    },
    "raft.leader.ended"(ctx: Context<LeaderEnded>) {
      // The release may be known here before the registry knows it.
      if (ctx.params.node !== this.broker.nodeID) this.topology.soon(RETRY_MS);
    },
    "fleet.stopping"() {
      this.topology.freeze();
    },
  },

  created() {
    this.topology = new Topology(this.broker, this.logger);
    this.reporter = new NodeReporter(this.broker, this.topology);
  },

  async started() {
    try {
      await this.topology.open();
    } catch (error) {
      runtimeOf(this.broker).halt(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  },

  async stopped() {
    await this.topology.stop();
  },
});
