/** @module A program that holds one agent and ends it when the node that started it has ended, however that went. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { identify } from "../../../lib/process-identity.ts";
import { removePidFile, writePidFile } from "./pid-file.ts";

/** What the guard is told on its command line, as JSON. */
export interface GuardOrder {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly pidFile: string;
  /** The TOML that stands in `args`. */
  readonly config: string;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

/** What it tells the node. */
export type GuardNews =
  | { readonly kind: "spawned"; readonly pid: number }
  | { readonly kind: "unspawned"; readonly reason: string }
  /** Something that does not keep the agent from running; one sentence. */
  | { readonly kind: "problem"; readonly reason: string }
  | { readonly kind: "ended"; readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** What it is told. */
export type GuardCommand = "stop";

const LAST_WORDS_MS = 500;

/** It is the agent's parent, so the number of its child can never be somebody else's. */
async function guard(order: GuardOrder): Promise<void> {
  let ending = false;
  const child = spawn(order.program, order.args, {
    cwd: order.folder,
    // The node gave this process the environment that is meant for the agent.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_"))),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  exited.catch(() => undefined); // awaited below, which may be after it failed
  const silent = once(child, "close").catch(() => undefined);
  pass(child.stdout, process.stdout);
  pass(child.stderr, process.stderr);

  const end = () => {
    if (ending) return;
    ending = true;
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), order.graceMs).unref();
  };
  // The channel closes when the node ends, also by SIGKILL.
  process.on("disconnect", end);
  process.on("message", end);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, end);

  try {
    await note(child, order);
    const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
    // Its last words; somebody else may have inherited the pipes and keep them open.
    await Promise.race([silent, delay(LAST_WORDS_MS, undefined, { ref: false })]);
    // The file of one that crashed stays and says so to the next start.
    if (code === 0 && child.pid !== undefined) removePidFile(order.pidFile, child.pid);
    tell({ kind: "ended", code, signal });
  } catch (error) {
    tell({ kind: "unspawned", reason: (error as Error).message });
  }
  if (process.connected) process.disconnect();
}

async function note(child: ChildProcess, { pidFile, config }: GuardOrder): Promise<void> {
  const identity = child.pid === undefined ? null : identify(child.pid);
  if (child.pid !== undefined) tell({ kind: "spawned", pid: child.pid });
  if (identity === null) return; // it has ended already, or never was: `close` or `error` says so
  try {
    await writePidFile(pidFile, { ...identity, config });
  } catch (error) {
    const reason = `The pid file ${pidFile} cannot be written: ${(error as Error).message}.`;
    tell({ kind: "problem", reason });
  }
}

/** When nobody reads any more, the agent must still be able to print, or it could not end in order. */
function pass(from: Readable, to: Writable): void {
  to.on("error", () => {
    from.unpipe(to);
    from.resume();
  });
  from.pipe(to, { end: false });
}

function tell(news: GuardNews): void {
  // A node that has ended needs no news.
  if (process.connected) process.send?.(news, undefined, undefined, () => undefined);
}

if (import.meta.main) await guard(JSON.parse(process.argv[2] ?? "") as GuardOrder);
