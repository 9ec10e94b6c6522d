/** @module Where a cluster on one machine lives: its folders, its ports, and what the user brings instead of a part. */
import { join, resolve } from "node:path";
import { type Config, InvalidConfig, readConfig } from "../../lib/config.ts";
import { NODES, type PartName } from "./record.ts";

/** Servers of the JetStream cluster. */
export const COUNT = 3;
/** Nodes of a cluster, unless told otherwise. */
export const DEFAULT_NODES = 3;
export const NATS_SERVERS = ["nats-1", "nats-2", "nats-3"] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Layout {
  /** What the user asked for; a node differs from it by `nodeEnvironment`. */
  readonly config: Config;
  readonly environment: Environment;
  /** The nodes that it is to have. */
  readonly nodes: readonly PartName[];
  /** All data are below it. */
  readonly folder: string;
  readonly pids: string;
  readonly logs: string;
  /** First of three ports each. */
  readonly natsPort: number;
  readonly natsRoutePort: number;
  readonly natsMonitorPort: number;
  readonly redisPort: number;
}

/** What the nodes need to find the rest; null where there is no such part. */
export interface Backing {
  readonly natsUrl: string;
  readonly databaseUrl: string;
  readonly redisUrl: string | null;
}

const MAX_PORT = 65_535;

/**
 * Reads what a cluster is to be like. Throws `InvalidConfig` with a sentence for each value that cannot be used, also
 * for those that only the nodes would have refused: nothing has been started then.
 */
export function readLayout(environment: Environment, nodes = DEFAULT_NODES): Layout {
  // Log engine and node ids are the cluster's own choice. NATS servers of the user's own are checked with the nodes'
  // environment below: alone they would ask for a Postgres of the user's own too.
  const own = { FLEET_ENGINE: undefined, FLEET_NODE_ID: undefined, NODE_ID: undefined, NATS_URL: undefined };
  const config = {
    ...readConfig({ ...environment, ...own }),
    natsUrl: environment.NATS_URL?.trim() || null,
  };
  const problems: string[] = [];
  const ports = (name: string, fallback: number, count: number): number => {
    const raw = environment[name]?.trim() || String(fallback);
    const value = Number(raw);
    if (/^\d+$/.test(raw) && value >= 1 && value <= MAX_PORT - count + 1) return value;
    problems.push(`${name} must be a whole number from 1 to ${MAX_PORT - count + 1}, and is "${raw}".`);
    return fallback;
  };
  const folder = join(config.dataDir, "cluster");
  const layout: Layout = {
    config,
    environment,
    nodes: NODES.slice(0, nodes),
    folder,
    pids: join(folder, "pids"),
    logs: join(resolve(environment.FLEET_LOG_DIR?.trim() || "./logs"), "cluster"),
    natsPort: ports("FLEET_CLUSTER_NATS_PORT", 4222, COUNT),
    natsRoutePort: ports("FLEET_CLUSTER_NATS_ROUTE_PORT", 6222, COUNT),
    natsMonitorPort: ports("FLEET_CLUSTER_NATS_MONITOR_PORT", 8222, COUNT),
    // Not 6379, where many machines have a Redis of their own.
    redisPort: ports("FLEET_CLUSTER_REDIS_PORT", 6390, 1),
  };
  if (config.port === 0 || config.port > MAX_PORT - nodes) {
    problems.push(
      `PORT must be from 1 to ${MAX_PORT - nodes} for a cluster, whose nodes listen on the ${nodes} ports behind it, and is "${config.port}".`,
    );
  }
  if (problems.length > 0) throw new InvalidConfig(problems.join("\n"));
  const example = {
    natsUrl: "nats://127.0.0.1:4222",
    databaseUrl: "postgresql://127.0.0.1/fleet",
    redisUrl: null,
  };
  readConfig(nodeEnvironment(layout, 0, { ...example, ...(config.natsUrl && { natsUrl: config.natsUrl }) }));
  return layout;
}

/** The environment of the node with this index, from 0. */
export function nodeEnvironment(layout: Layout, index: number, backing: Backing): Environment {
  const { config, environment, folder } = layout;
  const number = index + 1;
  const { ack, agent } = config.consoleOf(number);
  return {
    ...environment,
    FLEET_NODE_ID: layout.nodes[index]!,
    NODE_ID: String(number),
    CLUSTER_SIZE: String(layout.nodes.length),
    FLEET_DATA_DIR: folder,
    // Another name of the same, and two that differ are refused.
    DATA_DIR: undefined,
    CORROSION_CONFIG_DIR: environment.CORROSION_CONFIG_DIR ?? join(folder, "corrosion"),
    CORROSION_API_PORT: String(agent.apiPort),
    CORROSION_GOSSIP_PORT: String(agent.gossipPort),
    API_PORT: String(ack.port),
    FLEET_LOG_DIR: "", // its lines go to standard output, which is its log file
    PORT: String(config.port + number),
    NATS_URL: backing.natsUrl,
    DATABASE_URL: backing.databaseUrl,
    ...(backing.redisUrl !== null && { REDIS_URL: backing.redisUrl }),
  };
}

/** Where a node is reached from this machine, also when it listens on all addresses. */
export function localUrl(host: string, port: number): string {
  const everywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const name = everywhere[host] ?? host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}
