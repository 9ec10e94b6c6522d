/** @module What the JSON bodies of an agent say. */
import { AgentError } from "./errors.ts";
import { isObject, type Json, parseJson } from "./json.ts";

export interface TransactionResult {
  readonly results: readonly { readonly rowsAffected: number; readonly seconds: number }[];
  /** The agent's new version; null when no replicated value changed. */
  readonly version: number | bigint | null;
  /** 32 hex digits. */
  readonly actorId: string;
}

export interface HealthNumbers {
  readonly gaps: number;
  /** Alive members beside the agent itself. */
  readonly members: number;
  /** Seconds; null when the agent does not say. */
  readonly p99Lag: number | null;
  readonly queueSize: number;
}

export type Health =
  | { readonly kind: "ok"; readonly numbers: HealthNumbers; readonly program: string | null }
  /** The agent answers, and there was no remote change lately to measure by: not an outage. */
  | { readonly kind: "quiet"; readonly program: string | null }
  /** The agent answers that it is not well. */
  | {
      readonly kind: "failing";
      readonly numbers: HealthNumbers | null;
      readonly reason: string;
      /** What the agent calls itself; only the embedded one does. */
      readonly program: string | null;
    };

const NO_LAG = "no p99 lag information available";

/** Reads the answer to a transaction. Throws `AgentError`. */
export function readTransaction(body: Json): TransactionResult {
  if (!isObject(body) || !Array.isArray(body.results)) throw unexpected("a transaction");
  const results = body.results.map((result: Json) => {
    if (isObject(result) && typeof result.error === "string") throw tooOld();
    if (!isObject(result) || typeof result.rows_affected !== "number") throw unexpected("a transaction");
    return { rowsAffected: result.rows_affected, seconds: Number(result.time) };
  });
  const { version, actor_id: actorId } = body;
  if (typeof actorId !== "string") throw tooOld();
  if (version !== null && typeof version !== "number" && typeof version !== "bigint") {
    throw unexpected("a transaction");
  }
  return { results, version, actorId };
}

/** Rows of the one table that was asked for; null when the agent does not know it. Throws `AgentError`. */
export function readTableStats(body: Json, table: string): number | null {
  if (!isObject(body) || typeof body.total_row_count !== "number" || !Array.isArray(body.invalid_tables)) {
    throw unexpected("table_stats");
  }
  return body.invalid_tables.includes(table) ? null : body.total_row_count;
}

/** Reads a health body, whose status was 200 or not; null when it is none. */
export function readHealth(text: string, ok: boolean): Health | null {
  let body: Json;
  try {
    body = parseJson(text);
  } catch {
    return null; // An overloaded agent, or something before it, answers in plain words.
  }
  if (!isObject(body)) return null;
  const { error, agent, response } = body;
  const program = typeof agent === "string" ? agent : null;
  if (error === NO_LAG) return { kind: "quiet", program };
  if (typeof error === "string") return { kind: "failing", numbers: null, reason: error, program };
  const numbers = numbersOf(response);
  if (numbers === null) return null;
  if (ok) return { kind: "ok", numbers, program };
  return { kind: "failing", numbers, reason: "a figure is beyond its limit", program };
}

function numbersOf(response: Json | undefined): HealthNumbers | null {
  if (!isObject(response)) return null;
  const { gaps, members, p99_lag, queue_size } = response;
  if (typeof gaps !== "number" || typeof members !== "number" || typeof queue_size !== "number") return null;
  return { gaps, members, p99Lag: typeof p99_lag === "number" ? p99_lag : null, queueSize: queue_size };
}

function unexpected(what: string): AgentError {
  return new AgentError("protocol", `the agent answered ${what} in a form that Corrosion 1.0 does not use`);
}

function tooOld(): AgentError {
  return new AgentError("too_old", "the agent is older than Corrosion 1.0, which Fleetport needs: update it");
}
