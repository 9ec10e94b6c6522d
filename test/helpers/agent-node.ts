/** @module A node with its agent and its agent's configuration alone. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import type { Registry } from "prom-client";
import { identify } from "../../lib/process-identity.ts";
import agentService from "../../services/corrosion/agent.service.ts";
import configService from "../../services/corrosion/config.service.ts";
import type { AgentState, AgentStatus, ConfigJob } from "../../services/corrosion/contract.ts";
import { testBroker } from "./gateway.ts";
import { freePort } from "./program.ts";
import { until } from "./until.ts";

export interface LifecycleEvent {
  readonly name: string;
  readonly restart_id: string;
  readonly phase?: string;
  readonly reason?: string;
}

export interface AgentNode {
  readonly broker: ServiceBroker;
  readonly metrics: Registry;
  readonly folder: string;
  readonly apiPort: number;
  readonly runtimeFile: string;
  /** Payloads of `agent_state`. */
  readonly states: AgentStatus[];
  readonly lifecycle: LifecycleEvent[];
  readonly jobs: ConfigJob[];
  readonly errors: string[];
  status(): Promise<AgentStatus>;
  call<T>(action: string, params?: object): Promise<T>;
  /** Waits for a state of the agent. */
  reaches(state: AgentState, limitMs?: number): Promise<AgentStatus>;
  start(): Promise<void>;
  /** Stops the node and removes its folder. */
  stop(): Promise<void>;
}

/** Short, for a socket's path is. */
export function shortFolder(): string {
  return mkdtempSync(join(tmpdir(), "fp-"));
}

/** The environment of a node whose agent has free ports and keeps everything in `folder`. */
export async function agentEnv(folder: string): Promise<Record<string, string>> {
  return {
    FLEET_NODES: "1",
    DATA_DIR: join(folder, "data"),
    FLEET_LOG_DIR: join(folder, "logs"),
    // Node 1 of an embedded start listens one further.
    CORROSION_API_PORT: String((await freePort()) - 1),
    CORROSION_GOSSIP_PORT: String((await freePort()) - 1),
  };
}

/** A node that is not started yet. */
export function agentNode(folder: string, env: Readonly<Record<string, string>>, nodeId?: string): AgentNode {
  const { broker, metrics, errors } = testBroker({ env, ...(nodeId === undefined ? {} : { nodeId }) });
  const states: AgentStatus[] = [];
  const lifecycle: LifecycleEvent[] = [];
  const jobs: ConfigJob[] = [];
  const hear = (ctx: { eventName: string | null; params: object }) =>
    void lifecycle.push({ name: String(ctx.eventName), ...ctx.params } as LifecycleEvent);
  broker.createService({
    name: "listener",
    events: {
      agent_state: (ctx: { params: AgentStatus }) => void states.push(ctx.params),
      config_job: (ctx: { params: ConfigJob }) => void jobs.push(ctx.params),
      "corrosion.*": hear,
    },
  });
  broker.createService(configService);
  broker.createService(agentService);
  const call = <T>(action: string, params: object = {}) =>
    broker.call<T, object>(action, params, { nodeID: broker.nodeID });
  const status = () => call<AgentStatus>("corrosion.agent.status");
  return {
    broker,
    metrics,
    errors,
    folder,
    apiPort: Number(env.CORROSION_API_PORT) + 1,
    runtimeFile: join(
      env.CORROSION_CONFIG_DIR ?? join(env.DATA_DIR ?? "", "configs"),
      "runtime",
      "node1.toml",
    ),
    states,
    lifecycle,
    jobs,
    status,
    call,
    reaches: (state, limitMs) =>
      until(
        `the agent is ${state}`,
        async () => {
          const now = await status();
          return now.state === state ? now : null;
        },
        limitMs,
      ),
    start: () => broker.start(),
    stop: async () => {
      await broker.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Whether a process with this number runs. */
export function runs(pid: number | null): boolean {
  return pid !== null && identify(pid) !== null;
}
