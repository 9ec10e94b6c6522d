/** @module The routes of experiments: what was measured, of all nodes or of this one, and runs themselves. */

import type { Readable } from "node:stream";
import type { Timestamp } from "../../../lib/clock.ts";
import type { JsonObject } from "../../../lib/json.ts";
import { type ApiRequest, type ConsoleAnswer, type ConsoleRoute, defined, pick } from "../route.ts";

const BASE = "/api/analytics";
const EXPERIMENTS = `${BASE}/experiments`;

interface RouteOf {
  readonly action: string;
  readonly params?: (request: ApiRequest) => JsonObject;
  readonly answer?: (result: object, now: Timestamp) => ConsoleAnswer;
}

function route(target: string, { action, params = () => ({}), answer }: RouteOf): ConsoleRoute {
  const [method, path] = target.split(" ") as [ConsoleRoute["method"], string];
  return {
    half: "console",
    method,
    path,
    action: `analytics.aggregator.${action}`,
    meanwhile: null,
    writes: method !== "GET",
    // What machines ask to see whether all is well does not count.
    limited: action !== "health",
    plainErrors: method === "GET" && path.startsWith(EXPERIMENTS),
    params,
    answer: (result, now) =>
      answer ? answer(result as object, now) : { status: 200, body: result as object },
  };
}

const scopeOf = ({ query }: ApiRequest): JsonObject => defined({ scope: query.text("scope") });

/** A report of one experiment. */
function report(kind: string): ConsoleRoute {
  return route(`GET ${EXPERIMENTS}/:id/${kind}`, {
    action: "get",
    params: (request) => ({ experiment_id: request.id, kind, ...scopeOf(request) }),
  });
}

/** A body that is a file: its text, its type and its name come from the room. */
interface FileOfRoom {
  /** A stream of a file that may be large. */
  readonly text: string | Readable;
  readonly content_type: string;
  readonly filename: string;
  /** Nodes that should be in it and are not. */
  readonly nodes_missing: readonly string[];
}

const attachment = (result: object): ConsoleAnswer => {
  const { content_type, filename, nodes_missing, text } = result as FileOfRoom;
  const headers = {
    "content-type": content_type,
    "content-disposition": `attachment; filename="${filename}"`,
    ...(nodes_missing.length > 0 && { "x-nodes-missing": nodes_missing.join(",") }),
  };
  return { status: 200, body: text, headers };
};

const success = (result: object): ConsoleAnswer => ({
  status: 200,
  body: { status: "success", ...result },
});

const started = (result: object): ConsoleAnswer => success({ result: "ok", ...result });

const RUN_FIELDS = [
  "experiment_id",
  "message_count",
  "interval_ms",
  "transport",
  "payload_bytes",
  "replace",
] as const;

const RUNS: readonly ConsoleRoute[] = [
  route(`GET ${BASE}/health`, {
    action: "health",
    answer: (health) => ({
      status: "database" in health && health.database === "ok" ? 200 : 503,
      body: health,
    }),
  }),
  route(`POST ${BASE}/aggregation/start`, {
    action: "start",
    params: ({ body }) => pick(body, RUN_FIELDS),
    answer: started,
  }),
  route(`POST ${BASE}/aggregation/stop`, { action: "stop", answer: started }),
  route(`GET ${BASE}/aggregation/status`, { action: "status", answer: success }),
];

const REPORTS: readonly ConsoleRoute[] = [
  route(`GET ${EXPERIMENTS}/list`, { action: "list", params: scopeOf, answer: success }),
  route(`GET ${EXPERIMENTS}/compare`, {
    action: "compare",
    params: (request) => ({
      ...defined({ ids: request.query.text("ids"), format: request.query.text("format") }),
      ...scopeOf(request),
    }),
    answer: (result) => ("text" in result ? attachment(result) : { status: 200, body: result }),
  }),
  ...["summary", "timing", "metrics", "events", "topology", "performance"].map(report),
  route(`GET ${EXPERIMENTS}/:id/export`, {
    action: "export",
    params: (request) => ({
      experiment_id: request.id,
      ...defined({
        format: request.query.text("format"),
        include_raw_events: request.query.flag("include_raw_events"),
        include_system_metrics: request.query.flag("include_system_metrics"),
      }),
      ...scopeOf(request),
    }),
    answer: attachment,
  }),
];

const DELETIONS: readonly ConsoleRoute[] = [
  route(`DELETE ${EXPERIMENTS}/:id`, {
    action: "delete",
    params: ({ id }) => ({ experiment_id: id }),
  }),
  route(`DELETE ${EXPERIMENTS}`, { action: "delete" }),
];

export const ANALYTICS_ROUTES: readonly ConsoleRoute[] = [...RUNS, ...REPORTS, ...DELETIONS];
