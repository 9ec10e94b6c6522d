/** @module One span of time in which a node wants its agent to run: started, watched, started again after a crash. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type AgentToml, readAgentToml } from "../../../lib/corrosion/agent-toml.ts";
import { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import { UnusableToml } from "../../../lib/toml.ts";
import type { RestartPhase } from "../contract.ts";
import { AgentProcess, type Exit, GRACE_MS, type ProcessOptions } from "./agent-process.ts";
import { afterCrash, CALM } from "./backoff.ts";
import { prepareFolders } from "./folders.ts";
import { endLeftover } from "./leftover.ts";
import { whoListens } from "./port.ts";
import { clearSubscriptions } from "./subscriptions-folder.ts";

const POLLS = 15;
const POLL_EVERY_MS = 1000;
const POLL_LIMIT_MS = 1000;
const WATCH_EVERY_MS = 2000;
/** Missed polls after which an agent that ran counts as unhealthy. */
const MISSES = 2;

export interface LifeOptions extends ProcessOptions {
  /** The node's own folder. */
  readonly dataDir: string;
}

/** What becomes of the agent while the life lasts. */
export type LifeNews =
  | { readonly kind: "toml"; readonly toml: AgentToml }
  | { readonly kind: "starting"; readonly reason: string | null }
  /** A process was started. */
  | { readonly kind: "launched" }
  | { readonly kind: "running" }
  | { readonly kind: "unhealthy"; readonly reason: string }
  | { readonly kind: "crash"; readonly reason: string };

export type LifeEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "crashed"; readonly reason: string }
  /** Somebody else's agent serves the port. */
  | { readonly kind: "external" };

/** What became of the first start. */
export type FirstStart =
  | { readonly kind: "healthy" }
  | { readonly kind: "failed"; readonly phase: RestartPhase; readonly reason: string };

export class AgentLife {
  /** Settles once; a later start of the same life does not change it. */
  readonly up: Promise<FirstStart>;
  /** Resolves when nothing of it runs any more. */
  readonly over: Promise<LifeEnd>;
  /** Resolves with a sentence when the first process has ended; never when there was none. */
  readonly firstEnd: Promise<string>;
  readonly #options: LifeOptions;
  readonly #tell: (news: LifeNews) => void;
  readonly #ending = new AbortController();
  readonly #up = Promise.withResolvers<FirstStart>();
  readonly #firstEnd = Promise.withResolvers<string>();
  #process: AgentProcess | null = null;

