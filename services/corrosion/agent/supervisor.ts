/** @module A node's agent as its actor knows it: its state, and what start, stop and restart do to it. */
import { randomUUID } from "node:crypto";
import { isoMicros, systemClock } from "../../../lib/clock.ts";
import type { AgentConfig } from "../../../lib/console-config.ts";
import type { AgentToml } from "../../../lib/corrosion/agent-toml.ts";
import { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { AgentState, AgentStatus, RestartOutcome, RestartPhase, RestartStarted } from "../contract.ts";
import { watchExternal } from "./external-watch.ts";
import { AgentLife, type LifeEnd, type LifeNews } from "./life.ts";
import type { LogTail } from "./log-tail.ts";
import { pidFile } from "./pid-file.ts";
import type { ChosenAgent } from "./program.ts";
import { type RestartEvent, type RestartSteps, runRestart } from "./restart.ts";
import { settle } from "./settle.ts";
import { apiUrlOf, type Situation, statusOf } from "./situation.ts";

export interface SupervisorOptions {
  readonly nodeId: string;
  readonly config: AgentConfig;
  readonly dataDir: string;
  readonly runtimeFile: string;
  readonly chosen: ChosenAgent;
  /** What an agent gets of this process's environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logs: LogTail;
  /** Hears of every change; must not throw. */
  readonly changed: (status: AgentStatus) => void;
  /** Tells the bus; must not throw. */
  readonly announce: (restartId: string, event: RestartEvent) => void;
  readonly crashed: (reason: string) => void;
}

interface Restart {
  readonly id: string;
  readonly since: string;
  phase: RestartPhase;
  readonly breakOff: AbortController;
  readonly outcome: Promise<Omit<RestartOutcome, "joined">>;
}

/** The contract's word for an agent that others run. */
const STOP_REQUESTED = "A stop was requested.";
const NOT_MANAGED =
  "The Corrosion agent of this node is run by somebody else: start and stop it where it runs.";

export class AgentSupervisor {
  readonly #options: SupervisorOptions;
  #situation: Situation = { state: "stopped", reason: null, since: now() };
  #toml: AgentToml | null = null;
  #life: AgentLife | null = null;
  #restart: Restart | null = null;
  #stopping: Promise<void> | null = null;
  /** Requests to stop so far: a start that waited does not undo a later one. */
  #stops = 0;
  /** Watches an agent that somebody else runs on our port, or at the configured URL. */
  #external: { readonly end: AbortController; readonly over: Promise<void> } | null = null;
  #launches = 0;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get status(): AgentStatus {
    return statusOf({
      ...this.#options,
      situation: this.#situation,
      toml: this.#toml,
      external: this.#external !== null,
      pid: this.#life?.pid ?? null,
      restart: this.#restart,
      launches: this.#launches,
    });
  }

  /** Starts it, if it does not run, after a stop that is under way. Throws `agent_not_managed`. */
  async start(): Promise<AgentStatus> {
    const stops = this.#stops;
    await this.#stopping;
    if (this.#external !== null) {
      // An agent that was found on our port may be gone by now.
      if (this.#options.chosen.kind === "external" || this.#situation.reason === null) throw notManaged();
      await this.#endExternal();
    }
    const stoppedAgain = stops !== this.#stops;
    if (this.#closed || stoppedAgain || this.#life !== null || this.#restart !== null) return this.status;
    this.#begin();
    return this.status;
  }

  /** Ends it. Returns at once with `stopping`; `stopped` resolves when it is gone. Throws `agent_not_managed`. */
  stop(): { readonly status: AgentStatus; readonly stopped: Promise<void> } {
    if (!this.status.managed) throw notManaged();
    this.#stops += 1;
    // One that began during a stop waits for it; the stop does not know of it.
    const restart = this.#stopping === null ? null : this.#restart;
    restart?.breakOff.abort(new Error(STOP_REQUESTED));
    this.#stopping ??= this.#end(STOP_REQUESTED).finally(() => {
      this.#stopping = null;
    });
    const stopped = this.#stopping.then(async () => void (await restart?.outcome));
    return { status: this.status, stopped };
  }

  /** Restarts it; a request during a restart gets that one. Throws `agent_not_managed`. */
  restart(): { readonly started: RestartStarted; readonly outcome: Promise<RestartOutcome> } {
    if (!this.status.managed) throw notManaged();
    if (this.#closed) throw new CorrosionError("agent_unavailable", "This node stops.");
    const joined = this.#restart !== null;
    const restart = this.#restart ?? this.#beginRestart();
    if (!joined) {
      this.#restart = restart;
      this.#options.changed(this.status);
    }
    const { id, outcome } = restart;
    return {
      started: { restart_id: id, joined },
      outcome: outcome.then((how) => ({ ...how, joined })),
    };
  }

  /** Ends everything of the node; the agent is given its time to end in order. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#endExternal();
    await this.#end("This node stops.");
    this.#options.logs.close();
  }

  get #client(): CorrosionClient {
    return new CorrosionClient({
      url: apiUrlOf({ ...this.#options, toml: this.#toml }),
      token: this.#toml?.token ?? this.#options.config.apiToken,
    });
  }

  #begin(): AgentLife | null {
    const { chosen, dataDir, runtimeFile, environment, logs } = this.#options;
    if (chosen.kind === "external") {
      this.#watchExternal();
      return null;
    }
    if (chosen.kind === "none") {
      this.#turn("crashed", chosen.reason);
      return null;
    }
    const life = new AgentLife(
      {
        program: chosen.program,
        config: runtimeFile,
        dataDir,
        pidFile: pidFile(dataDir),
        environment,
        logs,
      },
      (news) => this.#hear(news),
    );
    this.#life = life;
    void life.over.then(
      (end) => this.#lifeOver(life, end),
      (error: unknown) => this.#lifeOver(life, { kind: "crashed", reason: String(error) }),
    );
    return life;
  }

  #lifeOver(life: AgentLife, end: LifeEnd): void {
    if (this.#life !== life) return;
    this.#life = null;
    if (end.kind === "crashed") this.#turn("crashed", end.reason);
    if (end.kind === "stopped" && this.#restart === null) this.#turn("stopped", null);
    if (end.kind === "external" && !this.#closed) this.#watchExternal();
  }

  #watchExternal(): void {
    const end = new AbortController();
    const over = watchExternal(this.#client, (problem) => this.#turn("external", problem), end.signal);
    this.#external = { end, over };
    this.#turn("external", null);
  }

  async #endExternal(): Promise<void> {
    const external = this.#external;
    external?.end.abort();
    await external?.over;
    this.#external = null;
  }

  async #end(why: string): Promise<void> {
    const restart = this.#restart;
    restart?.breakOff.abort(new Error(why));
    await restart?.outcome;
    const life = this.#life;
    if (life !== null) this.#turn("stopping", null);
    await life?.end();
    if (this.#situation.state !== "external") this.#turn("stopped", null);
  }

  #beginRestart(): Restart {
    const id = randomUUID();
    const breakOff = new AbortController();
    const steps: RestartSteps = {
      announce: (event) => this.#announce(id, event),
      reached: (phase) => this.#reach(phase),
      stop: async () => {
        await this.#stopping;
        await this.#life?.end();
      },
      start: async () => {
        const life = this.#begin();
        if (life === null) return { kind: "failed", phase: "starting", reason: this.#situation.reason ?? "" };
        return life.up;
      },
      settle: (signal) => this.#settle(signal),
    };
    // It begins once it is known as the restart under way.
    const outcome = Promise.resolve()
      .then(() => runRestart(steps, breakOff.signal))
      .then((end) => ({
        restart_id: id,
        ok: end.kind === "ready",
        phase: end.kind === "ready" ? null : end.phase,
        reason: end.kind === "ready" ? null : end.reason,
      }));
    return { id, since: now(), phase: "stopping", breakOff, outcome };
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const life = this.#life;
    if (life === null) throw new Error("The agent ended.");
    const done = new AbortController();
    try {
      await Promise.race([
        settle(this.#client, AbortSignal.any([signal, done.signal])),
        life.firstEnd.then((reason) => {
          throw new Error(reason);
        }),
      ]);
    } finally {
      done.abort();
    }
  }

  #announce(id: string, event: RestartEvent): void {
    // Whoever hears the last word and asks for the status must not find a restart.
    if (event.kind !== "restarting") this.#restart = null;
    this.#options.announce(id, event);
    if (event.kind !== "restarting") this.#options.changed(this.status);
  }

  #reach(phase: RestartPhase): void {
    if (this.#restart === null || this.#restart.phase === phase) return;
    this.#restart.phase = phase;
    this.#options.changed(this.status);
  }

  #hear(news: LifeNews): void {
    switch (news.kind) {
      case "toml":
        this.#toml = news.toml;
        break;
      case "launched":
        this.#launches += 1;
        this.#reach("health");
        break;
      case "crash":
        this.#options.crashed(news.reason);
        break;
      case "starting":
      case "unhealthy":
        this.#turn(news.kind, news.reason);
        break;
      case "running":
        this.#turn("running", null);
    }
  }

  #turn(state: AgentState, reason: string | null): void {
    const before = this.#situation;
    if (before.state === state && before.reason === reason) return;
    this.#situation = { state, reason, since: before.state === state ? before.since : now() };
    if (this.#restart === null) this.#options.changed(this.status);
  }
}

function notManaged(): CorrosionError {
  return new CorrosionError("agent_not_managed", NOT_MANAGED);
}

function now(): string {
  return isoMicros(systemClock());
}
