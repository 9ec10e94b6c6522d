/** @module What a node says about itself to those who operate it. Nothing of it is secret. */
import { readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { isoMicros } from "../../../lib/clock.ts";
import { parseHostPort } from "../../../lib/host-port.ts";
import { regionOf } from "../../../lib/regions.ts";
import { runtimeOf } from "../../../lib/runtime.ts";
import type { AgentStatus, NodeConfiguration, NodeFacts } from "../contract.ts";

/** Files shown at most. */
const MAX_FILES = 100;
/** Services of groups: hundreds, of which the fleet's status tells more. */
const LEADER = /^raft\.g\d+$/;
const FOLLOWER = /^raft\.g\d+\.follower$/;
const CALL_MS = 2000;

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

/** `startedAt` in microseconds. Parts that cannot be told are null and have their reason in `problems`. */
export async function nodeFacts(broker: ServiceBroker, startedAt: number): Promise<NodeFacts> {
  const { config, fanout } = runtimeOf(broker);
  const { console } = config;
  const hasAgent = console.agent.mode !== "off";
  const problems: string[] = [];
  const ask = <T>(action: string): Promise<T | null> =>
    broker
      .call<T, object>(action, {}, { nodeID: broker.nodeID, timeout: CALL_MS })
      .catch((error: unknown) => {
        problems.push(`${action}: ${error instanceof Error ? error.message : String(error)}`);
        return null;
      });
  const [agent, configuration, files] = await Promise.all([
    hasAgent ? ask<AgentStatus>("corrosion.agent.status") : null,
    hasAgent ? ask<NodeConfiguration>("corrosion.config.get") : null,
    filesOf(console.dataDir),
  ]);
  const url = typeof broker.metadata.url === "string" ? broker.metadata.url : null;
  const ackEndpoint = broker.metadata.ack_endpoint;
  const ack = typeof ackEndpoint === "string" ? ackEndpoint : null;
  const { rss, heapUsed, heapTotal } = process.memoryUsage();
  const services = broker.services.map(({ name }) => name);
  return {
    node_id: broker.nodeID,
    region: regionOf(broker.nodeID),
    environment: console.environment,
    mode: config.mode,
    engines: {
      log: config.engine,
      bus: config.mode === "embedded" ? "in-process" : "nats",
      database: config.database,
      cache: config.redisUrl === null ? "memory" : "redis",
      agent: agent?.kind ?? null,
    },
    versions: { fleetport: version, node: process.versions.node, moleculer: ServiceBroker.MOLECULER_VERSION },
    pid: process.pid,
    started_at: isoMicros(startedAt),
    uptime_s: Math.round(process.uptime()),
    memory: { rss_bytes: rss, heap_used_bytes: heapUsed, heap_total_bytes: heapTotal },
    bus_connected: fanout.connected,
    ports: {
      web: url === null ? config.port : Number(new URL(url).port),
      ack: (ack === null ? null : parseHostPort(ack)?.port) ?? console.ack.port,
      corrosion_api: console.agent.apiPort,
      corrosion_gossip: console.agent.gossipPort,
    },
    urls: { web: url, corrosion_api: agent?.api_url ?? null },
    ack_endpoint: ack,
    services: services.filter((name) => !LEADER.test(name) && !FOLLOWER.test(name)).sort(),
    leads: services.filter((name) => LEADER.test(name)).length,
    follows: services.filter((name) => FOLLOWER.test(name)).length,
    variables: config.variables,
    has_agent: hasAgent,
    agent,
    configuration: configuration && {
      path: configuration.path,
      hosts: configuration.hosts,
      canonical: configuration.canonical,
      editable: configuration.editable,
      reason: configuration.reason,
      problem: configuration.problem,
      backups: configuration.backups.length,
    },
    files,
    problems,
  };
}

/** Files of the node's folder; none where there is no such folder yet. */
async function filesOf(folder: string): Promise<NodeFacts["files"]> {
  const names = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    names.slice(0, MAX_FILES).map(async (name) => {
      const path = join(folder, name);
      // A file may be gone since its name was read.
      const found = await stat(path).catch(() => null);
      return found?.isFile()
        ? [{ path, bytes: found.size, modified_at: isoMicros(Math.floor(found.mtimeMs * 1000)) }]
        : [];
    }),
  );
  return files.flat();
}
