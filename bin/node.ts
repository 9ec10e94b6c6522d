/** @module `fleetport node`: one node of a distributed fleet, joined over NATS. */
import type { ServiceBroker } from "moleculer";
import type { Config } from "../lib/config.ts";
import { readNatsUrl } from "../lib/nats-access.ts";
import { asError, endProperly } from "./process.ts";
import { stage } from "./stages.ts";
import { createNode } from "./start-node.ts";
import { drainAndStop } from "./stop-node.ts";
import { agentLine, agentSettled, untilReady } from "./waiting.ts";

/** Nodes of one fleet find each other by this; two fleets on one NATS use different accounts. */
export const NAMESPACE = "fleet";

/** A start waits this long for its Corrosion agent, and then goes on without it. */
const AGENT_LIMIT_MS = 5000;

/** Starts the node and prints a line a stage. Returns once it is ready. */
export async function runCluster(config: Config): Promise<void> {
  if (config.natsUrl === null) {
    throw new Error(
      "NATS_URL is required: set it to the address of a NATS server with JetStream, e.g. nats://127.0.0.1:4222.",
    );
  }
  const brokers: ServiceBroker[] = [];
  const stop = () => Promise.all(brokers.map(drainAndStop));
  const { halt, shutdown } = endProperly(stop, config.drainTimeoutMs);
  const broker = createNode(config, { namespace: NAMESPACE, halt, retire: shutdown });
  brokers.push(broker);
  const bus = readNatsUrl(config.natsUrl).servers.join(",");
  process.stdout.write(`Fleetport, distributed mode: node ${config.nodeId}, bus ${bus}\n`);
  try {
    await stage("node", () => broker.start());
    await stage(
      "groups",
      // Without a limit: what it waits for (a log's servers, a snapshot's database) may come back at any time.
      () => untilReady(broker, { limitMs: Number.POSITIVE_INFINITY, tell: sayWaiting }),
      () => `recovered, log engine ${config.engine}`,
    );
    if (config.console.agent.mode !== "off") {
      await stage("agent", () => agentSettled(broker, AGENT_LIMIT_MS), agentLine);
    }
  } catch (error) {
    return halt(asError(error));
  }
  process.stdout.write(`ready at ${String(broker.metadata.url)}\n`);
}

function sayWaiting(missing: string): void {
  process.stdout.write(`waiting      ${missing}\n`);
}
