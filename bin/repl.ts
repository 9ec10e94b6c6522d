/** @module `fleetport repl`: looks into a distributed fleet over NATS, and commands it, without being one of its nodes. */
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ServiceBroker } from "moleculer";
import { connect } from "nats";
import { natsBus } from "../lib/bus.ts";
import { type Config, readConfig } from "../lib/config.ts";
import { ConsoleCommandFailed } from "../lib/console-repl.ts";
import { loggerOptions } from "../lib/logging.ts";
import { connectProblem, readNatsUrl } from "../lib/nats-access.ts";
import { ACK_USAGE, ackCommands, isAckCommand, runAckCommand } from "../services/acks/repl.ts";
import {
  CONSOLE_USAGE,
  type ConsoleCommand,
  consoleCommands,
  isConsoleCommand,
  runConsoleCommand,
} from "../services/corrosion/repl.ts";
import { FLEET_USAGE, FleetCommandFailed, fleetCommands, runFleetCommand } from "../services/raft/repl.ts";
import { NAMESPACE } from "./node.ts";
import { openRepl } from "./open-repl.ts";
import { endProperly } from "./process.ts";

const CONNECT_MS = 5000;
const DISCOVER_MS = 5000;
const STOP_LIMIT_MS = 2000;
/** How long an action that a person calls may take, unless the call says otherwise. */
const REQUEST_MS = 30_000;

const USAGE = `Usage: npm run repl [-- <command>]
  opens a REPL on a distributed fleet, or runs one of its commands and ends
${FLEET_USAGE.replace("Usage:\n", "")}
${CONSOLE_USAGE}
${ACK_USAGE}`;

/** One command of those that the REPL has too; its output goes to `print`. */
type Command = (broker: ServiceBroker, print: (text: string) => void) => Promise<void>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * With a command: runs it and returns the exit code, 0 when it succeeded. Without one: opens the REPL, returns null,
 * and the process ends with it. Throws a sentence when the fleet cannot be reached.
 */
export async function runRepl(args: readonly string[], environment: Environment): Promise<number | null> {
  const command = readCommand(args);
  const broker = await join(readObserver(environment));
  if (command !== null) {
    try {
      await command(broker, (text) => void process.stdout.write(`${text}\n`));
      return 0;
    } catch (error) {
      if (!(error instanceof FleetCommandFailed || error instanceof ConsoleCommandFailed)) throw error;
      process.stderr.write(`${error.message}\n`);
      return 1;
    } finally {
      await leave(broker);
    }
  }
  const { shutdown } = endProperly(() => broker.stop(), STOP_LIMIT_MS);
  process.stdout.write(
    'Moleculer REPL on the fleet: "fleet status" shows it, "help" all commands, Ctrl-C ends the REPL alone.\n',
  );
  openRepl(broker, shutdown);
  return null;
}

/** Null: open the REPL. Throws the usage for what is no command. */
function readCommand(args: readonly string[]): Command | null {
  const [name, what, id, ...rest] = args;
  if (name === undefined) return null;
  if (name === "fleet" && what !== undefined && rest.length === 0) {
    return async (broker, print) => print(await runFleetCommand(broker, what, id));
  }
  const { node, positionals } = readArguments(args.slice(1));
  if (isAckCommand(name))
    return (broker, print) => runAckCommand(broker, { name, args: positionals, node }, print);
  if (!isConsoleCommand(name) || positionals.length > 1) throw new Error(USAGE);
  const given: ConsoleCommand = { name, argument: positionals[0] ?? null, node };
  return (broker, print) => runConsoleCommand(broker, given, print);
}

function readArguments(args: readonly string[]): {
  readonly node: string | null;
  readonly positionals: string[];
} {
  try {
    const options = { node: { type: "string" } } as const;
    const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { node: values.node ?? null, positionals };
  } catch (cause) {
    throw new Error(USAGE, { cause });
  }
}

/** Of a node's settings only those matter here that say how nodes find each other. */
function readObserver(environment: Environment): Config & { readonly natsUrl: string } {
  const { NATS_URL, FLEET_HEARTBEAT_MS, FLEET_NODE_TIMEOUT_MS } = environment;
  const config = readConfig({
    NATS_URL,
    FLEET_HEARTBEAT_MS,
    FLEET_NODE_TIMEOUT_MS,
    FLEET_LOG_LEVEL: "error",
    // Ids of other programs on this machine, and of this one when it runs twice, differ.
    FLEET_NODE_ID: `repl-${hostname()
      .replace(/[^\w.-]/g, "-")
      .slice(0, 40)}-${process.pid}`,
    DATABASE_URL: "postgresql://not-asked/",
  });
  const { natsUrl } = config;
  if (natsUrl === null) {
    throw new Error(
      "NATS_URL is required: set it to the address of the fleet's NATS servers, e.g. nats://127.0.0.1:4222. An embedded fleet has its REPL where npm start runs.",
    );
  }
  return { ...config, natsUrl };
}

/** A broker that sees the fleet and holds nothing of it: its metadata do not say that it is a node. */
async function join(config: Config & { readonly natsUrl: string }): Promise<ServiceBroker> {
  await checkAccess(config.natsUrl);
  const broker = new ServiceBroker({
    namespace: NAMESPACE,
    nodeID: config.nodeId,
    transporter: natsBus(config.natsUrl),
    logger: loggerOptions(config),
    // The nodes miss whoever is more silent than they are.
    heartbeatInterval: config.heartbeatMs / 1000,
    heartbeatTimeout: config.nodeTimeoutMs / 1000,
    requestTimeout: REQUEST_MS,
    internalServices: false,
    skipProcessEventRegistration: true,
    replOptions: {
      customCommands: [...fleetCommands, ...consoleCommands, ...ackCommands],
      delimiter: "fleet $",
    },
  });
  await broker.start();
  try {
    await broker.waitForServices("fleet.ops", DISCOVER_MS, 50);
  } catch {
    await leave(broker);
    const where = readNatsUrl(config.natsUrl).servers.join(",");
    throw new Error(`No node of a fleet is at ${where}: start one, or correct NATS_URL.`);
  }
  return broker;
}

/** Waits no longer than a person does for servers that do not answer any more. */
async function leave(broker: ServiceBroker): Promise<void> {
  await Promise.race([broker.stop(), delay(STOP_LIMIT_MS, undefined, { ref: false })]);
}

/** Moleculer by itself tries for ever, and does not say why it cannot connect. */
async function checkAccess(natsUrl: string): Promise<void> {
  const access = readNatsUrl(natsUrl);
  const connection = await connect({ ...access, timeout: CONNECT_MS }).catch((cause: Error) => {
    throw new Error(connectProblem(access, cause), { cause });
  });
  await connection.close();
}
