/** @module Configuration of the Corrosion console: who this node is, its agent, and how it watches the cluster. */
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { EnvReader } from "./env.ts";

export const ENVIRONMENTS = ["dev", "test", "prod"] as const;
/** `off`: the node has no agent and no console over one. */
export const AGENT_MODES = ["auto", "binary", "embedded", "external", "off"] as const;

/** What a node takes from its environment for the console (contract corroport, section 1). Durations are milliseconds. */
export interface ConsoleConfig {
  readonly environment: (typeof ENVIRONMENTS)[number];
  /** N, 1 to 10. */
  readonly node: number;
  /** Nodes that are expected where no DNS says so. */
  readonly clusterSize: number;
  /** This node's own folder, `{DATA_DIR}/node{N}`. */
  readonly dataDir: string;
  readonly agent: AgentConfig;
  readonly ack: AckConfig;
  /** Time between two samples of a run's system metrics. */
  readonly metricsIntervalMs: number;
  /** Time between two collections of a run. */
  readonly analyticsIntervalMs: number;
  /** How long a report is kept. */
  readonly analyticsCacheMs: number;
  readonly fly: FlyConfig;
  readonly dnsTtlMs: number;
  readonly membersRefreshMs: number;
  /** Changes over HTTP need it as a Bearer token; null: nobody does. Never shown. */
  readonly token: string | null;
  /** Origins, beside the node's own, whose pages may change something. */
  readonly allowedOrigins: readonly string[];
  /** Names, in lower case, by which a browser may reach this node's own pages; any address of IP does, too. */
  readonly ownHosts: readonly string[];
}

/** Messages and their acknowledgements. */
export interface AckConfig {
  /** Where the ack API listens; port 0: the system chooses. */
  readonly host: string;
  readonly port: number;
  /** Callers of the ack API send it as `x-fleetport-token`; null: none is asked for. Never shown. */
  readonly token: string | null;
  /** Deliveries of one acknowledgement at most. */
  readonly attempts: number;
  /** Deliveries under way at a time. */
  readonly concurrency: number;
  /** How long a message is waited for before it is partial or unacked. */
  readonly deadlineMs: number;
  /** Own rows that are kept. */
  readonly messageKeep: number;
  readonly dedupeMax: number;
  readonly dedupeTtlMs: number;
}

export interface AgentConfig {
  readonly mode: (typeof AGENT_MODES)[number];
  /** CORROSION_BIN; null: `corrosion` on PATH. */
  readonly bin: string | null;
  /** Base URL of an agent that someone else runs. */
  readonly apiUrl: string | null;
  /** Its bearer token. Never shown. */
  readonly apiToken: string | null;
  /** Where the agent of this node listens, unless its TOML says otherwise. */
  readonly apiPort: number;
  readonly gossipPort: number;
  readonly adminPath: string;
  /** Holds `canonical/node{N}.toml` and `runtime/node{N}.toml`. */
  readonly configDir: string;
  /** Whether ports or folders were set, so that the canonical file is not this node's. */
  readonly moved: boolean;
  readonly schemaDir: string;
  /** Gossip addresses of the nodes that are known without asking: those of CLUSTER_SIZE, or of the Fly app. */
  readonly bootstrap: readonly string[];
}

export interface FlyConfig {
  readonly appName: string | null;
  readonly region: string | null;
  readonly machineId: string | null;
  readonly privateIp: string | null;
}

const DEV_API_PORT = 8080;
const DEV_GOSSIP_PORT = 8786;
const DEV_ACK_PORT = 5000;
export const MAX_NODES = 10;
const PROJECT = new URL("..", import.meta.url).pathname;

/** How node N of a start is derived from what all of them share. */
export type ConsoleOfNode = (node: number) => ConsoleConfig;

export interface ConsoleBase {
  readonly dataDir: string;
  readonly dataDirGiven: boolean;
  /** Where the web server listens. */
  readonly host: string;
  /** Whether all nodes are in this process: then a port that is given counts from node 0. */
  readonly embedded: boolean;
  /** Nodes of an embedded start. */
  readonly nodes: number;
}

