/** @module Which actor this node's agent is: kept in `node_configs`, where every node finds it. */
import type { Context, Service } from "moleculer";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import type { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { asAgentFailure } from "../../lib/corrosion/failures.ts";
import { clientOf, ownAgent } from "../../lib/corrosion/own-agent.ts";
import { defineService } from "../../lib/service.ts";
import { corrosionLifecycle } from "../../mixins/corrosion-lifecycle.ts";
import type { AgentStatus, Identity, IdentityMap, NodeConfigRow } from "./contract.ts";
import { identityMap, readNodeConfigs, reportActor, reportHosts } from "./identity/node-configs.ts";
import { Reporter } from "./identity/reporter.ts";
import { ownActorId } from "./members/fetch.ts";

const FIRST_MS = 2000;
const RETRY_MS = 10_000;
const RECHECK_MS = 60_000;

const settings = { firstMs: FIRST_MS, retryMs: RETRY_MS, recheckMs: RECHECK_MS };

type IdentityService = Service<typeof settings> & { reporter: Reporter };

export default defineService<IdentityService>({
  name: "corrosion.identity",

  mixins: [
    corrosionLifecycle<IdentityService>({
      paused() {
        this.reporter.pause();
      },
      resumed() {
        this.reporter.resume();
      },
    }),
  ],

  settings,

  actions: {
    /** Who this node's agent is, from memory: `Identity`. */
    get: {
      params: {},
      handler(): Identity {
        return this.reporter.identity();
      },
    },

    /** Asks the agent now, and writes what changed: `Identity`. */
    report: {
      params: {},
      handler(): Promise<Identity> {
        return this.reporter.report();
      },
    },

    /** Which node each actor is: `IdentityMap`. */
    map: {
      params: {},
      async handler(): Promise<IdentityMap> {
        return identityMap(await withClient(this, readNodeConfigs));
      },
    },

    /** Rows of `node_configs`: `NodeConfigRow[]`. */
    configs: {
      params: {},
      handler(): Promise<NodeConfigRow[]> {
        return withClient(this, readNodeConfigs);
      },
    },

    /** Writes this node's bootstrap hosts into its row, if they differ. Returns whether it wrote. */
    reportHosts: {
      params: { hosts: { type: "array", items: "string" }, by: "string" },
      handler(ctx: Context<{ hosts: string[]; by: string }>): Promise<boolean> {
        const { by, hosts } = ctx.params;
        const written = { at: isoMicros(systemClock()), by };
        return withClient(this, (client) => reportHosts(client, this.broker.nodeID, hosts, written));
      },
    },
  },

  events: {
    "$broker.started"(_ctx: Context<never>) {
      this.reporter.start(this.settings.firstMs);
    },

    agent_state({ params: { node_id, state } }: Context<AgentStatus>) {
      if (node_id === this.broker.nodeID && state === "running") this.reporter.agentRuns();
    },
  },

  created() {
    const { nodeID } = this.broker;
    const now = () => isoMicros(systemClock());
    this.reporter = new Reporter({
      nodeId: nodeID,
      now,
      retryMs: this.settings.retryMs,
      recheckMs: this.settings.recheckMs,
      report: () =>
        withClient(this, async (client) => {
          const actorId = await ownActorId(client);
          return { actorId, wrote: await reportActor(client, nodeID, actorId, { at: now(), by: nodeID }) };
        }),
      changed: (actor) => this.logger.info("actor id reported", { actor }),
    });
  },

  async stopped() {
    await this.reporter.stop();
  },
});

/** Throws `CorrosionError`. */
async function withClient<T>(
  service: IdentityService,
  use: (client: CorrosionClient) => Promise<T>,
): Promise<T> {
  const agent = await ownAgent(service.broker);
  try {
    return await use(await clientOf(service.broker, agent));
  } catch (error) {
    throw asAgentFailure(error);
  }
}
