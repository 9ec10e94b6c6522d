/** @module What goes wrong between a client and its agent: one class, told apart by `kind`. */

export type AgentErrorKind =
  /** No connection, or one that was lost. */
  | "unreachable"
  /** It took longer than it may. */
  | "timeout"
  /** 401: the agent wants another token. */
  | "unauthorized"
  /** 421: another agent listens here. */
  | "wrong_node"
  /** 503: too many requests of this kind at a time. */
  | "overloaded"
  /** The statement's fault, in SQLite's or the agent's words. */
  | "sql"
  /** A 200 that ended before its end mark, or a transaction whose outcome the agent itself does not know. */
  | "incomplete"
  /** 404: the agent keeps no subscription with this id. */
  | "unknown_subscription"
  /** An agent from before 1.0. */
  | "too_old"
  /** An answer that no agent gives. */
  | "protocol";

export interface AgentErrorOptions extends ErrorOptions {
  readonly status?: number;
  readonly mayHaveCommitted?: boolean;
}

/** One sentence that never holds a token or a password. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly kind: AgentErrorKind;
  /** HTTP status of the answer; null when there was none. */
  readonly status: number | null;
  /** Of a transaction: it was sent, and nobody knows whether it was committed. */
  readonly mayHaveCommitted: boolean;

  constructor(kind: AgentErrorKind, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.status = options.status ?? null;
    this.mayHaveCommitted = options.mayHaveCommitted ?? false;
  }
}

/** Whether the same read may well succeed a moment later. */
export function isTransient(error: unknown): boolean {
  return error instanceof AgentError && ["unreachable", "overloaded", "incomplete"].includes(error.kind);
}

/** What the embedded agent says when its writing process ended within a transaction; its answer is a 500 as others. */
export const OUTCOME_UNKNOWN = "whether the transaction was committed is not known";

const OVERLOAD = "max concurrency limit reached";
const QUOTED = 300;

/** The error that an answer other than success means. `agent` is its address without credentials. */
export function errorOfAnswer(agent: string, path: string, status: number, body: string): AgentError {
  const refuse = (kind: AgentErrorKind, message: string) => new AgentError(kind, message, { status });
  const text = body.trim().slice(0, QUOTED);
  if (status === 401) {
    return refuse(
      "unauthorized",
      `the agent at ${agent} refuses the token (401): set CORROSION_API_TOKEN to its bearer token`,
    );
  }
  if (status === 421)
    return refuse("wrong_node", `another agent than the expected one listens at ${agent} (421)`);
  if (status === 503 && body.includes(OVERLOAD)) {
    return refuse(
      "overloaded",
      `the agent at ${agent} has too many requests at a time (${OVERLOAD}): try again`,
    );
  }
  const said = saidBy(body);
  if (status === 404 && path.startsWith("/v1/subscriptions/")) {
    return refuse("unknown_subscription", said ?? `the agent at ${agent} does not know this subscription`);
  }
  if (status === 500 && said?.includes(OUTCOME_UNKNOWN)) {
    return new AgentError("incomplete", `the agent at ${agent}: ${said}`, { status, mayHaveCommitted: true });
  }
  if (said !== null && (status === 400 || status === 500)) return refuse("sql", said);
  return refuse(
    "protocol",
    `the agent at ${agent} answered ${path} with status ${status}, which was not expected${text === "" ? "" : `: ${text}`}`,
  );
}

/** The message of a JSON body `{"error": …}` or of a transaction's failed statement. */
function saidBy(body: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null; // A body in plain words.
  }
  const { error, results } = (parsed ?? {}) as { error?: unknown; results?: unknown };
  if (typeof error === "string") return error;
  if (!Array.isArray(results)) return null;
  const failed: unknown = results.find((result: unknown) => {
    return typeof (result as { error?: unknown } | null)?.error === "string";
  });
  return failed === undefined ? null : sqliteMessage((failed as { error: string }).error);
}

/** `rusqlite: <message> (actor_id: None, version: None)` without its frame. */
function sqliteMessage(error: string): string {
  return error.replace(/^rusqlite: /, "").replace(/ \(actor_id: [^()]*, version: [^()]*\)$/, "");
}
