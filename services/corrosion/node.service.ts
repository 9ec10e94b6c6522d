/** @module The node itself, for those who operate it: facts, a test of its agent, and what its subscriber hears. */
import type { Context, Service } from "moleculer";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { AgentAccess } from "../../lib/corrosion/agent-access.ts";
import { openConnections } from "../../lib/corrosion/client/connections.ts";
import { ownAgent } from "../../lib/corrosion/own-agent.ts";
import { defineService } from "../../lib/service.ts";
import type { AgentConnections, MessageFlow, MessageUpdate, NodeFacts, NodePing } from "./contract.ts";
import { nodeFacts } from "./node/facts.ts";
import { Flow } from "./node/flow.ts";

const PING_MS = 5000;

type NodeService = Service & {
  startedAt: number;
  access: AgentAccess;
  flow: Flow;
};

export default defineService<NodeService>({
  name: "corrosion.node",

  actions: {
    /** `NodeFacts`; no secret is among them. */
    facts: {
      params: {},
      handler(this: NodeService): Promise<NodeFacts> {
        return nodeFacts(this.broker, this.startedAt);
      },
    },

    /** Asks the agent for `SELECT 1`: `NodePing`. An agent that does not answer is no error of this action. */
    ping: {
      params: {},
      async handler(this: NodeService): Promise<NodePing> {
        const began = performance.now();
        const latency = () => Math.round((performance.now() - began) * 1000) / 1000;
        try {
          const client = await this.access.client();
          await client.query("SELECT 1", { timeoutMs: PING_MS });
          return { ok: true, latency_ms: latency(), error: null };
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error);
          return { ok: false, latency_ms: latency(), error: text };
        }
      },
    },

    /** How many connections to its agent the node has open: `AgentConnections`. */
    connections: {
      params: {},
      async handler(this: NodeService): Promise<AgentConnections> {
        const { api_url } = await ownAgent(this.broker);
        return { node_id: this.broker.nodeID, open: openConnections(new URL(api_url).host) };
      },
    },

    /** What the subscriber told since number `after`: `MessageFlow`. Any node may ask. */
    flow: {
      params: { after: { type: "number", integer: true, min: 0, optional: true } },
      handler(this: NodeService, ctx: Context<{ after?: number }>): MessageFlow {
        return this.flow.since(ctx.params.after);
      },
    },
  },

  events: {
    message_updates(ctx: Context<MessageUpdate>) {
      if (ctx.params.node_id !== this.broker.nodeID) return;
      this.flow.add(isoMicros(systemClock()), ctx.params);
    },
  },

  created() {
    this.startedAt = systemClock();
    this.access = new AgentAccess(this.broker);
    this.flow = new Flow();
  },
});