  /** Begins at once; `tell` hears what happens until `over` resolves. */
  constructor(options: LifeOptions, tell: (news: LifeNews) => void) {
    this.#options = options;
    this.#tell = tell;
    this.up = this.#up.promise;
    this.firstEnd = this.#firstEnd.promise;
    this.over = this.#run().finally(() => {
      // Whoever waits for the start must hear of its end, whatever happened.
      this.#up.resolve({ kind: "failed", phase: "starting", reason: "The start was broken off." });
    });
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Ends the agent and the life. Returns when both are over. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.over;
  }

  async #run(): Promise<LifeEnd> {
    let history = CALM;
    for (;;) {
      const began = performance.now();
      let crash: string;
      try {
        this.#tell({ kind: "starting", reason: null });
        const end = await this.#attempt();
        if (end.kind !== "crash") return this.#finish(end);
        crash = end.reason;
      } catch (error) {
        if (this.#ending.signal.aborted) return { kind: "stopped" };
        if (error instanceof UnusableToml) {
          const reason = `${this.#options.config} cannot be used: ${error.message}. Roll back to a backup, or restore the canonical configuration.`;
          return this.#finish({ kind: "crashed", reason });
        }
        crash = `The agent cannot be started: ${(error as Error).message}`;
      }
      this.#up.resolve({ kind: "failed", phase: "starting", reason: crash });
      this.#tell({ kind: "crash", reason: crash });
      const now = performance.now();
      const next = afterCrash(history, now, now - began);
      if (next.kind === "give_up") {
        const reason = `${crash} That was crash ${next.crashes} within a minute, and it is not started again by itself: start it when the cause is gone.`;
        return this.#finish({ kind: "crashed", reason });
      }
      history = next.history;
      this.#tell({
        kind: "starting",
        reason: `${crash} It is started again ${next.delayMs / 1000} s later.`,
      });
      await delay(next.delayMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      if (this.#ending.signal.aborted) return { kind: "stopped" };
    }
  }

  #finish(end: LifeEnd): LifeEnd {
    const reason = end.kind === "crashed" ? end.reason : "Another agent serves the port.";
    this.#up.resolve({ kind: "failed", phase: "starting", reason });
    return end;
  }

  /** One process from its start to its end. Throws when it cannot even be started. */
  async #attempt(): Promise<LifeEnd | { readonly kind: "crash"; readonly reason: string }> {
    const { signal } = this.#ending;
    const { config, pidFile, logs } = this.#options;
    const toml = readAgentToml(await readFile(config, "utf8"));
    this.#tell({ kind: "toml", toml });
    prepareFolders(toml, this.#options.dataDir);
    const leftover = await endLeftover(pidFile, GRACE_MS);
    if (leftover.pid !== null) {
      logs.add("agent", `ended the agent that an earlier start left (pid ${leftover.pid})`);
    }
    if (leftover.unclean) await this.#dropSubscriptions(toml);
    const client = new CorrosionClient({ url: toml.apiUrl, token: toml.token });
    const listener = await whoListens(toml.apiHost, toml.apiPort, client, signal);
    if (listener.kind === "agent") return { kind: "external" };
    if (listener.kind === "foreign") return { kind: "crashed", reason: listener.reason };
    signal.throwIfAborted();

    const since = Date.now();
    const agent = new AgentProcess(this.#options);
    this.#process = agent;
    this.#tell({ kind: "launched" });
    const watching = new AbortController();
    const stop = () => {
      watching.abort();
      void agent.stop();
    };
    signal.addEventListener("abort", stop, { once: true });
    const watch = this.#watch(client, agent, since, watching.signal);
    let exit: Exit;
    try {
      exit = await agent.ended;
    } finally {
      signal.removeEventListener("abort", stop);
      watching.abort();
      await watch;
      this.#process = null;
    }
    const reason = `The agent ${exit.how}${this.#lastWords(since)}.`;
    this.#firstEnd.resolve(reason);
    logs.add("agent", reason);
    if (!exit.clean) await this.#dropSubscriptions(toml);
    if (signal.aborted) return { kind: "stopped" };
    return { kind: "crash", reason };
  }

  /** What it said last, for the end of a sentence. */
  #lastWords(since: number): string {
    const words = this.#options.logs.lastWords(since);
    return words === null ? "" : `; its last words: ${words.replace(/\.$/, "")}`;
  }

  async #dropSubscriptions(toml: AgentToml): Promise<void> {
    const { dataDir, logs } = this.#options;
    const cleared = await clearSubscriptions(toml, dataDir);
    if (cleared.kind === "refused") logs.add("agent", cleared.reason);
    if (cleared.kind === "cleared") {
      logs.add("agent", `removed the subscriptions of an unclean stop in ${cleared.folder}`);
    }
  }

  /** Never throws: what is wrong with an agent is told. */
  async #watch(
    client: CorrosionClient,
    agent: AgentProcess,
    since: number,
    signal: AbortSignal,
  ): Promise<void> {
    let state: "starting" | "running" | "unhealthy" = "starting";
    let misses = 0;
    while (!signal.aborted) {
      const began = performance.now();
      const problem = await ping(client, signal);
      if (signal.aborted) return;
      misses = problem === null ? 0 : misses + 1;
      if (problem === null && state !== "running") {
        state = "running";
        this.#tell({ kind: "running" });
        this.#up.resolve({ kind: "healthy" });
      }
      const missed = state === "starting" ? POLLS : MISSES;
      if (problem !== null && state !== "unhealthy" && misses >= missed) {
        const which = agent.pid === null ? "The agent" : `The agent (pid ${agent.pid})`;
        const words = state === "starting" ? this.#lastWords(since) : "";
        const reason = `${which} does not answer SELECT 1: ${problem}${words}. It may be busy and is left alone: restart it if it does not recover.`;
        state = "unhealthy";
        this.#tell({ kind: "unhealthy", reason });
        this.#up.resolve({ kind: "failed", phase: "health", reason });
      }
      const every = state === "starting" ? POLL_EVERY_MS : WATCH_EVERY_MS;
      const wait = Math.max(0, every - (performance.now() - began));
      await delay(wait, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** What keeps it from answering `SELECT 1`; null when it answers. */
export async function ping(client: CorrosionClient, signal: AbortSignal): Promise<string | null> {
  try {
    await client.ping({ timeoutMs: POLL_LIMIT_MS, signal });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
