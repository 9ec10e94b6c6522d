/** @module The console's routes: this node, its agent, its configuration, the cluster as it sees it, SQL, messages, and draining. */
import type { Timestamp } from "../../../lib/clock.ts";
import type { JsonObject } from "../../../lib/json.ts";
import type { SentMessage } from "../../acks/contract.ts";
import type {
  ClusterUpdate,
  ConfigJob,
  Discovery,
  FetchStatus,
  Membership,
  NodeConfigRow,
} from "../../corrosion/contract.ts";
import { type ApiRequest, type ConsoleRoute, defined, pick } from "../route.ts";

interface RouteOf<Result> {
  readonly action: string;
  readonly meanwhile?: string;
  readonly params?: (request: ApiRequest) => JsonObject;
  /** 202 where the answer says only that it has begun. Default 200. */
  readonly status?: number;
  readonly body?: (result: Result, now: Timestamp) => object;
}

/** What a page knows of a source that is asked from time to time. */
interface Sourced {
  readonly data: object;
  readonly status: FetchStatus;
  readonly last_updated: string | null;
  readonly error: string | null;
}

const nothing = () => ({});

/** The result's type is the action's own promise (`contract.ts`). */
function route<Result extends object>(target: string, description: RouteOf<Result>): ConsoleRoute {
  const [method, path] = target.split(" ") as [ConsoleRoute["method"], string];
  const { action, meanwhile = null, params = nothing, status = 200, body } = description;
  return {
    half: "console",
    method,
    path,
    action,
    meanwhile,
    writes: method !== "GET",
    limited: true,
    params,
    answer: (result, now) => ({ status, body: body ? body(result as Result, now) : (result as Result) }),
  };
}

/** What was started goes on after the answer. */
function start<Result extends object>(target: string, description: RouteOf<Result>): ConsoleRoute {
  return route<Result>(target, { status: 202, ...description });
}

/** Nobody waits for DNS or an agent to answer: whoever refreshes gets what is known until then. */
function refresh<Result extends object>(
  name: string,
  { action, body }: RouteOf<Result>,
  refreshing: string,
): ConsoleRoute {
  return start<Result>(`POST /api/cluster/${name}/refresh`, {
    action: refreshing,
    meanwhile: action,
    ...(body && { body }),
  });
}

const discovery = {
  action: "corrosion.discovery.get",
  body: ({ status, last_updated, error, ...data }: Discovery): Sourced => ({
    data,
    status,
    last_updated,
    error,
  }),
};

const members = {
  action: "corrosion.members.get",
  body: ({ members, regions, error, cache_status }: Membership): Sourced => ({
    data: { members, regions, member_count: cache_status.member_count },
    status: cache_status.status,
    last_updated: cache_status.last_updated,
    error: error ?? cache_status.error,
  }),
};

/** Put together at each request, so that it has no age. */
const fresh = (action: string) => ({
  action,
  body: (data: object, now: Timestamp): Sourced => ({ data, status: "ok", last_updated: now, error: null }),
});
const tables = fresh("corrosion.members.corrosion");
const disagreements = fresh("corrosion.members.disagreements");

const CLUSTER: readonly ConsoleRoute[] = [
  route("GET /api/cluster/dns", discovery),
  refresh("dns", discovery, "corrosion.discovery.refresh"),
  route("GET /api/cluster/members", members),
  refresh("members", members, "corrosion.members.refresh"),
  route("GET /api/cluster/corrosion", tables),
  refresh("corrosion", tables, "corrosion.members.refresh"),
  route("GET /api/cluster/disagreements", disagreements),
  refresh("disagreements", disagreements, "corrosion.members.refresh"),
];

const NODE: readonly ConsoleRoute[] = [
  route("GET /api/node", { action: "corrosion.node.facts" }),
  route("GET /api/node/ping", { action: "corrosion.node.ping" }),
  route("GET /api/agent", { action: "corrosion.agent.status" }),
  route("GET /api/agent/logs", {
    action: "corrosion.agent.logs",
    params: ({ query }) => defined({ limit: query.integer("limit") }),
  }),
  start("POST /api/agent/start", { action: "corrosion.agent.start" }),
  start("POST /api/agent/stop", { action: "corrosion.agent.stop" }),
  start("POST /api/agent/restart", { action: "corrosion.agent.restart" }),
];

