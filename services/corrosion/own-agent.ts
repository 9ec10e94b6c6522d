/** @module The agent of the caller's own node: what it is, and a client for it. */
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "../../lib/runtime.ts";
import { CorrosionClient } from "./client/http.ts";
import type { AgentStatus } from "./contract.ts";

/** Throws what the call throws. */
export function ownAgent(broker: ServiceBroker): Promise<AgentStatus> {
  return broker.call<AgentStatus, object>("corrosion.agent.status", {}, { nodeID: broker.nodeID });
}

/** A client for the agent that the node has at present. */
export function clientOf(broker: ServiceBroker, agent: AgentStatus): CorrosionClient {
  return new CorrosionClient({ url: agent.api_url, token: runtimeOf(broker).config.console.agent.apiToken });
}
