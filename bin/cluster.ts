/** @module `fleetport cluster`: the distributed mode on one machine, in the background; its start, status and stop. */
import { mkdir } from "node:fs/promises";
import { lockFolder } from "../services/raft/engine/sqlite-lock.ts";
import { DEFAULT_NODES, type Environment, type Layout, readLayout } from "./cluster/layout.ts";
import { natsUrl } from "./cluster/nats.ts";
import { probe } from "./cluster/probe.ts";
import { NODES, PARTS, type PartName, readRunning } from "./cluster/record.ts";
import { startCluster } from "./cluster/start.ts";
import { endParts, forgetEnded } from "./cluster/stop.ts";

const USAGE = `Usage: npm run cluster [-- <nodes> | --status | --stop]
  starts what is missing of a cluster on this machine (3 nodes, at most ${NODES.length}), or tells how it is, or ends it`;

/**
 * Runs the command and returns the exit code: 0 when what was asked for is so; for `--status` 1 when a part is
 * missing or not ready. Throws with a sentence when it cannot be done.
 */
export async function runClusterCommand(args: readonly string[], environment: Environment): Promise<number> {
  const [option, ...rest] = args;
  if (rest.length > 0) throw new Error(USAGE);
  if (option === undefined || /^\d+$/.test(option)) {
    return alone(readLayout(environment, nodeCount(option)), start);
  }
  if (option === "--stop") return alone(readLayout(environment), stop);
  if (option === "--status") return status(readLayout(environment));
  throw new Error(`There is no option "${option}".\n${USAGE}`);
}

function nodeCount(text: string | undefined): number {
  const count = text === undefined ? DEFAULT_NODES : Number(text);
  if (count >= 1 && count <= NODES.length) return count;
  throw new Error(`A cluster on one machine has 1 to ${NODES.length} nodes, not ${text}.\n${USAGE}`);
}

/** Two commands at a time would start, or miss, the same parts. */
async function alone(layout: Layout, work: (layout: Layout) => Promise<number>): Promise<number> {
  await mkdir(layout.folder, { recursive: true });
  let unlock: () => void;
  try {
    unlock = await lockFolder(layout.folder);
  } catch (cause) {
    throw new Error(
      `Another command is at work on the cluster in ${layout.folder}: let it finish, then try again.`,
      { cause },
    );
  }
  try {
    return await work(layout);
  } finally {
    unlock();
  }
}

async function start(layout: Layout): Promise<number> {
  const began = performance.now();
  process.stdout.write(
    `Fleetport, a cluster on this machine: data in ${layout.folder}, logs in ${layout.logs}\n`,
  );
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interruption.abort(new Error(`The start was stopped by ${signal}.`)));
  }
  await startCluster(layout, interruption.signal);
  process.stdout.write(
    `ready in ${((performance.now() - began) / 1000).toFixed(2)} s, and runs in the background\n`,
  );
  const running = readRunning(layout.pids);
  for (const name of layout.nodes) process.stdout.write(`  ${name}  ${running.get(name)?.address}\n`);
  process.stdout.write(
    "npm run cluster -- --status shows its parts; npm run cluster -- --stop ends it; npm run cluster starts what is missing.\n",
  );
  // The user's own NATS_URL may hold a password, and is set where this was typed.
  const setting = layout.config.natsUrl === null ? `NATS_URL=${natsUrl(layout)} ` : "";
  process.stdout.write(`${setting}npm run repl -- fleet status shows the fleet.\n`);
  return 0;
}

async function stop(layout: Layout): Promise<number> {
  const running = readRunning(layout.pids);
  forgetEnded(layout.pids, running);
  if (running.size === 0) {
    process.stdout.write(`Nothing runs of the cluster in ${layout.folder}.\n`);
    return 0;
  }
  await endParts(layout, [...running.values()]);
  process.stdout.write("The cluster has ended; its data stay.\n");
  return 0;
}

async function status(layout: Layout): Promise<number> {
  const running = readRunning(layout.pids);
  const { natsUrl: ownNats, databaseUrl, redisUrl } = layout.config;
  const lines = await Promise.all(
    wanted(running).map(async (name) => {
      const part = running.get(name);
      if (part) {
        const problem = await probe(part.health);
        const text = `pid ${part.pid}  ${problem ?? "ready"}  ${part.address}`;
        return { name, text, well: problem === null };
      }
      const brought = name.startsWith("nats-") ? ownNats : name === "postgres" ? databaseUrl : null;
      if (brought !== null) return { name, text: "yours is used", well: true };
      // A cluster does without Redis.
      if (name === "redis")
        return { name, text: redisUrl === null ? "does not run" : "yours is used", well: true };
      return { name, text: "does not run", well: false };
    }),
  );
  for (const { name, text } of lines) process.stdout.write(`${name.padEnd(12)} ${text}\n`);
  return lines.every(({ well }) => well) ? 0 : 1;
}

/** The parts to tell of: nodes that run, or those of a cluster with the usual number. */
function wanted(running: ReadonlyMap<PartName, unknown>): PartName[] {
  const usual = NODES.slice(0, DEFAULT_NODES);
  return PARTS.filter((name) => !NODES.includes(name) || running.has(name) || usual.includes(name));
}
