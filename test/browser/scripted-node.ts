/** @module A real gateway over actors that a test writes: for states that a real cluster cannot be brought into at will. */
import type { NodeFacts } from "../../services/corrosion/contract.ts";
import { type Actions, AGENT, ALL_WELL, actors } from "../helpers/console.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";

export const FACTS: NodeFacts = {
  node_id: "dev-node1",
  region: "dev-node1",
  environment: "test",
  mode: "embedded",
  engines: { log: "sqlite", bus: "in-process", database: "embedded", cache: "memory", agent: "embedded" },
  versions: { fleetport: "0.1.0", node: "24", moleculer: "0.15" },
  pid: 1,
  started_at: "2026-01-02T03:04:05.678901Z",
  uptime_s: 1,
  memory: { rss_bytes: 1, heap_used_bytes: 1, heap_total_bytes: 1 },
  bus_connected: true,
  ports: { web: 4001, ack: 5001, corrosion_api: 8081, corrosion_gossip: 8787 },
  urls: { web: null, corrosion_api: null },
  ack_endpoint: null,
  services: [],
  leads: 0,
  follows: 0,
  variables: {},
  has_agent: true,
  agent: AGENT,
  configuration: null,
  files: [],
  problems: [],
};

/** All is well but for what `actions` say; the node has the environment `env`. */
export function scriptedNode(
  actions: Actions,
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> {
  const services = actors({ ...ALL_WELL, "corrosion.node.facts": () => FACTS, ...actions });
  return startGateway({ services, env });
}
