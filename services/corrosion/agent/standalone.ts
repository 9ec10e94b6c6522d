/** @module A node's agent without the node: in the background, until somebody stops it. Nodes take it for somebody else's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ConsoleConfig } from "../../../lib/console-config.ts";
import { AGENT_FOLDER, type AgentToml, readAgentToml } from "../../../lib/corrosion/agent-toml.ts";
import { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import { endProcess } from "../../../lib/process-ending.ts";
import { identify, isAlive, type ProcessIdentity } from "../../../lib/process-identity.ts";
import { RuntimeConfiguration } from "../config/node-configuration.ts";
import { runtimeFile } from "../config/runtime-file.ts";
import { GRACE_MS } from "./agent-process.ts";
import { prepareFolders } from "./folders.ts";
import { endLeftover } from "./leftover.ts";
import { ping } from "./life.ts";
import { pidFile, readLeftover, removePidFile, standalonePidFile, writePidFile } from "./pid-file.ts";
import { whoListens } from "./port.ts";
import type { AgentProgram } from "./program.ts";
import { clearSubscriptions } from "./subscriptions-folder.ts";

const READY_LIMIT_MS = 15_000;
const POLL_MS = 50;

export interface StandaloneOptions {
  readonly config: ConsoleConfig;
  readonly program: AgentProgram;
  readonly environment: Readonly<Record<string, string>>;
  /** Opens the file that it prints to, which is closed here. */
  readonly openLog: () => number;
}

export type Started =
  | { readonly kind: "started"; readonly pid: number; readonly apiUrl: string }
  /** `who` says whose it is, for the end of a sentence. */
  | { readonly kind: "runs"; readonly who: string }
  /** One sentence. */
  | { readonly kind: "failed"; readonly reason: string };

/** Starts the agent and returns when it answers. Throws the system's error when the disk refuses. */
export async function startStandalone(options: StandaloneOptions): Promise<Started> {
  const { config } = options;
  const files = [standalonePidFile(config.dataDir), pidFile(config.dataDir)] as const;
  const [own, nodes] = files.map(readLeftover);
  if (own?.kind === "alive") return { kind: "runs", who: `pid ${own.record.pid}` };
  if (nodes?.kind === "alive")
    return { kind: "runs", who: `its node looks after it, pid ${nodes.record.pid}` };
  const runtime = new RuntimeConfiguration(config);
  await runtime.prepare();
  let toml: AgentToml;
  try {
    toml = readAgentToml(await readFile(runtime.path, "utf8"));
    prepareFolders(toml, config.dataDir);
  } catch (error) {
    return { kind: "failed", reason: `${runtime.path} cannot be used: ${(error as Error).message}.` };
  }
  const client = new CorrosionClient({ url: toml.apiUrl, token: toml.token });
  const nothing = new AbortController().signal;
  const listener = await whoListens(toml.apiHost, toml.apiPort, client, nothing);
  if (listener.kind === "agent") return { kind: "runs", who: `somebody else's agent, at ${toml.apiUrl}` };
  if (listener.kind === "foreign") return { kind: "failed", reason: listener.reason };
  for (const file of files) {
    if ((await endLeftover(file, GRACE_MS)).unclean) await clearSubscriptions(toml, config.dataDir);
  }
  const identity = await launch(options);
  if (identity === null) return { kind: "failed", reason: "The agent ended at once." };
  return answered(client, identity, toml.apiUrl);
}

/** How the agent was ended; null when none ran. Throws a sentence when it does not end, or is another user's. */
export async function stopStandalone(config: ConsoleConfig): Promise<string | null> {
  const file = standalonePidFile(config.dataDir);
  const leftover = readLeftover(file);
  if (leftover.kind !== "alive") return null;
  const { record } = leftover;
  const how = await endProcess("The Corrosion agent", record, [["SIGTERM", GRACE_MS]]);
  // The file of one that was killed stays and says so to the next start.
  if (how === "ended") removePidFile(file, record.pid);
  return `pid ${record.pid} ${how}`;
}

/** Null when it has ended at once. */
async function launch({
  config,
  environment,
  openLog,
  program,
}: StandaloneOptions): Promise<ProcessIdentity | null> {
  const toml = runtimeFile(config);
  const log = openLog();
  try {
    const child = spawn(program.file, [...program.args, "agent", "-c", toml], {
      cwd: AGENT_FOLDER,
      // In a session of its own: neither Ctrl-C nor a closed terminal ends it.
      detached: true,
      env: environment,
      stdio: ["ignore", log, log],
    });
    child.unref();
    await once(child, "spawn");
    const identity = child.pid === undefined ? null : identify(child.pid);
    if (identity === null) return null;
    await writePidFile(standalonePidFile(config.dataDir), { ...identity, config: toml });
    return identity;
  } finally {
    closeSync(log);
  }
}

async function answered(
  client: CorrosionClient,
  identity: ProcessIdentity,
  apiUrl: string,
): Promise<Started> {
  const limit = AbortSignal.timeout(READY_LIMIT_MS);
  for (;;) {
    const problem = await ping(client, limit);
    if (!isAlive(identity)) return { kind: "failed", reason: "The agent ended while it started." };
    if (problem === null) return { kind: "started", pid: identity.pid, apiUrl };
    if (limit.aborted) {
      const reason = `The agent (pid ${identity.pid}) does not answer after ${READY_LIMIT_MS / 1000} s and is left alone: ${problem}.`;
      return { kind: "failed", reason };
    }
    await delay(POLL_MS);
  }
}