const CONFIGURATION: readonly ConsoleRoute[] = [
  route("GET /api/config/bootstrap", { action: "corrosion.config.get" }),
  start("PUT /api/config/bootstrap", {
    action: "corrosion.config.applyBootstrap",
    params: ({ body }) => pick(body, ["hosts"]),
  }),
  start("POST /api/config/rollback", {
    action: "corrosion.config.rollback",
    params: ({ body }) => pick(body, ["backup_id"]),
  }),
  start("POST /api/config/restore-canonical", { action: "corrosion.config.restoreCanonical" }),
  route<ConfigJob>("GET /api/config/job", {
    action: "corrosion.config.job",
    body: (job: ConfigJob | null) => job ?? { job_id: null },
  }),
  route<ClusterUpdate>("GET /api/config/cluster", {
    action: "corrosion.coordinator.status",
    body: (update: ClusterUpdate | null) => update ?? { update_id: null },
  }),
  start("POST /api/config/cluster", {
    action: "corrosion.coordinator.update",
    params: ({ body }) => pick(body, ["hosts", "node_ids"]),
  }),
  route("GET /api/config/nodes", {
    action: "corrosion.identity.configs",
    body: (rows: readonly NodeConfigRow[]) => ({ node_configs: rows, count: rows.length }),
  }),
];

const RUN_FIELDS = ["preset", "sql", "params", "mode", "limit", "run_id"] as const;

const SQL: readonly ConsoleRoute[] = [
  route("GET /api/console/presets", {
    action: "corrosion.query.presets",
    body: (presets: readonly object[]) => ({ presets }),
  }),
  route("GET /api/console/history", {
    action: "corrosion.query.history",
    params: ({ query }) => defined({ limit: query.integer("limit") }),
    body: (history: readonly object[]) => ({ history }),
  }),
  route("POST /api/console/run", {
    action: "corrosion.query.run",
    params: ({ body }) => pick(body, RUN_FIELDS),
  }),
  route("DELETE /api/console/run/:id", {
    action: "corrosion.query.cancel",
    params: ({ id }) => ({ run_id: id }),
  }),
];

const PROPAGATION: readonly ConsoleRoute[] = [
  route<SentMessage>("POST /api/messages/send", {
    action: "messages.send",
    params: ({ body }) => pick(body, ["content"]),
    body: (message) => ({ status: "success", message }),
  }),
  route("GET /api/messages", {
    action: "messages.list",
    params: ({ query }) => defined({ limit: query.integer("limit"), before: query.text("before") }),
  }),
  route("GET /api/acks", { action: "acks.tracker.status" }),
  route("GET /api/acks/:id", { action: "acks.tracker.status", params: ({ id }) => ({ pk: id }) }),
  route("POST /api/acks/reset", { action: "acks.tracker.reset" }),
  route("POST /api/acks/drill", { action: "acks.drill.send" }),
  route("GET /api/receptions", {
    action: "acks.sender.all",
    params: ({ query }) =>
      defined({ min: query.integer("min"), limit: query.integer("limit"), scope: query.text("scope") }),
  }),
  route("GET /api/receptions/:id", { action: "acks.sender.get", params: ({ id }) => ({ pk: id }) }),
  route("GET /api/sender", { action: "acks.sender.status" }),
];

/** A node of the fleet takes part in placement, or does not; the one that is asked passes it on. */
const PLACEMENT: readonly ConsoleRoute[] = [
  start("POST /api/fleet/nodes/:id/drain", {
    action: "fleet.ops.drainNode",
    params: ({ id }) => ({ node: id }),
  }),
  start("POST /api/fleet/nodes/:id/undrain", {
    action: "fleet.ops.undrainNode",
    params: ({ id }) => ({ node: id }),
  }),
];

export const CONSOLE_ROUTES: readonly ConsoleRoute[] = [
  ...CLUSTER,
  ...NODE,
  ...CONFIGURATION,
  ...SQL,
  ...PROPAGATION,
  ...PLACEMENT,
];
