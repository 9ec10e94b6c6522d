/** @module The agent of the caller's own node: what it is, and a client for it. */
import { readFile } from "node:fs/promises";
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "../runtime.ts";
import { type AgentToml, readAgentToml } from "./agent-toml.ts";
import { CorrosionClient } from "./client/http.ts";
import { CorrosionError } from "./failures.ts";

const STATUS_LIMIT_MS = 2000;

/** Of what `corrosion.agent.status` answers: where the agent is, and what its token is read from. */
interface AgentPlace {
  readonly api_url: string;
  readonly managed: boolean;
  readonly config_path: string | null;
}

/** The status of the node's agent. Throws `CorrosionError` (`agent_unavailable`) when its actor does not answer. */
export async function ownAgent<Status extends AgentPlace>(broker: ServiceBroker): Promise<Status> {
  const { nodeID } = broker;
  try {
    const options = { nodeID, timeout: STATUS_LIMIT_MS };
    return await broker.call<Status, object>("corrosion.agent.status", {}, options);
  } catch (cause) {
    const sentence = `Node ${nodeID} does not know where its Corrosion agent is: corrosion.agent does not answer.`;
    throw new CorrosionError("agent_unavailable", sentence, {}, { cause });
  }
}

/** A client for the agent that the node has at present. */
export async function clientOf(broker: ServiceBroker, agent: AgentPlace): Promise<CorrosionClient> {
  const given = runtimeOf(broker).config.console.agent.apiToken;
  return new CorrosionClient({ url: agent.api_url, token: (await tomlOf(agent))?.token ?? given });
}

/** What the file says that this node runs its agent on; null where there is none to be read. */
export async function tomlOf({ config_path, managed }: AgentPlace): Promise<AgentToml | null> {
  if (!managed || config_path === null) return null;
  try {
    return readAgentToml(await readFile(config_path, "utf8"));
  } catch {
    return null; // What is wrong with the file is what `corrosion.config` shows.
  }
}
