/** @module Failures as HTTP answers: the one place where an error becomes a status and a body. */
import { Errors } from "moleculer";
import ApiGateway from "moleculer-web";
import { type ErrorCode, type ErrorDetails, RETRY_AFTER_MS, STATUS } from "../../lib/errors.ts";
import type { Answer } from "./answer.ts";
import { badRequest, consoleAnswer, consoleFailure, plainAnswer } from "./console-errors.ts";

/** The request itself cannot be served, whatever the services say: `{"errors":{"detail":…}}`. */
export class RequestRefused extends Error {
  override name = "RequestRefused";
  readonly status: number;

  constructor(status: 400 | 404 | 408 | 415 | 431, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.status = status;
  }
}

/** What was asked, as far as it decides how a failure is answered. */
export type Attempt = {
  /** Whether it changes something, so that a lost answer leaves the outcome open. */
  readonly writes: boolean;
} & (
  | {
      readonly half: "fleet";
      /** What a refusal of its params by the bus is called. */
      readonly invalid: ErrorCode;
    }
  | {
      readonly half: "console" | "stream";
      /** Whether failures read `{error}` alone. */
      readonly plainErrors?: boolean;
    }
);

/** Errors of Moleculer after which nothing can have been done. */
const NOT_DONE = new Set(["SERVICE_NOT_FOUND", "SERVICE_NOT_AVAILABLE", "QUEUE_FULL"]);
/** Errors of Moleculer after which it may have been done: the answer is missing, not the deed. */
const UNSETTLED = new Set(["REQUEST_TIMEOUT", "REQUEST_REJECTED", "REQUEST_SKIPPED", "BAD_GATEWAY"]);

/** What both halves answer to a path that is none. */
export const NOT_FOUND = "Not Found";

/**
 * The answer to a failed request; null when the failure is none that anybody foresaw (then answer
 * `internalError` and log the cause). `attempt` is null before a route was found.
 */
export function errorAnswer(error: unknown, attempt: Attempt | null): Answer | null {
  if (!(error instanceof Error)) return null;
  if (attempt === null || attempt.half === "fleet") return fleetFailure(error, attempt);
  const answer = consoleRouteFailure(error, attempt);
  return answer && attempt.plainErrors ? plainAnswer(answer) : answer;
}

/** What is answered to a failure that nobody foresaw. */
export function internalError(attempt: Attempt | null): Answer {
  if (attempt === null || attempt.half === "fleet") return INTERNAL_ERROR;
  const answer = consoleAnswer(500, "internal_error", "internal error");
  return attempt.plainErrors ? plainAnswer(answer) : answer;
}

function fleetFailure(error: Error, attempt: Attempt | null): Answer | null {
  if (error instanceof RequestRefused) {
    return { status: error.status, body: { errors: { detail: error.message } } };
  }
  // Not `instanceof`: an error that came over the bus is a plain Error with these fields.
  const type = typeOf(error);
  if (isErrorCode(type)) return fleetAnswer(type, error.message, detailsOf(error));
  if (type === MALFORMED_PATH) {
    return { status: 400, body: { errors: { detail: "the path has a malformed percent-encoding" } } };
  }
  if (error instanceof Errors.ValidationError && attempt?.half === "fleet") {
    return fleetAnswer(attempt.invalid, error.message);
  }
  if (notDone(error, type)) {
    return fleetAnswer("leader_unavailable", "no node can serve this at the moment; nothing was done");
  }
  if (UNSETTLED.has(type)) {
    return attempt?.writes
      ? fleetAnswer(
          "append_timeout",
          "no outcome in time: it may have been done; retry with the same idempotency key",
          { may_have_committed: true },
        )
      : fleetAnswer("leader_unavailable", "no answer in time; nothing was changed");
  }
  return null;
}

function consoleRouteFailure(error: Error, { writes }: Attempt): Answer | null {
  if (error instanceof RequestRefused) {
    return error.status === 415
      ? consoleAnswer(415, "unsupported_encoding", error.message)
      : badRequest({ body: error.message });
  }
  const type = typeOf(error);
  if (type === MALFORMED_PATH) return badRequest({ path: "has a malformed percent-encoding" });
  if (notDone(error, type)) {
    const text = "this part of the node does not run at the moment; nothing was done: try again soon";
    return retryable(consoleAnswer(503, "service_unavailable", text));
  }
  if (UNSETTLED.has(type)) {
    const outcome = writes ? "it may have been done: look before you try again" : "nothing was changed";
    return consoleAnswer(504, "timeout", `no answer in time; ${outcome}`);
  }
  const answer = consoleFailure(error);
  return answer && retryable(answer, detailsOf(error).retry_after_ms);
}

const MALFORMED_PATH = "UNABLE_DECODE_PARAM";

function typeOf(error: Error): string {
  return "type" in error && typeof error.type === "string" ? error.type : "";
}

function notDone(error: Error, type: string): boolean {
  // The first is moleculer-web's own word for an action that no node offers.
  return error instanceof ApiGateway.Errors.ServiceUnavailableError || NOT_DONE.has(type);
}

const INTERNAL_ERROR: Answer = {
  status: 500,
  body: { error: "internal error", code: "internal_error" },
};

function isErrorCode(type: string): type is ErrorCode {
  return Object.hasOwn(STATUS, type);
}

/** The extra fields that an error of ours carries; anything else in `data` stays inside. */
function detailsOf(error: Error): ErrorDetails {
  const data: unknown = "data" in error ? error.data : null;
  if (typeof data !== "object" || data === null) return {};
  return {
    ...("last_seq" in data && typeof data.last_seq === "number" ? { last_seq: data.last_seq } : {}),
    ...("may_have_committed" in data && data.may_have_committed === true
      ? { may_have_committed: true as const }
      : {}),
    ...("retry_after_ms" in data && typeof data.retry_after_ms === "number"
      ? { retry_after_ms: data.retry_after_ms }
      : {}),
  };
}

function fleetAnswer(code: ErrorCode, text: string, details: ErrorDetails = {}): Answer {
  return retryable({ status: STATUS[code], body: { error: text, code, ...details } });
}

/** Gives every 429 and 503 its header `Retry-After` (whole seconds) and `retry_after_ms`. */
export function retryable(answer: Answer, afterMs = RETRY_AFTER_MS): Answer {
  const { status, body, headers } = answer;
  if ((status !== 429 && status !== 503) || typeof body !== "object" || body === null) return answer;
  const given = "retry_after_ms" in body ? body.retry_after_ms : undefined;
  const retry_after_ms = typeof given === "number" ? given : afterMs;
  const seconds = Math.max(1, Math.ceil(retry_after_ms / 1000));
  return {
    status,
    body: { ...body, retry_after_ms },
    headers: { ...headers, "retry-after": String(seconds) },
  };
}
