/** @module `fleetport agents`: Corrosion agents alone, in the background; nodes that start later use them as they are. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Config, readConfig } from "../lib/config.ts";
import { type ConsoleConfig, MAX_NODES } from "../lib/console-config.ts";
import type { Env } from "../lib/env.ts";
import { logFile } from "../lib/logging.ts";
import { agentEnvironment } from "../services/corrosion/agent/environment.ts";
import { chooseAgent } from "../services/corrosion/agent/program.ts";
import { type Started, startStandalone, stopStandalone } from "../services/corrosion/agent/standalone.ts";
import { runtimeFile } from "../services/corrosion/config/runtime-file.ts";
import { lockFolder } from "../services/raft/engine/sqlite-lock.ts";
import { lastLines, openLog } from "./cluster/background.ts";

const USAGE = `Usage: npm run agents -- start|stop [N] [--verbose]
  start   runs the agents of nodes 1 to N (3, at most ${MAX_NODES}) in the background, those that do not run yet
  stop    ends those that start has started, of nodes 1 to N (all of them)`;

interface Order {
  readonly command: "start" | "stop";
  readonly count: number | null;
  readonly verbose: boolean;
}

/** Returns the exit code: 1 when an agent does not run, or has not ended. Throws a sentence when nothing can be done. */
export async function runAgents(args: readonly string[], env: Env): Promise<number> {
  const order = parse(args);
  if (order.command === "stop") return stopAgents(env, order.verbose, order.count ?? MAX_NODES);
  return startAgents(readConfig(counted(env, order.count ?? 3)), agentEnvironment(env), order.verbose);
}

/** Ends the agents that run alone on these data, and says so. Returns the exit code. */
export async function stopAgents(env: Env, verbose = false, count = MAX_NODES): Promise<number> {
  // Which agent a start would take is no matter here, nor whether that makes sense.
  const own = { CORROSION_MODE: undefined, CORROSION_API_URL: undefined };
  const config = readConfig(counted({ ...env, ...own }, count));
  let ended = 0;
  let failed = 0;
  for (const node of numbers(count)) {
    try {
      const how = await stopStandalone(config.consoleOf(node));
      if (how !== null) ended += 1;
      if (how !== null || verbose) say(node, how ?? "no agent runs that was started alone");
    } catch (error) {
      failed += 1;
      say(node, (error as Error).message);
    }
  }
  if (ended === 0 && failed === 0) process.stdout.write("No agents run alone here.\n");
  return failed === 0 ? 0 : 1;
}

async function startAgents(
  config: Config,
  environment: Readonly<Record<string, string>>,
  verbose: boolean,
): Promise<number> {
  const { agent } = config.console;
  if (agent.mode === "off" || agent.mode === "external") {
    throw new Error(
      `CORROSION_MODE is ${agent.mode}, and no agent is to run here: set it to auto, binary or embedded.`,
    );
  }
  const chosen = chooseAgent(agent, environment.PATH ?? "");
  if (chosen.kind === "none") throw new Error(chosen.reason);
  if (chosen.kind === "external") throw new Error("CORROSION_API_URL names an agent that runs elsewhere.");
  const { program } = chosen;
  const unlock = await alone(config);
  try {
    const ok = await Promise.all(
      numbers(config.nodes).map(async (node) => {
        const console = config.consoleOf(node);
        const log = logOf(config, console);
        const options = { config: console, program, environment, openLog: () => openLog(log) };
        const started = await startStandalone(options).catch(
          (error: Error): Started => ({ kind: "failed", reason: error.message }),
        );
        say(node, lineOf(started, program.name));
        if (verbose) say(node, `configuration ${runtimeFile(console)}, log ${log}`);
        if (started.kind === "failed") process.stderr.write(`${lastLines(log)}\n`);
        return started.kind !== "failed";
      }),
    );
    return ok.every(Boolean) ? 0 : 1;
  } finally {
    unlock();
  }
}

function parse(args: readonly string[]): Order {
  const [command, ...rest] = args;
  const numbers = rest.filter((arg) => /^\d+$/.test(arg));
  const unknown = rest.find((arg) => arg !== "--verbose" && !numbers.includes(arg));
  const count = numbers[0] === undefined ? null : Number(numbers[0]);
  const wrong =
    unknown !== undefined || numbers.length > 1 || (count !== null && (count < 1 || count > MAX_NODES));
  if ((command !== "start" && command !== "stop") || wrong) throw new Error(USAGE);
  return { command, count, verbose: rest.includes("--verbose") };
}

/** The environment of an embedded start: its nodes are counted from 1, whoever these agents are to serve. */
function counted(env: Env, nodes: number): Env {
  const own = { NATS_URL: undefined, FLEET_ENGINE: undefined, FLEET_NODE_ID: undefined, NODE_ID: undefined };
  return { ...env, ...own, FLEET_NODES: String(nodes) };
}

/** Two commands at a time would start the same agents. */
async function alone(config: Config): Promise<() => void> {
  const folder = join(config.dataDir, "agents");
  await mkdir(folder, { recursive: true });
  try {
    return await lockFolder(folder);
  } catch (cause) {
    throw new Error("Another command starts agents on these data: let it finish, then try again.", { cause });
  }
}

function logOf({ logDir, dataDir }: Config, { node }: ConsoleConfig): string {
  return join(logDir ?? dataDir, logFile(`dev-node${node}`, "corrosion"));
}

function lineOf(started: Started, program: string): string {
  switch (started.kind) {
    case "started":
      return `started at ${started.apiUrl} (${program}, pid ${started.pid})`;
    case "runs":
      return `runs already (${started.who})`;
    case "failed":
      return `NOT STARTED: ${started.reason}`;
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

function say(node: number, text: string): void {
  process.stdout.write(`${`node ${node}`.padEnd(12)} ${text}\n`);
}
