/** @module REPL commands of the Corrosion room: `corrosion status`, `subscriber:flow`, `config:…`, `agent:restart`. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "../../lib/cluster-nodes.ts";
import {
  ANSWER_MS,
  ask,
  ConsoleCommandFailed,
  NO_NODE,
  NODE_OPTION,
  nodeOf,
  type Print,
  sentence,
} from "../../lib/console-repl.ts";
import type {
  AgentStatus,
  ConfigJob,
  Membership,
  MessageFlow,
  MessageUpdate,
  RestartOutcome,
  SubscriberStatus,
} from "./contract.ts";

export const CONSOLE_USAGE = `  corrosion status            agent, subscriber and members of every node
  subscriber:flow [seconds]   what a node's subscriber hears in the next 30 s, or as many as are given
  config:restore              brings the canonical configuration back, and restarts the agent
  config:rollback [backup]    brings the newest backup back, or the named one, and restarts the agent
  agent:restart               restarts the agent
  all but the first for the node of the REPL, or for --node <id>`;

export interface ConsoleCommand {
  readonly name: string;
  /** What stands behind the name; null when nothing does. */
  readonly argument: string | null;
  /** As `--node` says; null: this broker's own node, or the only one. */
  readonly node: string | null;
}

/** Longer than a restart takes at its worst. */
const JOB_MS = 120_000;
const FLOW_S = 30;
const MAX_FLOW_S = 3600;
const FLOW_POLL_MS = 250;

const COMMANDS: Readonly<
  Record<string, (broker: ServiceBroker, command: ConsoleCommand, print: Print) => Promise<void>>
> = {
  corrosion: status,
  "subscriber:flow": flow,
  "config:restore": async (broker, command, print) => {
    takesNothing(command);
    await job(broker, command, "restoreCanonical", {}, print);
  },
  "config:rollback": (broker, command, print) =>
    job(broker, command, "rollback", command.argument === null ? {} : { backup_id: command.argument }, print),
  "agent:restart": restart,
};

export function isConsoleCommand(name: string): boolean {
  return Object.hasOwn(COMMANDS, name);
}

/**
 * Runs a command on a broker that sees the nodes, be it one of them or not; resolves when it is done. Throws
 * `ConsoleCommandFailed` for a wrong argument, and for a node that does not do it.
 */
export async function runConsoleCommand(
  broker: ServiceBroker,
  command: ConsoleCommand,
  print: Print,
): Promise<void> {
  const run = Object.hasOwn(COMMANDS, command.name) ? COMMANDS[command.name] : undefined;
  if (!run) throw new ConsoleCommandFailed(`Usage:\n${CONSOLE_USAGE}`);
  await run(broker, command, print);
}

async function status(broker: ServiceBroker, { argument }: ConsoleCommand, print: Print): Promise<void> {
  if (argument !== "status") throw new ConsoleCommandFailed(`Usage:\n${CONSOLE_USAGE}`);
  const nodes = nodesWith(broker, "corrosion.agent");
  if (nodes.length === 0) throw new ConsoleCommandFailed(NO_NODE);
  const shown = await Promise.all(nodes.map(({ id }) => showNode(broker, id)));
  for (const text of shown) print(text);
}

async function showNode(broker: ServiceBroker, nodeID: string): Promise<string> {
  const ask = <T>(action: string, show: (result: T) => string): Promise<string> =>
    broker
      .call<T, object>(action, {}, { nodeID, timeout: ANSWER_MS })
      .then(show, (error: unknown) => `does not answer: ${sentence(error)}`);
  const [agent, subscriber, members] = await Promise.all([
    ask<AgentStatus>("corrosion.agent.status", showAgent),
    ask<SubscriberStatus>("corrosion.subscriber.status", showSubscriber),
    ask<Membership>("corrosion.members.get", showMembers),
  ]);
  const name = nodeID.padEnd(20);
  const blank = " ".repeat(20);
  return `${name} agent       ${agent}\n${blank} subscriber  ${subscriber}\n${blank} members     ${members}`;
}

function showAgent({ state, pid, program, api_url, reason }: AgentStatus): string {
  return `${state}${pid === null ? "" : `, pid ${pid}`}, ${program}, ${api_url}${because(reason)}`;
}

function showSubscriber({ state, rows, change_id, reason }: SubscriberStatus): string {
  return `${state}, ${rows} rows, change ${change_id ?? "none yet"}${because(reason)}`;
}

function showMembers({ members, cache_status, error }: Membership): string {
  const counts = new Map<string, number>();
  for (const { state } of members)
    counts.set(state ?? "of unknown state", (counts.get(state ?? "of unknown state") ?? 0) + 1);
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
  return `${states || "none"} (${cache_status.status})${because(error)}`;
}

