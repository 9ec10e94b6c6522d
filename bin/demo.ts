/** @module `fleetport demo`: one small experiment on a fleet that runs, from its start to a table of results. */
import { setTimeout as delay } from "node:timers/promises";
import { readConfig } from "../lib/config.ts";
import { MAX_NODES } from "../lib/console-config.ts";
import type { Env } from "../lib/env.ts";
import type { AggregationStatus, AnalyticsHealth } from "../services/analytics/contract.ts";
import type { AgentStatus } from "../services/corrosion/contract.ts";
import { type Console, consoleAt } from "./demo/console.ts";
import { type Performance, resultTable, type Summary } from "./demo/table.ts";
import { stage } from "./stages.ts";

const USAGE = `Usage: npm run demo [-- [NODES=2] [ID] [MESSAGES=3] [WAIT=10]]
  NODES     nodes 1 to NODES of the running fleet send in turn
  ID        of the experiment; default demo- and the time
  MESSAGES  1 to 1000
  WAIT      seconds for the acknowledgements at most`;

const HEALTH_MS = 30_000;
const JOIN_MS = 10_000;
const POLL_MS = 250;

export interface Demo {
  readonly nodes: number;
  readonly id: string;
  readonly messages: number;
  readonly waitMs: number;
}

/** The arguments by their places. Throws a sentence for those that cannot be taken. */
export function readDemo(args: readonly string[], now: Date): Demo {
  const [nodes = "2", id = defaultId(now), messages = "3", wait = "10", ...more] = args;
  const demo = { nodes: Number(nodes), id, messages: Number(messages), waitMs: Number(wait) * 1000 };
  const wrong = [
    more.length > 0 && `"${more.join(" ")}" is one argument too many.`,
    !within(demo.nodes, 1, MAX_NODES) && `NODES must be 1 to ${MAX_NODES}, not "${nodes}".`,
    !within(demo.messages, 1, 1000) && `MESSAGES must be 1 to 1000, not "${messages}".`,
    !within(Number(wait), 1, 3600) && `WAIT must be 1 to 3600 seconds, not "${wait}".`,
  ].filter((problem) => problem !== false);
  if (wrong.length > 0) throw new Error(`${wrong.join(" ")}\n${USAGE}`);
  return demo;
}

/** Runs it on the fleet that the environment's HOST and PORT name. Throws a sentence for whatever fails. */
export async function runDemo(args: readonly string[], env: Env): Promise<void> {
  const demo = readDemo(args, new Date());
  const consoles = consolesOf(demo.nodes, env);
  const first = consoles[0]!;
  await stage(
    "health",
    () => Promise.all(consoles.map((console) => healthy(console))),
    () => `${demo.nodes} nodes and their agents`,
  );
  await stage(
    "start",
    () => first.post("/analytics/aggregation/start", { experiment_id: demo.id }),
    () => `experiment ${demo.id}`,
  );
  try {
    await Promise.all(consoles.map((console) => joined(console, demo.id)));
    await stage(
      "send",
      () => sendAll(consoles, demo),
      () => `${demo.messages} messages`,
    );
    const summary = await stage(
      "wait",
      () => acknowledged(first, demo),
      ({ ack_count }) => `${ack_count} acknowledgements`,
    );
    const performance = await first.get<Performance>(`/analytics/experiments/${demo.id}/performance`);
    process.stdout.write(`${resultTable(summary, performance)}\n`);
    check(summary, demo);
  } finally {
    await stage(
      "stop",
      () => first.post("/analytics/aggregation/stop"),
      () => demo.id,
    );
  }
}

function consolesOf(nodes: number, env: Env): Console[] {
  // Only where the fleet listens is of interest, not what its nodes would need to start.
  const { console, host, port } = readConfig({ ...env, NATS_URL: undefined, DATABASE_URL: undefined });
  const wildcard = host === "0.0.0.0" || host === "::";
  const name = wildcard ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return Array.from({ length: nodes }, (_, i) => consoleAt(`http://${name}:${port + i + 1}`, console.token));
}

async function healthy(node: Console): Promise<void> {
  await until(HEALTH_MS, async () => {
    const { receiving } = await node.get<AnalyticsHealth>("/analytics/health");
    const { reason, state } = await node.get<AgentStatus>("/agent");
    if (state !== "running" && state !== "external") {
      throw new Error(`the agent of ${node.url} is ${state}${reason === null ? "" : `: ${reason}`}`);
    }
    if (!receiving) throw new Error(`${node.url} does not hear of messages yet`);
  }).catch((error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(
      `The fleet is not healthy after ${HEALTH_MS / 1000} s: ${text}. Start it with npm start, or set PORT if it listens elsewhere.`,
      { cause: error },
    );
  });
}

/** Messages of a node count for the run once it has heard of it. */
async function joined(node: Console, id: string): Promise<void> {
  await until(JOIN_MS, async () => {
    const { experiment } = await node.get<AggregationStatus>("/analytics/aggregation/status");
    if (experiment?.id !== id) throw new Error(`${node.url} did not join experiment ${id}`);
  });
}

async function sendAll(consoles: readonly Console[], { id, messages }: Demo): Promise<void> {
  for (let i = 1; i <= messages; i++) {
    const sender = consoles[(i - 1) % consoles.length]!;
    await sender.post("/messages/send", { content: `Demo ${id} message ${i}/${messages}` });
  }
}

/** The summary once everything is acknowledged, or as it is when the time is over. */
async function acknowledged(node: Console, { id, messages, waitMs }: Demo): Promise<Summary> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const summary = await node.get<Summary>(`/analytics/experiments/${id}/summary`);
    const all = summary.send_count >= messages && summary.ack_rate === 100;
    if (all || performance.now() > deadline) return summary;
    await delay(POLL_MS);
  }
}

function check({ ack_count, ack_rate, nodes_missing, remote_node_count, send_count }: Summary, demo: Demo) {
  const seconds = demo.waitMs / 1000;
  if (remote_node_count === 0) {
    throw new Error("Nobody could acknowledge: the fleet has one node only. Start more of them.");
  }
  if (ack_rate !== 100 || send_count < demo.messages) {
    const wanted = demo.messages * remote_node_count;
    throw new Error(`Only ${ack_count} of ${wanted} acknowledgements came within ${seconds} s.`);
  }
  if (nodes_missing.length > 0) {
    throw new Error(`The result is not whole: ${nodes_missing.join(", ")} did not report.`);
  }
}

/** Until it throws no more; throws its last error after so long. */
async function until(limitMs: number, attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(POLL_MS);
  }
}

function within(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** `demo-20260102-030405`. */
function defaultId(now: Date): string {
  return `demo-${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}`;
}
