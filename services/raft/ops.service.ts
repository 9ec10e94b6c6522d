/** @module What operators ask of a node: is it ready, and what does the fleet look like. */
import type { Context, Service, ServiceBroker } from "moleculer";
import { FleetError } from "../../lib/errors.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { isDraining, liveNodes } from "./cluster-view.ts";
import type { NodeReport } from "./contract.ts";
import type { FleetStatus, Readiness } from "./fleet-status.ts";

const REPORT = "raft.topology.report";
/** How long a node may take to say what it holds before it counts as not answering. */
const REPORT_TIMEOUT_MS = 1000;

const MAX_PROBLEMS = 20;

type OpsService = Service & { wasReady: boolean };

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

    /** Hands this node's groups over, then ends the node; answers at once. Call it with the node's id. */
    drain: {
      params: {},
      handler(this: OpsService): { draining: true } {
        const { nodeID } = this.broker;
        this.broker.call<boolean, object>("raft.topology.drain", {}, { nodeID }).then(
          (done) => {
            if (done) runtimeOf(this.broker).retire();
          },
          (error: unknown) => this.logger.error("draining failed", { error: String(error) }),
        );
        return { draining: true };
      },
    },

    /** Takes `drain` back, as long as the node still leads something. */
    undrain: {
      params: {},
      async handler(this: OpsService): Promise<{ draining: false }> {
        await this.broker.call("raft.topology.undrain", {}, { nodeID: this.broker.nodeID });
        return { draining: false };
      },
    },

    /** The fleet as this node sees it; nodes that do not answer within a second show as not available. */
    status: {
      params: {},
      async handler(this: OpsService, ctx: Context): Promise<FleetStatus> {
        const { config } = runtimeOf(this.broker);
        const reports = await Promise.all(liveNodes(this.broker).map((node) => askNode(ctx, node)));
        const own = reports.find(({ node }) => node === this.broker.nodeID)?.report;
        if (!own) throw new FleetError("leader_unavailable", "This node is still starting.");
        const leaders: (string | null)[] = Array.from({ length: config.groups }, () => null);
        const applied: (number | null)[] = Array.from({ length: config.groups }, () => null);
        const archived: (number | null)[] = Array.from({ length: config.groups }, () => null);
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
            sessions += replica.sessions;
          }
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
          })),
          leaders,
          applied,
          archived,
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
  },
});

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
