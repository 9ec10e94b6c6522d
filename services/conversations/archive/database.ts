/** @module The archive's connections: a bounded pool, with limits on every wait and errors in the archive's terms. */
import pg from "pg";
import { ArchiveDataError, asArchiveError } from "./errors.ts";

export interface DatabaseOptions {
  /** `postgres://…`, as `pg` takes it. */
  readonly url: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** Longest wait for a connection, a free one or a new one. */
  readonly connectTimeoutMs: number;
  /** Longest time that one statement may take. */
  readonly statementTimeoutMs: number;
}

/** Runs one statement. The caller says what a row looks like; `bigint` comes as a number, `timestamptz` is never read. */
export type Query = <Row extends pg.QueryResultRow>(
  text: string,
  values?: readonly unknown[],
) => Promise<{ readonly rows: Row[]; readonly count: number }>;

/** When the server does not keep its own limit, because it is stopped or out of reach. */
const MARGIN_MS = 500;
/** How long `close` lets running calls go on. */
const CLOSE_GRACE_MS = 1000;
const INT8 = pg.types.builtins.INT8;

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === INT8 ? safeInteger : pg.types.getTypeParser(oid, format),
};

/** Every bigint of the archive is a seq, an index, or a time in microseconds; none of them passes 2^53 in earnest. */
function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    const place = { table: "(unknown)", session: null, seq: null };
    throw new ArchiveDataError(place, `the number ${text} is too large`);
  }
  return value;
}

export class Database {
  readonly #pool: pg.Pool;
  readonly #busy = new Set<pg.PoolClient>();
  #closed: Promise<void> | null = null;

  constructor(options: DatabaseOptions) {
    const { url, poolSize, connectTimeoutMs, statementTimeoutMs } = options;
    this.#pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + MARGIN_MS,
      // A writer that was paused in the middle of a transaction must not block the next leader's.
      idle_in_transaction_session_timeout: statementTimeoutMs,
      application_name: "fleetport",
      keepAlive: true,
      types,
    });
    // A connection that breaks while nobody waits for its answer leaves the pool by itself, and the next call gets
    // another one. Even before its first use it may have said so: the listener comes first.
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
    this.#pool.on("error", () => undefined);
  }

  /** Runs statements on one connection. Throws `ArchiveUnavailable` and `ArchiveDataError`. */
  async run<T>(body: (query: Query) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw asArchiveError(error);
    }
    let failure: unknown;
    this.#busy.add(client);
    try {
      return await body(async (text, values) => {
        const { rows, rowCount } = await client.query(text, values === undefined ? undefined : [...values]);
        return { rows, count: rowCount ?? 0 };
      });
    } catch (error) {
      failure = asArchiveError(error);
      throw failure;
    } finally {
      this.#busy.delete(client);
      // Whatever state an open transaction or a late answer left: after a failure a connection is not used again.
      client.release(failure !== undefined);
    }
  }

  /** Runs statements in one transaction, read committed; all of them happen or none. */
  transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
    return this.run(async (query) => {
      await query("begin");
      const result = await body(query);
      await query("commit");
      return result;
    });
  }

  /** Lets running calls end for a moment, then ends them as unavailable. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const ended = this.#pool.end();
    const timer = setTimeout(() => {
      // A client that waits for an answer drops its connection at once.
      for (const client of this.#busy) void client.end();
    }, CLOSE_GRACE_MS);
    await ended;
    clearTimeout(timer);
  }
}
