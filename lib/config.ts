/** @module Configuration: the environment, read and checked once, before anything starts. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { type ConsoleConfig, type ConsoleOfNode, MAX_NODES, readConsole } from "./console-config.ts";
import { type Env, envReader } from "./env.ts";
import { InvalidNatsUrl, readNatsUrl } from "./nats-access.ts";
import { shownEnvironment } from "./shown-environment.ts";

/** Everything that a node takes from its environment. Durations are milliseconds, sizes bytes. */
export interface Config {
  readonly mode: "embedded" | "distributed";
  readonly host: string;
  /** Web port; node N of an embedded start listens on `port + N`. */
  readonly port: number;
  /** As it was given, with the credentials: `readNatsUrl` takes it apart. Never shown. */
  readonly natsUrl: string | null;
  /** The archive's Postgres; null: an embedded start runs one of its own. */
  readonly databaseUrl: string | null;
  /** Whose that Postgres is: of this start, or of somebody else; null: there is none. */
  readonly database: "embedded" | "external" | null;
  /** Redis for what all gateways share; null: each keeps its own in RAM. */
  readonly redisUrl: string | null;
  /** Requests a minute that one client address may send, over all gateways; 0: any number. */
  readonly rateLimit: number;
  readonly nodeId: string;
  readonly engine: "sqlite" | "jetstream";
  readonly dataDir: string;
  /** Nodes in one process (embedded mode). */
  readonly nodes: number;
  /** Nodes that start together with this one and are waited for, a moment, before groups are placed. */
  readonly expectedNodes: number;
  readonly groups: number;
  readonly replicas: number;
  readonly heartbeatMs: number;
  readonly nodeTimeoutMs: number;
  readonly leaderLeaseMs: number;
  readonly appendTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** Connections to Postgres at most. */
  readonly poolSize: number;
  /** Whether a node brings the archive's schema up to date when it starts. */
  readonly migrateOnBoot: boolean;
  /** Time between two passes of a leader's archiver. */
  readonly flushIntervalMs: number;
  /** Rows a statement at most. */
  readonly flushBatch: number;
  /** Commands between two snapshots of a group. */
  readonly snapshotEvery: number;
  /** Snapshots kept of each group. */
  readonly snapshotKeep: number;
  /** Sessions that nobody used for this long leave RAM once they are archived. */
  readonly evictIdleMs: number;
  readonly maxContentBytes: number;
  readonly inflightBytes: number;
  readonly hotBytes: number;
  readonly wsBufferBytes: number;
  readonly catchupIntervalMs: number;
  /** Least serious lines that reach the terminal; the log files of an embedded start hold `info` and above. */
  readonly logLevel: LogLevel;
  /** Folder of the log files; null: structured lines go to standard output. */
  readonly logDir: string | null;
  /** The environment that it came from, as it may be shown. */
  readonly variables: Readonly<Record<string, string | null>>;
  /** The Corrosion console's part, of this node. */
  readonly console: ConsoleConfig;
  /** The same for another node of this process. */
  readonly consoleOf: ConsoleOfNode;
}

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The environment holds values that cannot be used; the message has one sentence for each. */
export class InvalidConfig extends Error {
  override name = "InvalidConfig";
}

const MAX_PORT = 65_535;
/** A node tells the others of all its groups in one message of the bus, which takes 1 MiB. */
const MAX_GROUPS = 1024;
const MAX_RATE = 1_000_000_000;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/**
 * Reads the configuration (contract, section 11). An empty variable counts as missing.
 * Throws `InvalidConfig` that names every wrong value, so that one start shows all of them.
 */
