/** @module Errors that callers see: one class, a stable `type` from the contract, and its HTTP status. */
import { Errors } from "moleculer";

/** Every error code of the contract with the HTTP status that it has. */
export const STATUS = {
  invalid_parameter: 400,
  invalid_session: 422,
  invalid_message: 422,
  invalid_read: 422,
  content_too_large: 413,
  backpressure: 429,
  rate_limited: 429,
  leader_unavailable: 503,
  archive_unavailable: 503,
  session_not_found: 404,
  session_exists: 409,
  not_participant: 403,
  session_archived: 409,
  expected_seq_conflict: 409,
  append_timeout: 504,
  unknown_node: 404,
  no_other_node: 409,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** Fields that go into the answer beside `error` and `code`. */
export interface ErrorDetails {
  readonly last_seq?: number;
  readonly may_have_committed?: true;
  readonly retry_after_ms?: number;
}

/** After how long a caller should try again when nothing better is known. */
export const RETRY_AFTER_MS = 1000;

/**
 * An outcome of the contract's error tables. It crosses the bus as it is: `type` is the contract's code,
 * `code` the HTTP status, `data` the extra fields of the answer; the message is for people.
 */
export class FleetError extends Errors.MoleculerError {
  constructor(type: ErrorCode, message: string, data: ErrorDetails = {}, options: ErrorOptions = {}) {
    const retry = STATUS[type] === 429 || STATUS[type] === 503 ? { retry_after_ms: RETRY_AFTER_MS } : {};
    super(message, STATUS[type], type, { ...retry, ...data });
    this.name = "FleetError";
    // Stays on the node: the bus carries no causes.
    if (options.cause !== undefined) this.cause = options.cause;
  }
}

/** The contract's code of an error, also of one that came over the bus as a plain error; null when it is none of ours. */
export function errorCode(error: unknown): ErrorCode | null {
  const { type } = (error ?? {}) as { type?: unknown };
  return typeof type === "string" && Object.hasOwn(STATUS, type) ? (type as ErrorCode) : null;
}
