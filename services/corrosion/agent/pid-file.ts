/** @module The pid file of a node's agent: which process it is, and that it is ours. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../../../lib/durable-file.ts";
import { commandLine, isAlive, type ProcessIdentity } from "../../../lib/process-identity.ts";

export interface AgentRecord extends ProcessIdentity {
  /** The TOML that it runs on; stands in its command line. */
  readonly config: string;
}

/** What a pid file of an earlier start tells. */
export type Leftover =
  /** No agent was started, or it ended in order. */
  | { readonly kind: "none" }
  /** It ended without a chance to put its things in order. */
  | { readonly kind: "crashed" }
  /** It still runs. */
  | { readonly kind: "alive"; readonly record: AgentRecord };

/** The pid file of the agent whose node keeps its data in this folder. */
export function pidFile(dataDir: string): string {
  return join(dataDir, "corrosion.pid.json");
}

/** The pid file of one that runs without its node, which no node ends. */
export function standalonePidFile(dataDir: string): string {
  return join(dataDir, "corrosion-standalone.pid.json");
}

/** Notes the process. Throws when the disk refuses. */
export function writePidFile(file: string, record: AgentRecord): Promise<void> {
  return writeDurably(file, `${JSON.stringify(record)}\n`);
}

/** Removes the note of this process; one that names another process stays. */
export function removePidFile(file: string, pid: number): void {
  if (readRecord(file)?.pid === pid) rmSync(file, { force: true });
}

/**
 * A process counts as ours only if it started at the noted time and its command line names the noted TOML, so that a
 * number that another program got is never taken for our agent.
 */
export function readLeftover(file: string): Leftover {
  const record = readRecord(file);
  if (record === undefined) return { kind: "none" };
  if (record === null || !isAlive(record)) return { kind: "crashed" };
  const command = commandLine(record.pid);
  return command?.includes(record.config) ? { kind: "alive", record } : { kind: "crashed" };
}

/** The record; undefined when there is no file, null when it holds none. */
function readRecord(file: string): AgentRecord | null | undefined {
  try {
    return parseRecord(readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The record; null when the text is none, as after a disk that was full. */
function parseRecord(text: string): AgentRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { pid, started, config } = value as Partial<Record<keyof AgentRecord, unknown>>;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 1) return null;
  if (typeof started !== "string" || typeof config !== "string" || config === "") return null;
  return { pid, started, config };
}
