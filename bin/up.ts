/** @module `fleetport up`: the embedded mode, all nodes in one process. */
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { type Config, readConfig } from "../lib/config.ts";
import type { Env } from "../lib/env.ts";
import { processLog } from "../lib/logging.ts";
import { forget, note } from "./cluster/record.ts";
import { openEmbeddedArchive } from "./embedded-archive.ts";
import { openRepl } from "./open-repl.ts";
import { asError, endProperly } from "./process.ts";
import { stage } from "./stages.ts";
import { createNode } from "./start-node.ts";
import { drainAndStop, stopAll } from "./stop-node.ts";
import { agentLine, agentSettled, archiveProblem, untilAllLed, untilReady } from "./waiting.ts";

/** Everything is over this long after Ctrl-C. */
const STOP_LIMIT_MS = 4500;
/** A start waits this long for the archive, and then goes on without it. */
const ARCHIVE_LIMIT_MS = 3000;
/** And this long for its Corrosion agents, which begin with the nodes. */
const AGENTS_LIMIT_MS = 5000;

/** Where an embedded start notes its process. */
export function pidFolder(config: Config): string {
  return join(config.dataDir, "pids");
}

/** Configuration of node N of an embedded start. */
export function embeddedNode(config: Config, number: number): Config {
  return {
    ...config,
    nodeId: `${config.console.environment === "test" ? "test" : "dev"}-node${number}`,
    port: config.port === 0 ? 0 : config.port + number,
    console: config.consoleOf(number),
  };
}

/** `fleetport up [N] [--no-repl]`. Throws a sentence for arguments that it does not know. */
export async function runUp(args: readonly string[], env: Env): Promise<void> {
  const count = args.find((arg) => /^\d+$/.test(arg));
  const unknown = args.find((arg, i) => arg !== "--no-repl" && (arg !== count || args.indexOf(arg) !== i));
  if (unknown !== undefined) {
    throw new Error(`"${unknown}" is not known here.\nUsage: npm start [-- <nodes>] [--no-repl]`);
  }
  const config = readConfig(count === undefined ? env : { ...env, FLEET_NODES: count });
  await runEmbedded(config, { repl: !args.includes("--no-repl") });
}

export interface EmbeddedOptions {
  /** Whether the REPL opens where there is a terminal. */
  readonly repl: boolean;
}

/** Starts the nodes, prints a line a stage and the URLs, opens the REPL on a terminal. Returns once all is up. */
export async function runEmbedded(config: Config, { repl }: EmbeddedOptions): Promise<void> {
  if (config.mode !== "embedded") {
    throw new Error(
      "NATS_URL is set: run `fleetport node` for a node of a cluster, or unset it for the embedded mode.",
    );
  }
  const began = performance.now();
  const brokers: ServiceBroker[] = [];
  const archive = openEmbeddedArchive(config, processLog(config, "postgres"));
  let stopping = false;
  let noted = false;
  const { halt, shutdown } = endProperly(async () => {
    stopping = true;
    await stopAll(brokers);
    // The nodes write to it until they have stopped.
    await (await archive).stop();
    if (noted) forget(pidFolder(config), "up");
  }, STOP_LIMIT_MS);

  process.stdout.write(
    `Fleetport, embedded mode: ${config.nodes} nodes in this process, data in ${config.dataDir}\n`,
  );
  try {
    const { config: ofNodes } = await stage(
      "postgres",
      () => archive,
      ({ line }) => line,
    );
    if (stopping) return;
    await stage(
      "nodes",
      async () => {
        const namespace = `fleet-${process.pid}`;
        for (let n = 1; n <= config.nodes; n++) {
          const retire = () => {
            drainAndStop(brokers[n - 1]!).catch(halt);
          };
          brokers.push(createNode(embeddedNode(ofNodes, n), { namespace, halt, retire }));
        }
        await Promise.all(brokers.map((broker) => broker.start()));
      },
      () => brokers.map((broker) => broker.nodeID).join(", "),
    );
    // Not before: only now is it sure that no other start has these data.
    noteStart(config);
    noted = true;
    await stage(
      "groups",
      async () => {
        await Promise.all(brokers.map((broker) => untilReady(broker)));
        await Promise.all(brokers.map(untilAllLed));
      },
      () => `${config.groups} groups recovered and led, log engine ${config.engine} (one durable copy)`,
    );
    if (ofNodes.databaseUrl !== null) {
      await stage(
        "archive",
        () => Promise.all(brokers.map((broker) => archiveProblem(broker, ARCHIVE_LIMIT_MS))),
        (problems) => archiveLine(problems.find((problem) => problem !== null) ?? null),
      );
    }
    if (config.console.agent.mode !== "off") {
      await stage(
        "agents",
        () => Promise.all(brokers.map((broker) => agentSettled(broker, AGENTS_LIMIT_MS))),
        (agents) => agents.map(agentLine).join(`\n${" ".repeat(13)}`),
      );
    }
  } catch (error) {
    return halt(asError(error));
  }
  process.stdout.write(`ready in ${((performance.now() - began) / 1000).toFixed(2)} s\n`);
  for (const broker of brokers) process.stdout.write(`  ${broker.nodeID}  ${String(broker.metadata.url)}\n`);
  if (repl && process.stdin.isTTY && process.stdout.isTTY) {
    process.stdout.write(
      'Moleculer REPL: "fleet status" shows the fleet, "help" all commands, Ctrl-C ends.\n',
    );
    openRepl(brokers[0]!, shutdown);
  }
}

/** So that `fleetport stop` finds it. */
function noteStart(config: Config): void {
  note(pidFolder(config), process.pid, {
    name: "up",
    address: `http://${config.host}:${config.port}`,
    health: "",
    log: config.logDir ?? "",
  });
}

function archiveLine(problem: string | null): string {
  if (problem === null) return "in Postgres, schema up to date";
  return `NOT AVAILABLE, conversations go on without it: ${problem}`;
}
