/** @module The node's Corrosion agent: runs it, watches it, and tells the node what becomes of it. */
import { join } from "node:path";
import type { Context, Service } from "moleculer";
import type { Counter } from "prom-client";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { openLineFile } from "../../lib/logging.ts";
import { counter, gauge } from "../../lib/metrics.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { agentEnvironment } from "./agent/environment.ts";
import { LogTail, MAX_LINES } from "./agent/log-tail.ts";
import { chooseAgent } from "./agent/program.ts";
import type { RestartEvent } from "./agent/restart.ts";
import { AgentSupervisor } from "./agent/supervisor.ts";
import { runtimeFile } from "./config/runtime-file.ts";
import type { AgentLogs, AgentStatus, RestartOutcome, RestartStarted } from "./contract.ts";
import { type UpdateMeta, unlessReserved } from "./coordinator/reserved.ts";

const STATES = [
  "stopped",
  "starting",
  "running",
  "unhealthy",
  "restarting",
  "stopping",
  "crashed",
  "external",
] as const satisfies readonly AgentStatus["state"][];

interface Wait {
  readonly wait?: boolean;
}

type AgentService = Service & {
  supervisor: AgentSupervisor;
  logTail: LogTail;
  restarts: Counter;
  crashes: Counter;
};

export default defineService<AgentService>({
  name: "corrosion.agent",

  actions: {
    /** `AgentStatus`, at once in every state. */
    status: {
      params: {},
      handler(this: AgentService): AgentStatus {
        return this.supervisor.status;
      },
    },

    /** `AgentStatus` right after the start began. Throws `agent_not_managed`. */
    start: {
      params: {},
      handler(this: AgentService): Promise<AgentStatus> {
        return this.supervisor.start();
      },
    },

    /** `{wait?}` -> `AgentStatus` at once, with `wait` when the agent is gone. Throws `agent_not_managed`, `busy`. */
    stop: {
      params: { wait: { type: "boolean", optional: true } },
      async handler(this: AgentService, ctx: Context<Wait, UpdateMeta>): Promise<AgentStatus> {
        await unlessReserved(ctx);
        const { status, stopped } = this.supervisor.stop();
        if (!ctx.params.wait) return status;
        await stopped;
        return this.supervisor.status;
      },
    },

    /** `{wait?}` -> `RestartStarted` at once, with `wait` `RestartOutcome` when it is over. Throws `agent_not_managed`, `busy`. */
    restart: {
      params: { wait: { type: "boolean", optional: true } },
      async handler(
        this: AgentService,
        ctx: Context<Wait, UpdateMeta>,
      ): Promise<RestartStarted | RestartOutcome> {
        await unlessReserved(ctx);
        const { started, outcome } = this.supervisor.restart();
        return ctx.params.wait ? outcome : started;
      },
    },

    /** `{limit?}` -> `AgentLogs`. */
    logs: {
      params: { limit: { type: "number", integer: true, min: 1, max: MAX_LINES, optional: true } },
      handler(this: AgentService, ctx: Context<{ limit?: number }>): AgentLogs {
        return this.logTail.last(ctx.params.limit ?? MAX_LINES);
      },
    },
  },

  events: {
    /** The configuration is in its place now, and nobody's start waits for the agent. */
    "$broker.started"(this: AgentService) {
      this.supervisor.start().catch((error: unknown) => {
        this.logger.error("the agent cannot be started", { error: String(error) });
      });
    },
  },

  created(this: AgentService) {
    const { config, metrics } = runtimeOf(this.broker);
    const { agent, dataDir, node } = config.console;
    const { logDir } = config;
    // What any program needs of the environment; all that configures this node stays here.
    const environment = agentEnvironment(process.env);
    this.restarts = counter(metrics, {
      name: "corrosion_agent_restarts_total",
      help: "Restarts of the Corrosion agent that were asked for, by their outcome",
      labels: ["outcome"],
    });
    this.crashes = counter(metrics, {
      name: "corrosion_agent_crashes_total",
      help: "Ends of the Corrosion agent that nobody asked for",
    });
    this.logTail = new LogTail(
      logDir === null ? null : openLineFile(join(logDir, `node${node}-corrosion.log`)),
    );
    this.supervisor = new AgentSupervisor({
      nodeId: this.broker.nodeID,
      config: agent,
      dataDir,
      runtimeFile: runtimeFile(config.console),
      chosen: chooseAgent(agent, environment.PATH ?? ""),
      environment,
      logs: this.logTail,
      changed: (status) => tellState(this, status),
      announce: (restartId, event) => announce(this, restartId, event),
      crashed: (reason) => {
        this.crashes.inc();
        this.logger.warn("the agent ended", { reason });
      },
    });
    gauge(
      metrics,
      {
        name: "corrosion_agent_state",
        help: "1 for the state that the Corrosion agent is in",
        labels: ["state"],
      },
      (made) => {
        const { state } = this.supervisor.status;
        for (const each of STATES) made.set({ state: each }, each === state ? 1 : 0);
      },
    );
  },

  async stopped(this: AgentService) {
    await this.supervisor.close();
  },
});

function tellState(service: AgentService, status: AgentStatus): void {
  const { state, restart_phase: phase, pid, reason } = status;
  const level = state === "crashed" || state === "unhealthy" ? "warn" : "info";
  service.logger[level]("agent state", { state, phase, pid, reason });
  spread(service, () => service.broker.broadcastLocal("agent_state", status));
}

function announce(service: AgentService, restart_id: string, event: RestartEvent): void {
  const head = { node_id: service.broker.nodeID, restart_id, timestamp: isoMicros(systemClock()) };
  if (event.kind !== "restarting") {
    service.restarts.inc({ outcome: event.kind === "ready" ? "ready" : "failed" });
  }
  const payload =
    event.kind === "restart_failed" ? { ...head, phase: event.phase, reason: event.reason } : head;
  spread(service, () => service.broker.broadcast(`corrosion.${event.kind}`, payload));
}

/** An event that cannot be delivered must not change what becomes of the agent. */
function spread(service: AgentService, send: () => Promise<unknown>): void {
  Promise.resolve()
    .then(send)
    .catch((error: unknown) => {
      service.logger.warn("an event of the agent was not delivered", { error: String(error) });
    });
}
