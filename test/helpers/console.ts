/** @module Actors of the Corrosion room that a test writes itself, for a gateway that is to answer for them. */
import type { Context, ServiceSchema } from "moleculer";
import type { JsonObject } from "../../lib/json.ts";
import type { AckStatus, SentMessage } from "../../services/acks/contract.ts";
import type {
  AgentStatus,
  ClusterUpdate,
  ConfigJob,
  Discovery,
  Membership,
  NodeConfiguration,
  SubscriberStatus,
} from "../../services/corrosion/contract.ts";
import type { TestGateway } from "./gateway.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
  readonly text: string;
}

/** Sends a request such as `GET /api/agent`; a body that is a text goes out as it is. */
export async function ask(
  { url }: Pick<TestGateway, "url">,
  target: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const [method = "", path = ""] = target.split(" ");
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method, headers, ...(body !== undefined && { body: text }) });
  const answer = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(answer), text: answer };
}

/** The request for a row of the route table. */
export function targetOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path.replace(":id", "r1")}`;
}

/** Actions by their full name; what is given is the handler, or the action with its params. */
export type Actions = Readonly<Record<string, ((ctx: Context) => unknown) | object>>;

/** Services with these actions, one for each name before the last dot. */
export function actors(actions: Actions): ServiceSchema[] {
  const services = new Map<string, Record<string, unknown>>();
  for (const [full, action] of Object.entries(actions)) {
    const dot = full.lastIndexOf(".");
    const name = full.slice(0, dot);
    const own = services.get(name) ?? {};
    own[full.slice(dot + 1)] = action;
    services.set(name, own);
  }
  return [...services].map(([name, own]) => ({ name, actions: own }) as ServiceSchema);
}

const AT = "2026-01-02T03:04:05.678901Z";

export const AGENT: AgentStatus = {
  node_id: "n",
  state: "running",
  kind: "embedded",
  managed: true,
  pid: 4711,
  program: "embedded development agent",
  api_url: "http://127.0.0.1:8081",
  admin_path: "/tmp/admin.sock",
  gossip_addr: "127.0.0.1:8787",
  config_path: "/tmp/node1.toml",
  restart_id: null,
  restart_phase: null,
  restarts: 0,
  since: AT,
  reason: null,
};

export const JOB: ConfigJob = {
  node_id: "n",
  job_id: "j1",
  kind: "bootstrap",
  state: "validating",
  message: "checking the hosts",
  hosts: ["127.0.0.1:8788"],
  backup_id: null,
  started_at: AT,
  timestamp: AT,
};

export const UPDATE: ClusterUpdate = {
  update_id: "u1",
  initiator: "n",
  hosts: ["127.0.0.1:8788"],
  state: "running",
  nodes: [{ node_id: "n", status: "pending", message: null, timestamp: AT }],
};

export const CONFIGURATION: NodeConfiguration = {
  node_id: "n",
  path: "/tmp/node1.toml",
  hosts: ["127.0.0.1:8788"],
  toml: "[gossip]\n",
  backups: [{ id: "node1.toml.1.bak", created_at: AT }],
  canonical: false,
  editable: true,
  reason: null,
  problem: null,
};

export const DISCOVERY: Discovery = {
  nodes: [{ node_id: "dev-node1", region: "dev-node1", machine: null }],
  error: null,
  status: "ok",
  last_updated: AT,
  age_ms: 12,
  source: "development",
};

export const MEMBERSHIP: Membership = {
  members: [],
  error: null,
  regions: ["ams"],
  cache_status: { last_updated: AT, error: null, status: "fetching", member_count: 0 },
};

const TABLES = { members: [], tracked_peers: null, actor_id: "a" };
const MATRIX = { observers: [], subjects: [], disagreement: false };
const RESULT = { run_id: "r", columns: ["1"], rows: [[1]], row_count: 1, truncated: false, elapsed_ms: 2 };

export const SENT: SentMessage = { pk: "n_1", timestamp: AT, node_id: "n", sequence: 1 };

export const ACKS: AckStatus = {
  node_id: "n",
  latest_message: { pk: "n_1", timestamp: AT, node_id: "n" },
  acknowledgments: [],
  ack_count: 0,
  regions: [],
  expected: ["dev-node2"],
  state: "pending",
  transport: "gossip",
  deadline_at: AT,
};

export const SUBSCRIBER: SubscriberStatus = {
  node_id: "n",
  state: "connected",
  query_id: "w",
  change_id: 1,
  rows: 0,
  reconnects: 0,
  since: AT,
  reason: null,
};

/** Every action that the console's routes and streams call, each with an answer of the right shape. */
export const ALL_WELL: Actions = {
  "corrosion.discovery.get": () => DISCOVERY,
  "corrosion.discovery.refresh": () => DISCOVERY,
  "corrosion.members.get": () => MEMBERSHIP,
  "corrosion.members.refresh": () => MEMBERSHIP,
  "corrosion.members.corrosion": () => TABLES,
  "corrosion.members.disagreements": () => MATRIX,
  "corrosion.node.facts": () => ({ region: "ams" }),
  "corrosion.node.ping": () => ({ ok: true, latency_ms: 1.5 }),
  "corrosion.agent.status": () => AGENT,
  "corrosion.agent.logs": () => ({ lines: [{ at: AT, stream: "stdout", line: "hello" }] }),
  "corrosion.agent.start": () => ({ ...AGENT, state: "starting" }),
  "corrosion.agent.stop": () => ({ ...AGENT, state: "stopping" }),
  "corrosion.agent.restart": () => ({ restart_id: "x1", joined: false }),
  "corrosion.config.get": () => CONFIGURATION,
  "corrosion.config.applyBootstrap": () => JOB,
  "corrosion.config.rollback": () => ({ ...JOB, kind: "rollback" }),
  "corrosion.config.restoreCanonical": () => ({ ...JOB, kind: "restore_canonical" }),
  "corrosion.config.job": () => JOB,
  "corrosion.coordinator.status": () => UPDATE,
  "corrosion.coordinator.update": () => UPDATE,
  "corrosion.identity.configs": () => [{ node_id: "n", corrosion_actor_id: "a" }],
  "corrosion.subscriber.status": () => SUBSCRIBER,
  "corrosion.query.presets": () => [{ id: "cluster_info" }],
  "corrosion.query.history": () => [{ id: 1, sql: "SELECT 1" }],
  "corrosion.query.run": () => RESULT,
  "corrosion.query.cancel": () => ({ cancelled: true }),
  "messages.send": () => SENT,
  "messages.list": () => ({ messages: [], count: 0 }),
  "acks.tracker.status": () => ACKS,
  "acks.tracker.reset": () => ACKS,
  "acks.sender.status": () => ({ node_id: "n", queued: 0 }),
  "fleet.ops.drainNode": () => ({ node: "r1", draining: true }),
  "fleet.ops.undrainNode": () => ({ node: "r1", draining: false }),
  "acks.sender.all": () => ({ receptions: [], count: 0 }),
  "acks.sender.get": () => ({ message_pk: "r1", reception_count: 2 }),
  "acks.drill.send": () => ({ request_id: "pubsub_n_1" }),
};
