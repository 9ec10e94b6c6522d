/** @module An embedded fleet for tests: real nodes, a real log, real gateways, in this process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { createNode } from "../../bin/start-node.ts";
import { stopAll } from "../../bin/stop-node.ts";
import { embeddedNode } from "../../bin/up.ts";
import { archiveProblem, untilAllLed, untilReady } from "../../bin/waiting.ts";
import { readConfig } from "../../lib/config.ts";
import { freshDatabase } from "./database.ts";

export interface FleetOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Default 16. */
  readonly groups?: number;
  /** More of the environment, by the contract's names. */
  readonly env?: Readonly<Record<string, string>>;
  /** A data folder to reuse, together with its database; it is kept then. */
  readonly dataDir?: string;
  /** How long the nodes may take to be ready, in milliseconds. */
  readonly readyWithinMs?: number;
  /** The archive's database, which need not be there. Default: a fresh one, whose schema is then waited for. */
  readonly databaseUrl?: string;
}

export interface TestNode {
  readonly id: string;
  /** Base URL of its gateway. */
  readonly url: string;
  readonly broker: ServiceBroker;
}

export interface TestFleet {
  readonly nodes: readonly TestNode[];
  readonly dataDir: string;
  readonly databaseUrl: string;
  /** Sentences with which a node wanted to end the process. */
  readonly halted: readonly string[];
  stop(): Promise<void>;
}

let started = 0;
const ARCHIVE_LIMIT_MS = 20_000;

/** Starts a fleet on free ports and waits until every node is ready. */
export async function startFleet(options: FleetOptions = {}): Promise<TestFleet> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "fleet-test-")));
  const databaseUrl = options.databaseUrl ?? (await freshDatabase());
  const config = readConfig({
    PORT: "0",
    API_PORT: "0",
    CORROSION_MODE: "off",
    DATABASE_URL: databaseUrl,
    FLEET_NODES: String(options.nodes ?? 3),
    FLEET_GROUPS: String(options.groups ?? 16),
    FLEET_DATA_DIR: dataDir,
    FLEET_LOG_DIR: join(dataDir, "logs"),
    FLEET_LOG_LEVEL: process.env.FLEET_LOG_LEVEL ?? "error",
    ...options.env,
  });
  const halted: string[] = [];
  const namespace = `test-${process.pid}-${++started}`;
  const brokers = Array.from({ length: config.nodes }, (_, i) =>
    createNode(embeddedNode(config, i + 1), {
      namespace,
      halt: (error) => {
        halted.push(error.message);
      },
      retire: () => undefined,
    }),
  );
  const stop = async () => {
    await stopAll(brokers);
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await Promise.all(brokers.map((broker) => broker.start()));
    await Promise.all(
      brokers.map((broker) => untilReady(broker, { limitMs: options.readyWithinMs ?? 60_000 })),
    );
    await Promise.all(brokers.map(untilAllLed));
    if (options.databaseUrl === undefined) await Promise.all(brokers.map(untilArchive));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes: brokers.map(nodeOf), dataDir, databaseUrl, halted, stop };
}

/** Waits until a node has its archive. */
export async function untilArchive(broker: ServiceBroker): Promise<void> {
  const problem = await archiveProblem(broker, ARCHIVE_LIMIT_MS);
  if (problem !== null) throw new Error(`node ${broker.nodeID} has no archive: ${problem}`);
}

function nodeOf(broker: ServiceBroker): TestNode {
  return { id: broker.nodeID, url: String(broker.metadata.url), broker };
}