const because = (reason: string | null) => (reason === null ? "" : `: ${reason}`);

async function flow(broker: ServiceBroker, command: ConsoleCommand, print: Print): Promise<void> {
  const seconds = Number(command.argument ?? FLOW_S);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_FLOW_S) {
    throw new ConsoleCommandFailed(
      `subscriber:flow takes a whole number of seconds from 1 to ${MAX_FLOW_S}, and not "${command.argument}".`,
    );
  }
  const nodeID = nodeOf(broker, command.node);
  let { last } = await ask<MessageFlow>(broker, nodeID, "corrosion.node.flow", {});
  print(`What the subscriber of ${nodeID} hears in the next ${seconds} s:`);
  let heard = 0;
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    await delay(Math.min(FLOW_POLL_MS, Math.max(1, deadline - performance.now())));
    const seen = await ask<MessageFlow>(broker, nodeID, "corrosion.node.flow", { after: last });
    const missed = seen.last - last - seen.entries.length;
    if (missed > 0) print(`… ${missed} events that came too fast to be kept`);
    for (const { at, update } of seen.entries) print(`${at}  ${showUpdate(update)}`);
    heard += Math.max(0, seen.last - last);
    last = seen.last;
  }
  print(`${heard} events in ${seconds} s.`);
}

function showUpdate(update: MessageUpdate): string {
  const { type } = update;
  switch (type) {
    case "initial_row":
    case "new_message":
      return `${type}  ${update.row.pk}  ${update.row.message}`;
    case "message_change":
      return `${type}  ${update.change}  ${update.row.pk}  ${update.row.message}`;
    case "columns_received":
      return `${type}  ${update.columns.join(", ")}`;
    case "subscription_connected":
      return `${type}  ${update.watch_id}`;
    case "subscription_error":
    case "subscription_closed":
      return `${type}  ${update.reason}`;
    default:
      return type;
  }
}

async function job(
  broker: ServiceBroker,
  command: ConsoleCommand,
  action: "rollback" | "restoreCanonical",
  params: object,
  print: Print,
): Promise<void> {
  const nodeID = nodeOf(broker, command.node);
  const done = await ask<ConfigJob>(
    broker,
    nodeID,
    `corrosion.config.${action}`,
    { ...params, wait: true },
    JOB_MS,
  );
  if (done.state === "error") throw new ConsoleCommandFailed(`${nodeID} failed: ${done.message}`);
  const hosts = done.hosts.length > 0 ? `, bootstrap ${done.hosts.join(", ")}` : "";
  print(`${nodeID} is ${done.state}${hosts}: ${done.message}`);
}

async function restart(broker: ServiceBroker, command: ConsoleCommand, print: Print): Promise<void> {
  takesNothing(command);
  const nodeID = nodeOf(broker, command.node);
  const params = { wait: true };
  const outcome = await ask<RestartOutcome>(broker, nodeID, "corrosion.agent.restart", params, JOB_MS);
  if (!outcome.ok) {
    throw new ConsoleCommandFailed(
      `The agent of ${nodeID} did not restart (${outcome.phase ?? "unknown phase"}): ${outcome.reason ?? "no reason given"}`,
    );
  }
  print(`The agent of ${nodeID} runs again (restart ${outcome.restart_id}).`);
}

function takesNothing({ name, argument }: ConsoleCommand): void {
  if (argument === null) return;
  throw new ConsoleCommandFailed(`${name} takes no "${argument}"; a node is given as --node <id>.`);
}

/** The command for the Moleculer REPL; `argument` is the name that the syntax gives it. */
function replCommand(syntax: string, description: string) {
  const [name = ""] = syntax.split(" ");
  return {
    command: syntax,
    description,
    alias: null,
    options: name === "corrosion" ? [] : [NODE_OPTION],
    parse: null,
    allowUnknownOptions: false,
    async action(broker: ServiceBroker, args: unknown) {
      const { argument = null, options } = args as {
        argument?: string;
        options?: { node?: string };
      };
      const print = (text: string) => void process.stdout.write(`${text}\n`);
      try {
        await runConsoleCommand(broker, { name, argument, node: options?.node ?? null }, print);
      } catch (error) {
        if (!(error instanceof ConsoleCommandFailed)) throw error;
        print(error.message);
      }
    },
  };
}

export const consoleCommands = [
  replCommand("corrosion <argument>", "corrosion status: agent, subscriber and members of every node"),
  replCommand("subscriber:flow [argument]", "Shows what the subscriber hears, for so many seconds (30)"),
  replCommand("config:restore", "Brings the canonical Corrosion configuration back and restarts the agent"),
  replCommand(
    "config:rollback [argument]",
    "Brings a backup back, by default the newest, and restarts the agent",
  ),
  replCommand("agent:restart", "Restarts the Corrosion agent"),
];
