/** @module What callers of the Corrosion room are refused with: one class, a stable `type`, its HTTP status. */
import { Errors } from "moleculer";
import { AgentError, type AgentErrorKind } from "./client/errors.ts";

/** Every type with its HTTP status (contract corroport, section 6). */
export const FAILURE_STATUS = {
  agent_unavailable: 503,
  agent_not_managed: 409,
  busy: 409,
  blocked_statement: 400,
  sql_error: 400,
  invalid_request: 400,
  not_found: 404,
  timeout: 504,
  bus_unavailable: 503,
  unknown_node: 404,
  /** The node's own analytics file cannot be used. */
  store_unavailable: 503,
  /** A query that somebody ended. */
  cancelled: 409,
  /** The node cannot say where acknowledgements should go, or which number a message has. */
  send_unavailable: 503,
} as const;

export type FailureType = keyof typeof FAILURE_STATUS;

export interface FailureData {
  /** Of `invalid_request`: what is wrong with each field, a sentence each. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** It crosses the bus as it is: `type` is stable, `code` the HTTP status, the message one sentence for people. */
export class CorrosionError extends Errors.MoleculerError {
  constructor(type: FailureType, message: string, data: FailureData = {}, options: ErrorOptions = {}) {
    super(message, FAILURE_STATUS[type], type, data);
    this.name = "CorrosionError";
    // Stays on the node: the bus carries no causes.
    if (options.cause !== undefined) this.cause = options.cause;
  }
}

/** The type of an error, also of one that came over the bus as a plain error; null when it is none of ours. */
export function failureType(error: unknown): FailureType | null {
  const { type } = (error ?? {}) as { type?: unknown };
  return typeof type === "string" && Object.hasOwn(FAILURE_STATUS, type) ? (type as FailureType) : null;
}

const OF_AGENT: Readonly<Record<AgentErrorKind, FailureType>> = {
  unreachable: "agent_unavailable",
  unauthorized: "agent_unavailable",
  wrong_node: "agent_unavailable",
  overloaded: "agent_unavailable",
  incomplete: "agent_unavailable",
  too_old: "agent_unavailable",
  protocol: "agent_unavailable",
  unknown_subscription: "not_found",
  timeout: "timeout",
  sql: "sql_error",
};

/** The same for a statement that is not the caller's: what the agent says of it is trouble of the agent. */
export function asAgentFailure(error: unknown): unknown {
  if (!(error instanceof AgentError && error.kind === "sql")) return asFailure(error);
  return new CorrosionError("agent_unavailable", error.message, {}, { cause: error });
}

/** An error of the client as the room's own; any other one as it is. */
export function asFailure(error: unknown): unknown {
  if (!(error instanceof AgentError)) return error;
  return new CorrosionError(OF_AGENT[error.kind], error.message, {}, { cause: error });
}
