/** @module The client of an agent's HTTP API, real or embedded: queries, transactions, streams, health. */
import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Health,
  readHealth,
  readTableStats,
  readTransaction,
  type TransactionResult,
} from "./answers.ts";
import { Deadline } from "./deadline.ts";
import { AgentError, errorOfAnswer, isTransient, OUTCOME_UNKNOWN } from "./errors.ts";
import { events } from "./event-stream.ts";
import { type Cell, parseEvent, parseUpdate, type SubscriptionEvent, type UpdateEvent } from "./events.ts";
import { parseJson } from "./json.ts";
import type {
  AgentStream,
  CallOptions,
  ClientOptions,
  QueryOptions,
  QueryResult,
  StreamOptions,
  SubscribeOptions,
} from "./options.ts";
import { encodeStatement, type Statement } from "./statement.ts";
import { type AgentRequest, Transport } from "./transport.ts";

export type * from "./options.ts";

const TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 2000;
const READ_RETRY_MS = [100, 300];

export class CorrosionClient {
  readonly #transport: Transport;
  readonly #timeoutMs: number;

  /** Throws when the URL is none. */
  constructor(options: ClientOptions) {
    this.#transport = new Transport({ connectTimeoutMs: CONNECT_TIMEOUT_MS, ...options });
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  /** Host and port of the agent, for messages. */
  get agent(): string {
    return this.#transport.agent;
  }

  /**
   * All rows of a reading statement, up to the limit. What may be better a moment later is tried twice more. Throws
   * `AgentError`: an answer that is not whole is an error, never a shorter result.
   */
  async query(statement: Statement, options: QueryOptions = {}): Promise<QueryResult> {
    using deadline = this.#deadline(options);
    return await this.#retried(deadline, async () => {
      let columns: readonly string[] = [];
      const rows: (readonly Cell[])[] = [];
      for await (const event of this.#queryEvents(statement, deadline, options)) {
        if (event.kind === "columns") columns = event.columns;
        if (event.kind !== "row") continue;
        if (rows.length === options.limit) return { columns, rows, truncated: true };
        rows.push(event.cells);
      }
      return { columns, rows, truncated: false };
    });
  }

  /** As `query`, row by row and tried once; the time counts until the last row. */
  async *stream(statement: Statement, options: CallOptions = {}): AsyncGenerator<readonly Cell[], void> {
    using deadline = this.#deadline(options);
    for await (const event of this.#queryEvents(statement, deadline, options)) {
      if (event.kind === "row") yield event.cells;
    }
  }

  /**
   * Runs writing statements, all or none. Tried once. Throws `AgentError`; with `mayHaveCommitted` nobody knows the
   * outcome, else nothing was written.
   */
  async transact(statements: readonly Statement[], options: CallOptions = {}): Promise<TransactionResult> {
    using deadline = this.#deadline(options);
    let sent = false;
    const body = `[${statements.map(encodeStatement).join(",")}]`;
    const path = `/v1/transactions?timeout=${seconds(options.timeoutMs ?? this.#timeoutMs)}`;
    try {
      const onSent = () => {
        sent = true;
      };
      const text = await this.#text({ method: "POST", path, body, onSent }, deadline);
      return readTransaction(this.#parsed(text, path));
    } catch (error) {
      const uncertain =
        error instanceof AgentError && ["unreachable", "timeout", "protocol"].includes(error.kind);
      // A status other than 200 says that nothing was kept, or that it is not known.
      if (!uncertain || !sent || error.status !== null) throw error;
      throw new AgentError(error.kind, `${error.message}; ${OUTCOME_UNKNOWN}`, {
        cause: error,
        mayHaveCommitted: true,
      });
    }
  }

  /** Opens a subscription, or joins the one that there is for this very text. Throws `AgentError`. */
  subscribe(statement: Statement, options: SubscribeOptions = {}): Promise<AgentStream<SubscriptionEvent>> {
    const path = `/v1/subscriptions${subscriptionQuery(options)}`;
    return this.#open({ method: "POST", path, body: encodeStatement(statement) }, parseEvent, options);
  }

  /** Goes on with a subscription. Throws `AgentError`, `unknown_subscription` when the agent has not kept it. */
  resume(id: string, options: SubscribeOptions = {}): Promise<AgentStream<SubscriptionEvent>> {
    const path = `/v1/subscriptions/${encodeURIComponent(id)}${subscriptionQuery(options)}`;
    return this.#open({ method: "GET", path }, parseEvent, options);
  }

  /** Which rows of a table change from now on, by their keys. Throws `AgentError`. */
  updates(table: string, options: StreamOptions = {}): Promise<AgentStream<UpdateEvent>> {
    const path = `/v1/updates/${encodeURIComponent(table)}`;
    return this.#open({ method: "POST", path }, parseUpdate, options);
  }

  /** Rows of each table; null for one that the agent does not know. Throws `AgentError`. */
  async tableStats(
    tables: readonly string[],
    options: CallOptions = {},
  ): Promise<ReadonlyMap<string, number | null>> {
    using deadline = this.#deadline(options);
    const path = "/v1/table_stats";
    const counts = new Map<string, number | null>();
    // The agent adds all tables of a request together, and takes few requests at a time.
    for (const table of tables) {
      const body = JSON.stringify({ tables: [table] });
      const text = await this.#retried(deadline, () => this.#text({ method: "POST", path, body }, deadline));
      counts.set(table, readTableStats(this.#parsed(text, path), table));
    }
    return counts;
  }

  /** What the agent says of itself; a quiet cluster is no outage. Throws `AgentError`, `too_old` before 1.0. */
  async health(options: CallOptions = {}): Promise<Health> {
    using deadline = this.#deadline(options);
    const path = "/v1/health";
    return await this.#retried(deadline, async () => {
      const answer = await this.#transport.send({ method: "GET", path, signal: deadline.signal });
      const status = answer.statusCode ?? 0;
      const body = await this.#transport.text(answer, deadline.signal);
      if (status === 404) {
        throw new AgentError(
          "too_old",
          `the agent at ${this.agent} is older than Corrosion 1.0, which Fleetport needs: update it`,
          { status },
        );
      }
      const health = status === 401 || status === 421 ? null : readHealth(body, status === 200);
      if (health === null) throw errorOfAnswer(this.agent, path, status, body);
      return health;
    });
  }

  /** Resolves when the agent answers `SELECT 1`. Tried once. Throws `AgentError`. */
  async ping(options: CallOptions = {}): Promise<void> {
    using deadline = this.#deadline(options);
    for await (const _event of this.#queryEvents("SELECT 1", deadline, options)) {
      // Only that it gets to its end counts.
    }
  }

  #deadline({ timeoutMs = this.#timeoutMs, signal }: CallOptions): Deadline {
    const expired = () =>
      new AgentError("timeout", `the agent at ${this.agent} did not answer within ${timeoutMs} ms`);
    return new Deadline(timeoutMs, expired, signal);
  }

  async #retried<T>({ signal }: Deadline, attempt: () => Promise<T>): Promise<T> {
    for (const waitMs of READ_RETRY_MS) {
      try {
        return await attempt();
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
      await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
    return attempt();
  }

  async *#queryEvents(
    statement: Statement,
    { signal }: Deadline,
    { timeoutMs = this.#timeoutMs }: CallOptions,
  ): AsyncGenerator<SubscriptionEvent, void> {
    const path = `/v1/queries?timeout=${seconds(timeoutMs)}`;
    const answer = await this.#ok({ method: "POST", path, body: encodeStatement(statement), signal });
    for await (const event of events(this.#transport, answer, signal, parseEvent)) {
      if (event.kind === "error") {
        if (event.message !== "interrupted") throw new AgentError("sql", event.message);
        throw new AgentError(
          "timeout",
          `the agent at ${this.agent} interrupted the statement: it took too long`,
        );
      }
      yield event;
      if (event.kind === "eoq") return;
    }
    throw new AgentError(
      "incomplete",
      `the agent at ${this.agent} ended its answer before the end of the query`,
    );
  }

  async #open<E>(
    request: Omit<AgentRequest, "signal">,
    parse: (line: string) => E,
    { signal }: StreamOptions,
  ): Promise<AgentStream<E>> {
    const closed = new AbortController();
    const either = signal ? AbortSignal.any([signal, closed.signal]) : closed.signal;
    const deadline = this.#deadline({ signal: either });
    try {
      const answer = await this.#ok({ ...request, signal: deadline.signal });
      deadline.disarm();
      answer.once("close", () => deadline[Symbol.dispose]());
      const id = header(answer, "corro-query-id");
      if (id === null) {
        answer.destroy();
        throw new AgentError("protocol", `the agent at ${this.agent} opened a stream without corro-query-id`);
      }
      return {
        id,
        hash: header(answer, "corro-query-hash"),
        events: events(this.#transport, answer, deadline.signal, parse),
        close: (reason = new AgentError("unreachable", "the stream was closed here")) => closed.abort(reason),
      };
    } catch (error) {
      deadline[Symbol.dispose]();
      throw error;
    }
  }

  async #text(request: Omit<AgentRequest, "signal">, { signal }: Deadline): Promise<string> {
    return this.#transport.text(await this.#ok({ ...request, signal }), signal);
  }

  /** The answer, if its status is 200. */
  async #ok(request: AgentRequest): Promise<IncomingMessage> {
    const answer = await this.#transport.send(request);
    if (answer.statusCode === 200) return answer;
    const body = await this.#transport.text(answer, request.signal);
    throw errorOfAnswer(this.agent, request.path, answer.statusCode ?? 0, body);
  }

  #parsed(text: string, path: string) {
    try {
      return parseJson(text);
    } catch (error) {
      throw new AgentError("protocol", `the agent at ${this.agent} answered ${path} with no JSON`, {
        cause: error,
      });
    }
  }
}

function header(answer: IncomingMessage, name: string): string | null {
  const value = answer.headers[name];
  return typeof value === "string" ? value : null;
}

/** For the agent's own limit, which takes whole seconds. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

function subscriptionQuery({ from, skipRows }: SubscribeOptions): string {
  const query = new URLSearchParams();
  if (from !== undefined) query.set("from", String(from));
  if (skipRows !== undefined) query.set("skip_rows", String(skipRows));
  return query.size === 0 ? "" : `?${query}`;
}