/** Reads the console's variables; problems go to the reader. */
export function readConsole(env: EnvReader, base: ConsoleBase): ConsoleOfNode {
  const environment = env.oneOf("FLEETPORT_ENV", ENVIRONMENTS, "dev");
  const prod = environment === "prod";
  const counted = base.embedded || !prod;
  const apiGiven = env.text("CORROSION_API_PORT") !== null;
  const gossipGiven = env.text("CORROSION_GOSSIP_PORT") !== null;
  const apiPort = env.integer("CORROSION_API_PORT", counted ? DEV_API_PORT : 8081, 1, 65_525);
  const gossipPort = env.integer("CORROSION_GOSSIP_PORT", counted ? DEV_GOSSIP_PORT : 8787, 1, 65_525);
  const ackGiven = env.text("API_PORT") !== null;
  const ackPort = env.integer("API_PORT", counted ? DEV_ACK_PORT : 8088, 0, 65_525);
  const ack = {
    token: env.text("ACK_TOKEN"),
    attempts: env.integer("ACK_ATTEMPTS", 6, 5, 100),
    concurrency: env.integer("ACK_CONCURRENCY", 16, 1, 1000),
    deadlineMs: env.duration("ACK_DEADLINE_MS", 30_000, 100),
    messageKeep: env.integer("MESSAGE_KEEP", 1000, 1),
    dedupeMax: env.integer("DEDUPE_MAX", 50_000, 1),
    dedupeTtlMs: env.duration("DEDUPE_TTL_MS", 86_400_000, 10),
  };
  const clusterSize = env.integer("CLUSTER_SIZE", base.embedded ? base.nodes : 3, 1, MAX_NODES);
  const mode = env.oneOf("CORROSION_MODE", AGENT_MODES, "auto");
  const apiUrl = env.url("CORROSION_API_URL", /^https?:\/\/\S+$/, "http://127.0.0.1:8081");
  // It is shown, in contrast to CORROSION_API_TOKEN.
  if (apiUrl?.includes("@")) {
    env.problem("CORROSION_API_URL must not hold credentials: give the token in CORROSION_API_TOKEN.");
  }
  if (mode === "external" && apiUrl === null) {
    env.problem("CORROSION_MODE=external needs CORROSION_API_URL: set it to the agent's HTTP address.");
  }
  if (mode !== "external" && mode !== "auto" && apiUrl !== null) {
    env.problem(
      `CORROSION_MODE=${mode} runs an agent of its own and cannot be used with CORROSION_API_URL: unset one of them.`,
    );
  }
  if (base.embedded && apiUrl !== null && base.nodes > 1) {
    env.problem(
      `CORROSION_API_URL names one agent, and ${base.nodes} nodes would share it: start with FLEET_NODES=1.`,
    );
  }
  const configDir = env.text("CORROSION_CONFIG_DIR");
  const appName = env.text("FLY_APP_NAME");
  const names = ["localhost", hostname(), base.host, ...(appName === null ? [] : [`${appName}.fly.dev`])];
  const shared = {
    environment,
    clusterSize,
    ownHosts: names.map((name) => name.toLowerCase()),
    fly: {
      appName,
      region: env.text("FLY_REGION"),
      machineId: env.text("FLY_MACHINE_ID"),
      privateIp: env.text("FLY_PRIVATE_IP"),
    },
    dnsTtlMs: env.duration("DNS_TTL_MS", 30_000, 100),
    membersRefreshMs: env.duration("MEMBERS_REFRESH_MS", 30_000, 100),
    metricsIntervalMs: env.duration("METRICS_INTERVAL_MS", 5000, 50),
    analyticsIntervalMs: env.duration("ANALYTICS_INTERVAL_MS", 10_000, 50),
    analyticsCacheMs: env.duration("ANALYTICS_CACHE_MS", 2000, 0),
    token: env.text("CONSOLE_TOKEN"),
    allowedOrigins: (env.text("ALLOWED_ORIGINS") ?? "").split(/[\s,]+/).filter((origin) => origin !== ""),
  };
  return (node) => {
    const dataDir = resolve(base.dataDir, `node${node}`);
    /** The port of node n. A given one is this node's own where one process is one node, and node 0's otherwise. */
    const port = (given: boolean, value: number, n: number) => {
      if (!counted) return value;
      return given && !base.embedded ? value - node + n : value + n;
    };
    return {
      ...shared,
      node,
      dataDir,
      ack: {
        ...ack,
        // Others post acknowledgements there: it must be as reachable as the gateway.
        host: shared.fly.privateIp ?? base.host,
        port: ackPort === 0 ? 0 : port(ackGiven, ackPort, node),
      },
      agent: {
        mode: apiUrl === null ? mode : "external",
        bin: env.text("CORROSION_BIN"),
        apiUrl,
        apiToken: env.text("CORROSION_API_TOKEN"),
        apiPort: port(apiGiven, apiPort, node),
        gossipPort: port(gossipGiven, gossipPort, node),
        adminPath: resolve(dataDir, "admin.sock"),
        // Two clusters on one machine must not write one runtime file: a folder of its own has its own.
        configDir: resolve(
          configDir ?? (base.dataDirGiven ? join(base.dataDir, "configs") : `${PROJECT}corrosion/configs`),
        ),
        moved: prod || apiGiven || gossipGiven || base.dataDirGiven,
        schemaDir: `${PROJECT}corrosion/schemas`,
        bootstrap: prod
          ? [`${shared.fly.appName ?? "localhost"}.internal:8787`]
          : neighbours(node, clusterSize).map((n) => `127.0.0.1:${port(gossipGiven, gossipPort, n)}`),
      },
    };
  };
}

function neighbours(node: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => i + 1).filter((n) => n !== node);
}
