/** @module Ends the parts of a cluster in order, each by its own signals and within its own time. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type EndingStep, endProcess, gone } from "../../lib/process-ending.ts";
import { GRACE_MS } from "../../services/corrosion/agent/agent-process.ts";
import { endLeftover } from "../../services/corrosion/agent/leftover.ts";
import { pidFile, readLeftover } from "../../services/corrosion/agent/pid-file.ts";
import { stage } from "../stages.ts";
import type { Layout } from "./layout.ts";
import { forget, NODES, PARTS, type PartName, type Running } from "./record.ts";

/** A node ends itself when its time for draining is over; this much later it is killed. */
const MARGIN_MS = 2000;
const SERVER_MS = 10_000;
const IMMEDIATE_MS = 5000;

interface Ending {
  /** As the person reads it. */
  readonly stage: string;
  readonly parts: readonly PartName[];
  /** After the last one comes SIGKILL. */
  readonly steps: readonly EndingStep[];
}

/** Nodes hand over what they lead while the servers still run. */
function endings(drainTimeoutMs: number): readonly Ending[] {
  return [
    { stage: "nodes", parts: NODES, steps: [["SIGTERM", drainTimeoutMs + MARGIN_MS]] },
    { stage: "redis", parts: ["redis"], steps: [["SIGTERM", SERVER_MS]] },
    {
      stage: "postgres",
      parts: ["postgres"],
      // A fast shutdown, then an immediate one after which the next start recovers.
      steps: [
        ["SIGINT", SERVER_MS],
        ["SIGQUIT", IMMEDIATE_MS],
      ],
    },
    { stage: "nats", parts: ["nats-1", "nats-2", "nats-3"], steps: [["SIGTERM", SERVER_MS]] },
  ];
}

/** Ends these parts and prints a line a stage. Throws when a process survives even SIGKILL, or is not ours to end. */
export async function endParts(
  { config, folder, pids }: Pick<Layout, "config" | "folder" | "pids">,
  running: readonly Running[],
): Promise<void> {
  for (const { stage: name, parts, steps } of endings(config.drainTimeoutMs)) {
    const these = running.filter((part) => parts.includes(part.name));
    if (these.length === 0) continue;
    await stage(
      name,
      () => Promise.all(these.map((part) => endPart(pids, part, steps))),
      (ends) => these.map((part, i) => `${part.name} (pid ${part.pid}) ${ends[i]}`).join(", "),
    );
    if (parts === NODES) await endAgents(folder, these);
  }
}

/** Agents of nodes that were killed are ended by their guards, which is waited for. */
async function endAgents(folder: string, nodes: readonly Running[]): Promise<void> {
  await Promise.all(
    nodes.map(async ({ name }) => {
      const file = pidFile(join(folder, `node${NODES.indexOf(name) + 1}`));
      const agent = readLeftover(file);
      if (agent.kind === "alive" && !(await gone(agent.record, GRACE_MS + MARGIN_MS))) {
        await endLeftover(file, GRACE_MS);
      }
    }),
  );
}

/** Ends one part, by these signals and then by SIGKILL, and says how it ended. Throws as `endParts` does. */
export async function endPart(pids: string, part: Running, steps: readonly EndingStep[]): Promise<string> {
  const how = await endProcess(part.name, part, steps);
  if (part.scratch !== undefined) await rm(part.scratch, { recursive: true, force: true });
  forget(pids, part.name);
  return how;
}

/** Removes the pid files of parts that have ended by themselves. */
export function forgetEnded(pids: string, running: ReadonlyMap<PartName, Running>): void {
  for (const name of PARTS) if (!running.has(name)) forget(pids, name);
}
