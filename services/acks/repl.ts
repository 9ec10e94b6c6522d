/** @module REPL commands of messages and their acknowledgements: `receptions…`, `acks:…`. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { ask, ConsoleCommandFailed, NODE_OPTION, nodeOf, type Print } from "../../lib/console-repl.ts";
import type {
  AckStatus,
  Diagnosis,
  Probe,
  Probed,
  Reception,
  Receptions,
  SenderStatus,
  SentMessage,
} from "./contract.ts";

export interface AckCommand {
  readonly name: string;
  /** What stands behind the name, in order. */
  readonly args: readonly string[];
  /** As `--node` says; null: this broker's own node, or the only one. */
  readonly node: string | null;
}

interface Description {
  /** Behind the name: `<required>`, `[optional]`. */
  readonly syntax: string;
  readonly does: string;
  readonly run: (call: Call, args: readonly string[], print: Print) => Promise<void>;
}

/** Calls an action of the node that is meant. */
type Call = <T>(action: string, params?: object) => Promise<T>;

const MONITOR_S = 30;
const MONITOR_POLL_MS = 250;
/** A send waits for the agent, and a probe for its answer. */
const ANSWER_MS = 15_000;

const COMMANDS: Readonly<Record<string, Description>> = {
  receptions: {
    syntax: "",
    does: "messages that the node received, and how acknowledging went",
    run: async (call, _args, print) => showReceptions(await call("acks.sender.all"), print),
  },
  "receptions:dup": {
    syntax: "[min]",
    does: "those that it received at least twice, or min times",
    async run(call, [min = "2"], print) {
      if (!/^[1-9]\d{0,8}$/.test(min)) {
        throw new ConsoleCommandFailed(`receptions:dup takes a whole number from 1 on, and not "${min}".`);
      }
      showReceptions(await call("acks.sender.duplicates", { min: Number(min) }), print);
    },
  },
  "receptions:get": {
    syntax: "<pk>",
    does: "one of them",
    run: async (call, [pk], print) => print(showReception(await call("acks.sender.get", { pk }))),
  },
  "acks:status": {
    syntax: "",
    does: "the newest message of the node, who acknowledged it, and the sender",
    async run(call, _args, print) {
      showStatus(await call("acks.tracker.status"), print);
      const { acked, dropped, failed, queued, sending } = await call<SenderStatus>("acks.sender.status");
      print(
        `sender: ${queued} queued, ${sending} under way, ${acked} acked, ${failed} failed, ${dropped} dropped`,
      );
    },
  },
  "acks:diagnose": {
    syntax: "",
    does: "looks at each part of the way of a message and back",
    async run(call, _args, print) {
      const { checks, node_id } = await call<Diagnosis>("acks.diagnosis.report");
      for (const { detail, name, ok } of checks) print(`${ok ? "ok     " : "PROBLEM"}  ${name}: ${detail}`);
      const wrong = checks.filter(({ ok }) => !ok).length;
      print(
        wrong === 0 ? `${node_id}: nothing is wrong.` : `${node_id}: ${wrong} of ${checks.length} are wrong.`,
      );
    },
  },
  "acks:test": {
    syntax: "<pk> <node>",
    does: "acknowledges the message at the node's own ack API, as if that node did",
    run: (call, [pk = "", by = ""], print) => probe(call, { endpoint: null, pk, ack_node_id: by }, print),
  },
  "acks:monitor": {
    syntax: "[seconds]",
    does: "what becomes of the newest message in the next 30 s, or as many as are given",
    run: monitor,
  },
  "acks:endpoint": {
    syntax: "<endpoint> <pk>",
    does: "acknowledges the message at host:port, as the node",
    run: (call, [endpoint = "", pk = ""], print) => probe(call, { endpoint, pk, ack_node_id: null }, print),
  },
  "acks:send": {
    syntax: "[text]",
    does: "sends a message",
    async run(call, [content = "Hello from the REPL"], print) {
      const { pk, timestamp } = await call<SentMessage>("messages.send", { content });
      print(`${pk} sent at ${timestamp}; acks:status shows who acknowledged it`);
    },
  },
};

const USAGE_WIDTH = 31;

export const ACK_USAGE = Object.entries(COMMANDS)
  .map(([name, { does, syntax }]) => `  ${`${name} ${syntax}`.trim().padEnd(USAGE_WIDTH)}${does}`)
  .join("\n");

