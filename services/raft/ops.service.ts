/** @module What operators ask of a node: is it ready, and what does the fleet look like. */
import type { Context, Service, ServiceBroker } from "moleculer";
import { FleetError } from "../../lib/errors.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { isDraining, liveNodes, lostNodes, otherLeader, placeableNodes } from "./cluster-view.ts";
import type { Drain, Drained, GroupDetail, NodeReport } from "./contract.ts";
import type { FleetStatus, GroupLog, Readiness } from "./fleet-status.ts";

const REPORT = "raft.topology.report";
const DETAIL = "raft.topology.group";
/** How long a node may take to say what it holds before it counts as not answering. */
const REPORT_TIMEOUT_MS = 1000;

const MAX_PROBLEMS = 20;

/** How long another node may take to accept an order. */
const ORDER_TIMEOUT_MS = 5000;

type OpsService = Service & {
  wasReady: boolean;
  handingOver: boolean;
  /** What was ordered last: true after `drain`, false after `undrain`. */
  drainOrdered: boolean;
  /** What the node does once it has handed over; it ends once. */
  afterwards: "stay" | "end" | "ended";
  patience: NodeJS.Timeout | undefined;
};

export default defineService<OpsService>({
  name: "fleet.ops",

  actions: {
    /** Ready = bus connected, assigned groups recovered to the log's end, engine writable. */
    ready: {
      params: {},
      async handler(this: OpsService, ctx: Context): Promise<Readiness> {
        if (isDraining(this.broker, this.broker.nodeID)) return { status: "draining", reason: "draining" };
        const status = this.wasReady ? "degraded" : "starting";
        if (!runtimeOf(this.broker).fanout.connected) return { status, reason: "bus_disconnected" };
        const { nodeID } = this.broker;
        const report = canReport(this.broker, nodeID)
          ? await ctx.call<NodeReport, object>(REPORT, {}, { nodeID }).catch(() => null)
          : null;
        if (!report?.recovered) return { status, reason: "groups_recovering" };
        if (!report.writable) return { status, reason: "engine_unwritable" };
        this.wasReady = true;
        return { status: "ok" };
      },
    },

    /**
     * Hands this node's groups over, then ends the node unless it is to `stay`; answers at once: `Drained`. Call it with
     * the node's id. Who stays throws `no_other_node` when nobody is there to take its groups.
     */
    drain: {
      params: { stay: { type: "boolean", optional: true } },
      handler(this: OpsService, ctx: Context<Drain>): Drained {
        const { nodeID } = this.broker;
        const { stay = false } = ctx.params;
        if (stay && placeableNodes(this.broker).every((id) => id === nodeID)) {
          const text = `No other node takes groups: ${nodeID} keeps what it leads. Start one first, or undrain one.`;
          throw new FleetError("no_other_node", text);
        }
        if (!stay && this.afterwards === "stay") {
          this.afterwards = "end";
          endInTime(this);
        }
        this.drainOrdered = true;
        handOver(this);
        return { node: nodeID, draining: true };
      },
    },

    /** Takes `drain` back, unless the node ends already. */
    undrain: {
      params: {},
      async handler(this: OpsService): Promise<Drained> {
        const { nodeID } = this.broker;
        if (this.afterwards === "end") this.afterwards = "stay";
        clearTimeout(this.patience);
        this.drainOrdered = false;
        await this.broker.call("raft.topology.undrain", {}, { nodeID });
        return { node: nodeID, draining: false };
      },
    },

    /** Has a node of the fleet hand over what it leads, and stay: `Drained`. Throws `unknown_node`, `no_other_node`. */
    drainNode: {
      params: { node: "string" },
      handler(this: OpsService, ctx: Context<{ node: string }>): Promise<Drained> {
        return order<Drain>(ctx, "fleet.ops.drain", { stay: true });
      },
    },

    /** Has it take groups again: `Drained`. Throws `unknown_node`. */
    undrainNode: {
      params: { node: "string" },
      handler(this: OpsService, ctx: Context<{ node: string }>): Promise<Drained> {
        return order<object>(ctx, "fleet.ops.undrain", {});
      },
    },

    /** How the log of a group is, its copies one by one: `GroupLog`. Throws `invalid_parameter`. */
    group: {
      params: { group: { type: "number", integer: true, convert: true } },
      async handler(this: OpsService, ctx: Context<{ group: number }>): Promise<GroupLog> {
        const { group } = ctx.params;
        const { groups } = runtimeOf(this.broker).config;
        if (group < 0 || group >= groups) {
          const text = `There is no group ${group}: give a number from 0 to ${groups - 1}.`;
          throw new FleetError("invalid_parameter", text);
        }
        const leader = otherLeader(this.broker, group);
        const own = this.broker.nodeID;
        // Any node with a copy can look: this one first, and others where it has none or does not reach the log.
        const nodes = new Set([own, ...(leader === null ? [] : [leader]), ...liveNodes(this.broker)]);
        let seen_by: string | null = null;
        for (const nodeID of nodes) {
          const detail = await ctx
            .call<GroupDetail | null, object>(DETAIL, { group }, { nodeID, timeout: REPORT_TIMEOUT_MS })
            .catch(() => null);
          if (detail === null) continue;
          seen_by = nodeID;
          if (detail.health !== null) return { group, seen_by, log: detail.health };
        }
        return { group, seen_by, log: null };
      },
    },

    /**
     * The fleet as this node sees it; nodes that do not answer within a second, and those that were lost in the last
     * ten minutes, show as not available.
     */
    status: {
      params: {},
      async handler(this: OpsService, ctx: Context): Promise<FleetStatus> {
        const { config } = runtimeOf(this.broker);
        const nodes = [...liveNodes(this.broker), ...lostNodes(this.broker)].sort();
        const reports = await Promise.all(nodes.map((node) => askNode(ctx, node)));
        const own = reports.find(({ node }) => node === this.broker.nodeID)?.report;
        if (!own) throw new FleetError("leader_unavailable", "This node is still starting.");
        const leaders: (string | null)[] = Array.from({ length: config.groups }, () => null);
        const applied: (number | null)[] = Array.from({ length: config.groups }, () => null);
        const archived: (number | null)[] = Array.from({ length: config.groups }, () => null);
        const behind: (number | null)[] = Array.from({ length: config.groups }, () => null);
        const followers: string[][] = Array.from({ length: config.groups }, () => []);
        const problems: string[] = [];
        let sessions = 0;
        for (const { node, report } of reports) {
          for (const replica of report?.replicas ?? []) {
            for (const problem of [replica.problem, replica.archive_problem]) {
              if (problem !== null) problems.push(`${node}: ${problem}`);
            }
            if (replica.role !== "leader") {
              followers[replica.group]?.push(node);
              continue;
            }
            leaders[replica.group] = node;
            applied[replica.group] = replica.applied;
            archived[replica.group] = replica.archived;
            behind[replica.group] = replica.behind;
            sessions += replica.sessions;
          }
        }
        // A node that takes its time still leads: only what nobody leads needs somebody.
        const late = new Set(reports.filter(({ report }) => report === null).map(({ node }) => node));
        for (const [group, leader] of leaders.entries()) {
          if (leader === null && late.size > 0) leaders[group] = otherLeader(this.broker, group, late);
        }
        return {
          mode: config.mode,
          engine: own.engine,
          groups: config.groups,
          node_id: this.broker.nodeID,
          nodes: reports.map(({ node, report }) => ({
            id: node,
            available: report !== null,
            draining: isDraining(this.broker, node),
            leads: report?.replicas.filter(({ role }) => role === "leader").length ?? 0,
            follows: report?.replicas.filter(({ role }) => role !== "leader").length ?? 0,
            url: urlOf(this, node),
            archive_problem: report?.archive_problem ?? null,
          })),
          leaders,
          applied,
          archived,
          behind,
          followers,
          problems: problems.slice(0, MAX_PROBLEMS),
          resident_sessions: sessions,
          generated_at: new Date().toISOString(),
        };
      },
    },
  },

  created(this: OpsService) {
    this.wasReady = false;
    this.handingOver = false;
    this.drainOrdered = false;
    this.afterwards = "stay";
    this.patience = undefined;
  },

  stopped(this: OpsService) {
    clearTimeout(this.patience);
  },
});

