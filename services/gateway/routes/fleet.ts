/** @module The fleet's routes: sessions, messages, status, health and metrics. Any node answers them. */
import { FleetError } from "../../../lib/errors.ts";
import type { JsonObject } from "../../../lib/json.ts";
import type { CreatedSession, Session } from "../../conversations/contract.ts";
import type { Answer } from "../answer.ts";
import { retryable } from "../http-errors.ts";
import { type ApiRequest, defined, type FleetRoute, pick } from "../route.ts";

interface RouteOf<Result> extends Omit<FleetRoute, "half" | "answer" | "limited"> {
  readonly answer: (result: Result) => Answer;
}

/** `fleet.ops.ready` (contract, section 9). */
interface Readiness {
  readonly status: "ok" | "starting" | "degraded" | "draining";
  readonly reason?: string;
}

/** Metrics as Prometheus reads them, with their content type. */
interface Exposition {
  readonly text: string;
  readonly type: string;
}

/** The result's type is the action's own promise (`contract.ts`). */
function route<Result>(description: RouteOf<Result>): FleetRoute {
  const limited = description.path.startsWith("/api/");
  return { half: "fleet", ...description, limited, answer: (result) => description.answer(result as Result) };
}

/** A route that takes nothing. */
function look<Result>(path: string, action: string, answer: (result: Result) => Answer): FleetRoute {
  const params = () => ({});
  return route<Result>({
    method: "GET",
    path,
    action,
    writes: false,
    invalid: "invalid_parameter",
    params,
    answer,
  });
}

const ok = (body: object): Answer => ({ status: 200, body });

export const FLEET_ROUTES: readonly FleetRoute[] = [
  route({
    method: "GET",
    path: "/api/sessions",
    action: "sessions.list",
    writes: false,
    invalid: "invalid_parameter",
    params: ({ query }) => {
      if (!query.has("user_id")) throw new FleetError("invalid_parameter", "user_id is required");
      return defined({
        user_id: query.text("user_id"),
        status: query.text("status"),
        limit: query.integer("limit"),
        cursor: query.text("cursor"),
      });
    },
    answer: ok,
  }),
  route<CreatedSession>({
    method: "POST",
    path: "/api/sessions",
    action: "sessions.create",
    writes: true,
    invalid: "invalid_session",
    params: ({ body }) => pick(body, ["user_id", "agent_id", "metadata", "id"]),
    answer: ({ session, created }) =>
      created
        ? { status: 201, body: { session }, headers: { location: `/api/sessions/${session.id}` } }
        : ok({ session }),
  }),
  route<Session>({
    method: "GET",
    path: "/api/sessions/:id",
    action: "sessions.get",
    writes: false,
    invalid: "session_not_found",
    params: ({ id }) => ({ id }),
    answer: (session) => ok({ session }),
  }),
  route({
    method: "DELETE",
    path: "/api/sessions/:id",
    action: "sessions.archive",
    writes: true,
    invalid: "session_not_found",
    params: ({ id }) => ({ id }),
    answer: () => ({ status: 204, body: null }),
  }),
  route({
    method: "POST",
    path: "/api/sessions/:id/read",
    action: "sessions.read",
    writes: true,
    invalid: "invalid_read",
    params: ({ id, body }) => ({ ...pick(body, ["user_id", "last_seq"]), id }),
    answer: ok,
  }),
  route({
    method: "GET",
    path: "/api/sessions/:id/messages",
    action: "sessions.messages.list",
    writes: false,
    invalid: "invalid_parameter",
    params: ({ id, query }) => {
      if (query.has("tail") && (query.has("after_seq") || query.has("limit"))) {
        throw new FleetError("invalid_parameter", "tail stands alone, without after_seq and limit");
      }
      return defined({
        session_id: id,
        after_seq: query.integer("after_seq"),
        limit: query.integer("limit"),
        tail: query.integer("tail"),
      });
    },
    answer: ok,
  }),
  route({
    method: "POST",
    path: "/api/sessions/:id/messages",
    action: "sessions.messages.append",
    writes: true,
    invalid: "invalid_message",
    params: appendParams,
    answer: ok,
  }),
  look("/api/fleet/status", "fleet.ops.status", ok),
  route({
    method: "GET",
    path: "/api/fleet/groups/:id",
    action: "fleet.ops.group",
    writes: false,
    invalid: "invalid_parameter",
    params: ({ id }) => ({ group: id }),
    answer: ok,
  }),
  look("/health/live", "gateway.live", ok),
  look<Readiness>("/health/ready", "gateway.ready", (readiness) =>
    retryable({ status: readiness.status === "ok" ? 200 : 503, body: readiness }),
  ),
  look<Exposition>("/metrics", "gateway.metrics", ({ text, type }) => ({
    status: 200,
    body: text,
    headers: { "content-type": type },
  })),
];

const APPEND_FIELDS = [
  "user_id",
  "agent_id",
  "kind",
  "content",
  "metadata",
  "idempotency_key",
  "expected_seq",
] as const;

function appendParams({ id, body, header }: ApiRequest): JsonObject {
  if (Object.hasOwn(body, "sender_id")) {
    throw new FleetError(
      "invalid_message",
      "sender_id is not taken: name the sender by user_id or by agent_id",
    );
  }
  const params = { ...pick(body, APPEND_FIELDS), session_id: id };
  const key = header("idempotency-key");
  if (key === undefined) return params;
  if (Object.hasOwn(body, "idempotency_key") && body.idempotency_key !== key) {
    throw new FleetError(
      "invalid_message",
      "the Idempotency-Key header differs from the body's idempotency_key",
    );
  }
  return { ...params, idempotency_key: key };
}