export function isAckCommand(name: string): boolean {
  return Object.hasOwn(COMMANDS, name);
}

/**
 * Runs a command on a broker that sees the nodes, be it one of them or not; resolves when it is done. Throws
 * `ConsoleCommandFailed` for wrong arguments, and for a node that does not do it.
 */
export async function runAckCommand(broker: ServiceBroker, command: AckCommand, print: Print): Promise<void> {
  const { args, name, node } = command;
  const description = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!description) throw new ConsoleCommandFailed(`Usage:\n${ACK_USAGE}`);
  const places = description.syntax.split(" ").filter((place) => place !== "");
  const needed = places.filter((place) => place.startsWith("<")).length;
  if (args.length < needed || args.length > places.length) {
    throw new ConsoleCommandFailed(`Usage: ${`${name} ${description.syntax}`.trim()} [--node <id>]`);
  }
  const nodeID = nodeOf(broker, node);
  await description.run((action, params = {}) => ask(broker, nodeID, action, params, ANSWER_MS), args, print);
}

function showReceptions({ count, receptions }: Receptions, print: Print): void {
  for (const reception of receptions) print(showReception(reception));
  print(count === 1 ? "1 message" : `${count} messages`);
}

function showReception(reception: Reception): string {
  const { ack_state, attempts, last_error, last_seen, message_pk, reception_count } = reception;
  const error = last_error === null ? "" : `, ${last_error}`;
  return `${message_pk}  received ${reception_count} ×, last ${last_seen}  ${ack_state} after ${attempts} attempts${error}`;
}

function showStatus(status: AckStatus, print: Print): void {
  const { ack_count, acknowledgments, expected, latest_message, state, transport } = status;
  if (latest_message === null) {
    print("no message is tracked");
    return;
  }
  print(
    `${latest_message.pk} by ${transport}, sent at ${latest_message.timestamp}: ${state}, ${ack_count} of ${expected.length}`,
  );
  for (const { late, latency_ms, node_id } of acknowledgments) {
    print(`  ${node_id.padEnd(20)} after ${latency_ms} ms${late ? ", late" : ""}`);
  }
  const there = new Set(acknowledgments.map(({ node_id }) => node_id));
  for (const node of expected) if (!there.has(node)) print(`  ${node.padEnd(20)} not yet`);
}

async function probe(call: Call, request: Probe, print: Print): Promise<void> {
  const { answer, elapsed_ms, endpoint, status } = await call<Probed>("acks.diagnosis.probe", request);
  print(
    `${endpoint} ${status === null ? "did not answer" : `answered ${status}`} after ${elapsed_ms} ms: ${answer}`,
  );
}

async function monitor(
  call: Call,
  [given = String(MONITOR_S)]: readonly string[],
  print: Print,
): Promise<void> {
  const seconds = Number(given);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600) {
    throw new ConsoleCommandFailed(
      `acks:monitor takes a whole number of seconds from 1 to 3600, and not "${given}".`,
    );
  }
  let shown = "";
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    const lines: string[] = [];
    showStatus(await call<AckStatus>("acks.tracker.status"), (line) => void lines.push(line));
    const text = lines.join("\n");
    if (text !== shown) print(text);
    shown = text;
    await delay(Math.min(MONITOR_POLL_MS, Math.max(1, deadline - performance.now())));
  }
}

export const ackCommands = Object.entries(COMMANDS).map(([name, { does, syntax }]) => ({
  command: `${name} ${syntax}`.trim(),
  description: `${does.charAt(0).toUpperCase()}${does.slice(1)}`,
  alias: null,
  options: [NODE_OPTION],
  parse: null,
  allowUnknownOptions: false,
  async action(broker: ServiceBroker, given: unknown) {
    const { options, ...named } = given as Readonly<Record<string, unknown>> & {
      readonly options?: { readonly node?: string };
    };
    // The REPL gives each argument under the name that the syntax has for it.
    const args = [...syntax.matchAll(/[\w]+/g)].flatMap(([place]) => {
      const value = named[place];
      return value === undefined || value === null ? [] : [String(value)];
    });
    const print = (text: string) => void process.stdout.write(`${text}\n`);
    try {
      await runAckCommand(broker, { name, args, node: options?.node ?? null }, print);
    } catch (error) {
      if (!(error instanceof ConsoleCommandFailed)) throw error;
      print(error.message);
    }
  },
}));
