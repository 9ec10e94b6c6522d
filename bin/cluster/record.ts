/** @module The pid files of a cluster: what was started, as which process, and where it answers. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identify, isAlive, type ProcessIdentity } from "../../lib/process-identity.ts";

/** In the order in which they start. */
export const PARTS = [
  "nats-1",
  "nats-2",
  "nats-3",
  "postgres",
  "redis",
  "dev-node1",
  "dev-node2",
  "dev-node3",
  "dev-node4",
  "dev-node5",
  "dev-node6",
  "dev-node7",
  "dev-node8",
  "dev-node9",
  "dev-node10",
] as const;
/** `up` is an embedded start, which is all of it in one process. */
export type PartName = (typeof PARTS)[number] | "up";

/** The nodes that a cluster on one machine may have, by their numbers from 1. */
export const NODES: readonly PartName[] = PARTS.slice(5);

/** A part that was started. */
export interface Running extends ProcessIdentity {
  readonly name: PartName;
  /** Where its clients reach it: a URL. */
  readonly address: string;
  /** What tells whether it is ready: a URL, see `probe.ts`. */
  readonly health: string;
  readonly log: string;
  /** Folder outside the cluster's that is to be removed when the part has ended. */
  readonly scratch?: string;
}

/** The parts that were started and still run, by name. A file that names another process than ours is as good as none. */
export function readRunning(folder: string): Map<PartName, Running> {
  const found = new Map<PartName, Running>();
  for (const name of PARTS) {
    const running = readPart(folder, name);
    if (running) found.set(name, running);
  }
  return found;
}

/** One part, if it was started and still runs. */
export function readPart(folder: string, name: PartName): Running | null {
  const record = read(folder, name);
  return record && isAlive(record) ? record : null;
}

/** Notes a process that was just started. Throws when it has ended already. */
export function note(
  folder: string,
  pid: number | undefined,
  part: Omit<Running, "pid" | "started">,
): Running {
  const identity = pid === undefined ? null : identify(pid);
  if (!identity) throw new Error(`${part.name} has ended at once.`);
  const running: Running = { ...identity, ...part };
  mkdirSync(folder, { recursive: true });
  // The file appears whole or not at all: a start that is cut off leaves nothing that cannot be read.
  const fresh = join(folder, `${part.name}.new`);
  writeFileSync(fresh, `${JSON.stringify(running, null, 2)}\n`);
  renameSync(fresh, file(folder, part.name));
  return running;
}

/** Removes the pid file of a part that has ended. */
export function forget(folder: string, name: PartName): void {
  rmSync(file(folder, name), { force: true });
}

function file(folder: string, name: PartName): string {
  return join(folder, `${name}.pid.json`);
}

function read(folder: string, name: PartName): Running | null {
  let record: unknown;
  try {
    record = JSON.parse(readFileSync(file(folder, name), "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  return isRunning(record) && record.name === name ? record : null;
}

function isRunning(value: unknown): value is Running {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Partial<Record<keyof Running, unknown>>;
  const texts = [record.name, record.started, record.address, record.health, record.log];
  return (
    Number.isSafeInteger(record.pid) && Number(record.pid) > 1 && texts.every((t) => typeof t === "string")
  );
}