/** One at a time: whoever comes while it goes on may only change how it ends. */
function handOver(service: OpsService): void {
  const { broker, logger } = service;
  if (service.handingOver) return;
  service.handingOver = true;
  broker.call<boolean, object>("raft.topology.drain", {}, { nodeID: broker.nodeID }).then(
    (done) => {
      service.handingOver = false;
      if (!done) {
        // It was undrained. Whoever drained it again meanwhile was told that it drains.
        if (service.drainOrdered) handOver(service);
        return;
      }
      if (service.afterwards === "stay")
        logger.info("drained: this node leads nothing until it is undrained");
      end(service);
    },
    (error: unknown) => {
      service.handingOver = false;
      logger.error("draining failed", { error: String(error) });
    },
  );
}

/** The node ends, unless that was taken back; once. */
function end(service: OpsService): void {
  if (service.afterwards !== "end") return;
  service.afterwards = "ended";
  runtimeOf(service.broker).retire();
}

/** A hand-over that does not come to its end must not keep the node: its process then has a limit of its own. */
function endInTime(service: OpsService): void {
  clearTimeout(service.patience);
  const { drainTimeoutMs } = runtimeOf(service.broker).config;
  service.patience = setTimeout(() => end(service), drainTimeoutMs / 2).unref();
}

async function order<Params extends object>(
  ctx: Context<{ node: string }>,
  action: string,
  params: Params,
): Promise<Drained> {
  const { node } = ctx.params;
  const known = liveNodes(ctx.broker);
  if (!known.includes(node)) {
    const text = `There is no node "${node.slice(0, 80)}" in the fleet: it has ${known.join(", ")}.`;
    throw new FleetError("unknown_node", text);
  }
  return ctx.call<Drained, Params>(action, params, { nodeID: node, timeout: ORDER_TIMEOUT_MS });
}

/** What a node holds; null when it does not answer, or has no place in this node's registry yet. */
async function askNode(ctx: Context, node: string): Promise<{ node: string; report: NodeReport | null }> {
  if (!canReport(ctx.broker, node)) return { node, report: null };
  const report = await ctx
    .call<NodeReport, object>(REPORT, {}, { nodeID: node, timeout: REPORT_TIMEOUT_MS })
    .catch(() => null);
  return { node, report };
}

/** A call to a node that cannot would be a warning in the log, and every start has such a moment. */
function canReport({ registry }: ServiceBroker, node: string): boolean {
  return Boolean(registry.getActionEndpoints(REPORT)?.getEndpointByNodeID(node));
}

/** Every node tells the others in its metadata where its gateway listens. */
function urlOf(service: Service, node: string): string | null {
  const { metadata } = service.broker.registry.nodes.get(node) ?? {};
  return metadata && typeof metadata.url === "string" ? metadata.url : null;
}
