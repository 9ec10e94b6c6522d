/** @module How failures of the conversations' actions appear in error replies. */
import { Errors } from "moleculer";
import { errorCode, RETRY_AFTER_MS } from "../../../lib/errors.ts";
import type { JsonObject } from "../../conversations/contract.ts";

/** Why a join was refused. */
export interface JoinRefusal {
  readonly reason: "not found" | "unauthorized" | "unavailable" | "too many channels" | "unmatched topic";
}

export interface SendFailure {
  /** Of the error reply. */
  readonly response: JsonObject;
  /** The node is busy for about so many milliseconds: worth an event of its own. */
  readonly busyForMs: number | null;
  /** The error is none of the contract's: somebody should look at it. */
  readonly unexpected: boolean;
}

/** Errors of the bus that come before any handler ran, so that nothing was written. */
const NOT_SENT = [
  Errors.ServiceNotFoundError,
  Errors.ServiceNotAvailableError,
  Errors.RequestSkippedError,
  Errors.QueueIsFullError,
  Errors.BrokerDisconnectedError,
] as const;

/** Whether it is the weather: something is away and will come back, and whoever asked will ask again. */
export function isOutage(error: unknown): boolean {
  return errorCode(error) !== null || error instanceof Errors.MoleculerRetryableError;
}

export function joinRefusal(error: unknown): JoinRefusal {
  if (errorCode(error) === "session_not_found") return { reason: "not found" };
  return { reason: "unavailable" };
}

/** The outcome of a `sessions.messages.append` that threw. Whatever is not known to be unwritten may have been written. */
export function sendFailure(error: unknown): SendFailure {
  const code = errorCode(error);
  if (code === "append_timeout") return { response: TIMEOUT, busyForMs: null, unexpected: false };
  if (code !== null) {
    const fields = detailsOf(error);
    const busyForMs = code === "backpressure" ? (fields.retry_after_ms ?? RETRY_AFTER_MS) : null;
    return { response: { error: code, ...fields }, busyForMs, unexpected: false };
  }
  if (NOT_SENT.some((kind) => error instanceof kind)) {
    const response = { error: "leader_unavailable", retry_after_ms: RETRY_AFTER_MS };
    return { response, busyForMs: null, unexpected: false };
  }
  if (error instanceof Errors.ValidationError) {
    return { response: { error: "invalid_message" }, busyForMs: null, unexpected: false };
  }
  const timedOut =
    error instanceof Errors.RequestTimeoutError || error instanceof Errors.RequestRejectedError;
  return { response: TIMEOUT, busyForMs: null, unexpected: !timedOut };
}

const TIMEOUT: JsonObject = { error: "timeout", may_have_committed: true };

/** The fields of section 5.3 that an error carries; it may have come over the bus. */
function detailsOf(error: unknown): { last_seq?: number; retry_after_ms?: number } {
  const data: unknown = error instanceof Errors.MoleculerError ? error.data : null;
  const fields: { last_seq?: number; retry_after_ms?: number } = {};
  if (typeof data !== "object" || data === null) return fields;
  if ("last_seq" in data && typeof data.last_seq === "number") fields.last_seq = data.last_seq;
  if ("retry_after_ms" in data && typeof data.retry_after_ms === "number") {
    fields.retry_after_ms = data.retry_after_ms;
  }
  return fields;
}
