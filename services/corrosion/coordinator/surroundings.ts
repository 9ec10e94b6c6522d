/** @module What a node looks at before an update may have it: which nodes there are, and whether its own agent can be a target. */
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "../../../lib/cluster-nodes.ts";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { AgentStatus, ConfigJob, Discovery, NodeConfigRow } from "../contract.ts";
import type { KnownNodes } from "./targets.ts";

/** By the bus, and by what the database and the DNS say where they answer. */
export async function knownNodes(broker: ServiceBroker): Promise<KnownNodes> {
  const here = { nodeID: broker.nodeID };
  const unknown = (error: unknown) => {
    broker.logger.debug("a source of known nodes does not answer", { error: String(error) });
    return [];
  };
  const [rows, discovered] = await Promise.all([
    broker.call<NodeConfigRow[], object>("corrosion.identity.configs", {}, here).catch(unknown),
    broker
      .call<Discovery, object>("corrosion.discovery.get", {}, here)
      .then(({ nodes }) => nodes)
      .catch(unknown),
  ]);
  const registry = nodesWith(broker, "corrosion.coordinator");
  return {
    present: new Set(registry.filter(({ available }) => available).map(({ id }) => id)),
    known: new Set([
      ...registry.map(({ id }) => id),
      ...[...rows, ...discovered].map(({ node_id }) => node_id),
    ]),
  };
}

/** Throws `CorrosionError` when this node's agent cannot be a target. */
export async function checkOwnAgent(broker: ServiceBroker): Promise<void> {
  const here = { nodeID: broker.nodeID };
  const agent = await broker.call<AgentStatus, object>("corrosion.agent.status", {}, here);
  if (!agent.managed) {
    throw new CorrosionError(
      "agent_not_managed",
      `The agent of ${broker.nodeID} is run by somebody else: configure it where it is run.`,
    );
  }
  if (agent.state === "stopped" || agent.state === "crashed") {
    const why = agent.reason === null ? "" : ` (${agent.reason.replace(/\.$/, "")})`;
    throw new CorrosionError(
      "agent_not_managed",
      `The agent of ${broker.nodeID} does not run, it is ${agent.state}${why}: start it first, or leave that node out.`,
    );
  }
  const job = await broker.call<ConfigJob | null, object>("corrosion.config.job", {}, here);
  if (job !== null && job.state !== "ready" && job.state !== "error") {
    throw new CorrosionError("busy", `${broker.nodeID} is busy with a change of its own: ${job.message}`);
  }
}
