/** @module One run of a node's agent: its process, under a guard that does not outlive the node for long. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { AGENT_FOLDER } from "../../../lib/corrosion/agent-toml.ts";
import { endProcess } from "../../../lib/process-ending.ts";
import { identify, type ProcessIdentity } from "../../../lib/process-identity.ts";
import type { GuardCommand, GuardNews, GuardOrder } from "./guard.ts";
import { type LogTail, lineSplitter } from "./log-tail.ts";
import type { AgentProgram } from "./program.ts";

const GUARD = fileURLToPath(new URL("./guard.ts", import.meta.url));
/** From SIGTERM to SIGKILL. */
export const GRACE_MS = 10_000;
/** A guard that is not done by then hangs itself. */
const GUARD_MARGIN_MS = 3000;

export interface ProcessOptions {
  readonly program: AgentProgram;
  /** Path of the TOML that it runs on. */
  readonly config: string;
  readonly pidFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly logs: LogTail;
}

/** How it ended. */
export interface Exit {
  /** It ended by itself, or on request, with code 0. */
  readonly clean: boolean;
  /** For the middle of a sentence: `ended with exit code 1`. */
  readonly how: string;
}

export class AgentProcess {
  readonly ended: Promise<Exit>;
  /** On the clock of `performance.now()`. */
  readonly startedAt = performance.now();
  readonly #guard: ChildProcess;
  #identity: ProcessIdentity | null = null;
  #exit: Exit | null = null;

  constructor({ program, config, pidFile, environment, logs }: ProcessOptions) {
    const order: GuardOrder = {
      program: program.file,
      args: [...program.args, "agent", "-c", config],
      folder: AGENT_FOLDER,
      pidFile,
      config,
      graceMs: GRACE_MS,
    };
    // In a session of its own: Ctrl-C in a terminal must not end it before what still uses it.
    this.#guard = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", GUARD, JSON.stringify(order)],
      { env: environment, stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true },
    );
    this.#guard.on("message", (news) => this.#hear(news as GuardNews, logs));
    for (const stream of ["stdout", "stderr"] as const) {
      const take = lineSplitter((line) => logs.add(stream, line));
      this.#guard[stream]?.setEncoding("utf8").on("data", take);
    }
    this.ended = this.#watch();
  }

  /** Of the agent, not of its guard; null before it runs and after it ended. */
  get pid(): number | null {
    return this.#identity?.pid ?? null;
  }

  /** Ends it: SIGTERM, then SIGKILL after `GRACE_MS`. Returns when it is gone. */
  async stop(): Promise<Exit> {
    const command: GuardCommand = "stop";
    if (this.#guard.connected) this.#guard.send(command, () => undefined);
    const hung = setTimeout(() => this.#guard.kill("SIGKILL"), GRACE_MS + GUARD_MARGIN_MS);
    try {
      return await this.ended;
    } finally {
      clearTimeout(hung);
    }
  }

  async #watch(): Promise<Exit> {
    try {
      await once(this.#guard, "close");
    } catch (error) {
      return { clean: false, how: `cannot be started: ${(error as Error).message}` };
    }
    if (this.#exit !== null) return this.#exit;
    // Without its guard an agent is nobody's child, and nothing would end it with this node.
    try {
      if (this.#identity) await endProcess("The Corrosion agent", this.#identity, [["SIGTERM", GRACE_MS]]);
    } catch (error) {
      return { clean: false, how: `lost its guard and cannot be ended: ${(error as Error).message}` };
    }
    this.#identity = null;
    return { clean: false, how: "lost the process that guards it, and was ended" };
  }

  #hear(news: GuardNews, logs: LogTail): void {
    switch (news.kind) {
      case "spawned":
        this.#identity = identify(news.pid);
        break;
      case "problem":
        logs.add("agent", news.reason);
        break;
      case "unspawned":
        this.#exit = { clean: false, how: `cannot be started: ${news.reason}` };
        break;
      case "ended":
        this.#identity = null;
        this.#exit = {
          clean: news.code === 0,
          how: news.signal === null ? `ended with exit code ${news.code}` : `was ended by ${news.signal}`,
        };
    }
  }
}