export function readConfig(env: Env): Config {
  const reader = envReader(env);
  const { text, integer, duration, flag, oneOf, url, either, problem } = reader;

  function natsUrl(): string | null {
    const raw = text("NATS_URL");
    if (raw === null) return null;
    try {
      readNatsUrl(raw);
    } catch (error) {
      if (!(error instanceof InvalidNatsUrl)) throw error;
      problem(error.message);
    }
    return raw;
  }

  const nats = natsUrl();
  const engine = oneOf("FLEET_ENGINE", ["sqlite", "jetstream"], nats ? "jetstream" : "sqlite");
  if (engine === "jetstream" && !nats) {
    problem("FLEET_ENGINE=jetstream needs NATS_URL: set it to the address of a NATS server with JetStream.");
  }
  if (engine === "sqlite" && nats) {
    problem(
      "FLEET_ENGINE=sqlite keeps the log on one machine and cannot be used with NATS_URL: unset one of them.",
    );
  }

  const databaseUrl = url(
    "DATABASE_URL",
    /^postgres(ql)?:\/\/\S+$/,
    "postgresql://user:password@host:5432/fleetport",
  );
  if (nats && databaseUrl === null) {
    problem(
      "NATS_URL is set, and the distributed mode then needs DATABASE_URL: set it to the address of a Postgres, e.g. postgresql://user:password@host:5432/fleetport.",
    );
  }

  const production = text("FLEETPORT_ENV") === "prod";
  const host = either("HOST", "BIND_HOST") ?? (production ? "::" : "127.0.0.1");
  const insecureAllowed = flag("FLEET_AUTH_ALLOW_INSECURE", false);
  if (!LOOPBACK.test(host) && !insecureAllowed) {
    problem(
      `HOST is "${host}", which others can reach, and there is no authentication: set FLEET_AUTH_ALLOW_INSECURE=true if that is meant, or HOST=127.0.0.1.`,
    );
  }

  const number = integer("NODE_ID", 1, 1, MAX_NODES);
  const nodeId = text("FLEET_NODE_ID") ?? nodeIdOf(text, number) ?? hostname();
  if (!/^[\w.-]{1,64}$/.test(nodeId)) {
    problem(
      `FLEET_NODE_ID must be 1 to 64 letters, digits, dots, dashes or underscores, and is "${nodeId}".`,
    );
  }

  const logDir = text("FLEET_LOG_DIR") ?? (nats ? null : "./logs");
  const nodes = integer("FLEET_NODES", 3, 1, MAX_NODES);
  const heartbeatMs = duration("FLEET_HEARTBEAT_MS", 1000, 100);
  const nodeTimeoutMs = duration("FLEET_NODE_TIMEOUT_MS", 5000, 500);
  if (nodeTimeoutMs < 2 * heartbeatMs) {
    problem(
      `FLEET_NODE_TIMEOUT_MS (${nodeTimeoutMs}) must be at least twice FLEET_HEARTBEAT_MS (${heartbeatMs}), or live nodes count as lost.`,
    );
  }

  const dataDirGiven = either("FLEET_DATA_DIR", "DATA_DIR");
  const dataDir = resolve(dataDirGiven ?? "./data");
  const consoleOf = readConsole(reader, {
    dataDir,
    dataDirGiven: dataDirGiven !== null,
    host,
    embedded: nats === null,
    nodes,
  });
  /** Node N of a cluster on one machine listens on 4000 + N; an embedded start adds its N's itself. */
  function webPort(distributed: boolean): number {
    if (production) return 8080;
    return distributed && text("NODE_ID") !== null ? 4000 + number : 4000;
  }

  const config: Config = {
    mode: nats ? "distributed" : "embedded",
    host,
    port: integer("PORT", webPort(nats !== null), 0, MAX_PORT - nodes),
    natsUrl: nats,
    databaseUrl,
    database: databaseUrl === null ? null : "external",
    redisUrl: url("REDIS_URL", /^rediss?:\/\/\S+$/, "redis://host:port"),
    rateLimit: integer("FLEET_RATE_LIMIT", 0, 0, MAX_RATE),
    nodeId,
    engine,
    dataDir,
    nodes,
    expectedNodes: nats ? 1 : nodes,
    groups: integer("FLEET_GROUPS", 256, 1, MAX_GROUPS),
    replicas: integer("FLEET_REPLICAS", 3, 1, 5),
    heartbeatMs,
    nodeTimeoutMs,
    leaderLeaseMs: duration("FLEET_LEADER_LEASE_MS", 2000, 100),
    appendTimeoutMs: duration("FLEET_APPEND_TIMEOUT_MS", 2000, 50),
    drainTimeoutMs: duration("FLEET_DRAIN_TIMEOUT_MS", 30_000, 100),
    poolSize: integer("FLEET_POOL_SIZE", 25, 1, 1000),
    migrateOnBoot: flag("FLEET_MIGRATE_ON_BOOT", true),
    flushIntervalMs: duration("FLEET_FLUSH_INTERVAL_MS", 5000, 10),
    flushBatch: integer("FLEET_FLUSH_BATCH", 5000, 1, 50_000),
    snapshotEvery: integer("FLEET_SNAPSHOT_EVERY", 100_000, 1),
    snapshotKeep: integer("FLEET_SNAPSHOT_KEEP", 3, 1, 100),
    evictIdleMs: duration("FLEET_EVICT_IDLE_MS", 86_400_000, 10),
    maxContentBytes: integer("FLEET_MAX_CONTENT_BYTES", 262_144, 1, 524_288),
    inflightBytes: integer("FLEET_INFLIGHT_BYTES", 67_108_864, 1024),
    hotBytes: integer("FLEET_HOT_BYTES", 268_435_456, 1024),
    wsBufferBytes: integer("FLEET_WS_BUFFER_BYTES", 8_388_608, 65_536),
    catchupIntervalMs: duration("FLEET_CATCHUP_INTERVAL_MS", 5000, 50),
    logLevel: oneOf("FLEET_LOG_LEVEL", LOG_LEVELS, nats ? "info" : "warn"),
    logDir: logDir === null ? null : resolve(logDir),
    variables: shownEnvironment(env),
    consoleOf,
    console: consoleOf(number),
  };
  if (reader.problems.length > 0) throw new InvalidConfig(reader.problems.join("\n"));
  return config;
}

/** The console's name of a node (contract corroport, section 1); null where neither a number nor Fly gives it one. */
function nodeIdOf(text: (name: string) => string | null, number: number): string | null {
  const environment = text("FLEETPORT_ENV") ?? "dev";
  if (environment === "prod") {
    return `${text("FLY_REGION") ?? "fallback"}-${text("FLY_MACHINE_ID") ?? number}`;
  }
  return text("NODE_ID") === null ? null : `${environment}-node${number}`;
}
