/** @module The agent of the caller's own node: what it is, and a client for it. */
import { readFile } from "node:fs/promises";
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "../../lib/runtime.ts";
import { CorrosionClient } from "./client/http.ts";
import { type AgentToml, readAgentToml } from "./config/agent-toml.ts";
import type { AgentStatus } from "./contract.ts";
import { CorrosionError } from "./failures.ts";

const STATUS_LIMIT_MS = 2000;

/** Throws `CorrosionError` (`agent_unavailable`) when the node's agent actor does not answer. */
export async function ownAgent(broker: ServiceBroker): Promise<AgentStatus> {
  const { nodeID } = broker;
  try {
    const options = { nodeID, timeout: STATUS_LIMIT_MS };
    return await broker.call<AgentStatus, object>("corrosion.agent.status", {}, options);
  } catch (cause) {
    const sentence = `Node ${nodeID} does not know where its Corrosion agent is: corrosion.agent does not answer.`;
    throw new CorrosionError("agent_unavailable", sentence, {}, { cause });
  }
}

/** A client for the agent that the node has at present. */
export async function clientOf(broker: ServiceBroker, agent: AgentStatus): Promise<CorrosionClient> {
  const given = runtimeOf(broker).config.console.agent.apiToken;
  return new CorrosionClient({ url: agent.api_url, token: (await tomlOf(agent))?.token ?? given });
}

/** What the file says that this node runs its agent on; null where there is none to be read. */
export async function tomlOf({ config_path, managed }: AgentStatus): Promise<AgentToml | null> {
  if (!managed || config_path === null) return null;
  try {
    return readAgentToml(await readFile(config_path, "utf8"));
  } catch {
    return null; // What is wrong with the file is what `corrosion.config` shows.
  }
}
