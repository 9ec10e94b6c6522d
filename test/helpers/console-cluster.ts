/** @module Nodes of one process with all that watches and configures their agents, which really run. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import agentService from "../../services/corrosion/agent.service.ts";
import configService from "../../services/corrosion/config.service.ts";
import type { AgentStatus, ClusterUpdate, Membership } from "../../services/corrosion/contract.ts";
import coordinator from "../../services/corrosion/coordinator.service.ts";
import discovery from "../../services/corrosion/discovery.service.ts";
import identity from "../../services/corrosion/identity.service.ts";
import members from "../../services/corrosion/members.service.ts";
import type gateway from "../../services/gateway/gateway.service.ts";
import { shortFolder } from "./agent-node.ts";
import { testBroker } from "./gateway.ts";
import { freePort } from "./program.ts";
import { until } from "./until.ts";

export interface ConsoleNode {
  readonly id: string;
  readonly broker: ServiceBroker;
  readonly apiPort: number;
  readonly gossipPort: number;
  /** Payloads of the events that this node heard. */
  readonly memberships: Membership[];
  readonly updates: ClusterUpdate[];
  call<T>(action: string, params?: object): Promise<T>;
}

export interface ConsoleCluster {
  readonly nodes: readonly ConsoleNode[];
  readonly folder: string;
  /** Waits until all agents run. */
  running(): Promise<void>;
  /** With `keep` the folder stays, for another start. */
  stop(options?: { readonly keep?: boolean }): Promise<void>;
}

export interface ConsoleOptions {
  readonly nodes: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds; see `testBroker`. */
  readonly heartbeat?: { readonly interval: number; readonly timeout: number };
  /** How long each node has for its step of an update. */
  readonly stepMs?: number;
  /** Services that each node has beside those of the console. */
  readonly services?: readonly (ServiceSchema | typeof gateway)[];
  /** A folder that another start has kept. */
  readonly folder?: string;
}

let clusters = 0;

/** Nodes `dev-node1` and on, started; their agents are the embedded ones and may still be starting. */
export async function startConsole({
  env = {},
  heartbeat,
  nodes: size,
  services = [],
  folder = shortFolder(),
  stepMs,
}: ConsoleOptions): Promise<ConsoleCluster> {
  clusters += 1;
  const namespace = `console-${process.pid}-${clusters}`;
  const apiPort = await freePort(2 * (size + 1));
  const gossipPort = apiPort + size + 1;
  const shared = {
    FLEET_NODES: String(size),
    CLUSTER_SIZE: String(size),
    DATA_DIR: join(folder, "d"),
    FLEET_LOG_DIR: join(folder, "logs"),
    CORROSION_CONFIG_DIR: join(folder, "c"),
    CORROSION_MODE: "embedded",
    CORROSION_API_PORT: String(apiPort),
    CORROSION_GOSSIP_PORT: String(gossipPort),
    MEMBERS_REFRESH_MS: "500",
    API_PORT: "0",
    ...env,
  };
  const nodes = Array.from({ length: size }, (_, i): ConsoleNode => {
    const n = i + 1;
    const id = `dev-node${n}`;
    const options = { env: { ...shared, NODE_ID: String(n) }, nodeId: id, namespace };
    const { broker } = testBroker(heartbeat ? { ...options, heartbeat } : options);
    broker.metadata.fleet = true;
    const memberships: Membership[] = [];
    const updates: ClusterUpdate[] = [];
    broker.createService({
      name: "listener",
      events: {
        cluster_membership: (ctx: { params: Membership }) => void memberships.push(ctx.params),
        cluster_config_coordination: (ctx: { params: ClusterUpdate }) => void updates.push(ctx.params),
      },
    });
    for (const schema of [configService, agentService, members, discovery, identity, ...services])
      broker.createService(schema);
    broker.createService(stepMs === undefined ? coordinator : { ...coordinator, settings: { stepMs } });
    const call = <T>(action: string, params: object = {}) =>
      broker.call<T, object>(`corrosion.${action}`, params, { nodeID: id });
    return { id, broker, apiPort: apiPort + n, gossipPort: gossipPort + n, memberships, updates, call };
  });
  await Promise.all(nodes.map(({ broker }) => broker.start()));
  return {
    nodes,
    folder,
    async running() {
      for (const { call, id } of nodes) {
        await until(
          `the agent of ${id} runs`,
          async () => (await call<AgentStatus>("agent.status")).state === "running",
          60_000,
        );
      }
    },
    async stop({ keep = false } = {}) {
      await Promise.all(nodes.map(({ broker }) => broker.stop()));
      if (keep) return;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
