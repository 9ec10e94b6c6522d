/** @module The statements of clients: prepared under guard, bound with care, run for their effect. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LRUCache } from "lru-cache";
import {
  bareName,
  keyword,
  type Parameters,
  parameters,
  statements,
  type Token,
} from "../../../lib/sql-tokens.ts";
import type { SqlValue, Statement } from "../values.ts";
import { StatementFailed } from "./contract.ts";
import type { Guard } from "./guard.ts";

/** Prepared statements that are kept. */
const MOST_PREPARED = 512;
const MAX_INTEGER = 2n ** 63n - 1n;

interface Prepared {
  readonly statement: StatementSync;
  readonly parameters: Parameters;
  /** Whether all values can be given by position: binding by position skips parameters that have a name. */
  readonly plain: boolean;
  /** Whether SQLite counts rows for it. */
  readonly counts: boolean;
}

export class ClientStatements {
  readonly #db: DatabaseSync;
  readonly #guard: Guard;
  readonly #prepared = new LRUCache<string, Prepared>({ max: MOST_PREPARED });

  constructor(db: DatabaseSync, guard: Guard) {
    this.#db = db;
    this.#guard = guard;
  }

  /** Rows affected. Throws `StatementFailed`. */
  run({ sql, params }: Statement): number {
    this.#guard.forClient = true;
    this.#guard.refusal = null;
    try {
      const prepared = this.#prepare(sql);
      const { changes } = runBound(prepared, params);
      return prepared.counts ? Number(changes) : 0;
    } catch (error) {
      throw failure(error, this.#guard.refusal);
    } finally {
      this.#guard.forClient = false;
    }
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const [first, ...others] = statements(sql);
    if (!first) throw new StatementFailed("the statement is empty");
    const statement = this.#db.prepare(first.sql);
    if (others.length > 0) throw new StatementFailed("Multiple statements provided");
    if (statement.columns().length > 0) {
      throw new StatementFailed("Execute returned results - did you mean to call query?");
    }
    const table = uniquelyIndexed(first.tokens);
    if (table !== null && this.#guard.isReplicated(table)) {
      throw new StatementFailed(
        `table ${table} is replicated: a unique index on it would refuse what others wrote`,
      );
    }
    const found = parameters(first.tokens);
    const prepared = {
      statement,
      parameters: found,
      plain: !found.names.some(isNamed),
      counts: ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"].includes(keyword(first.tokens[0]) ?? ""),
    };
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}

function runBound(
  { statement, parameters, plain }: Prepared,
  params: Statement["params"],
): { changes: number | bigint } {
  if (params.kind === "named") {
    const named: Record<string, SqlValue> = {};
    for (const [name, value] of params.values) {
      if (!parameters.names.includes(name)) throw new StatementFailed(`Invalid parameter name: ${name}`);
      named[name] = checked(value);
    }
    return params.values.size > 0 ? statement.run(named) : statement.run();
  }
  const values = params.kind === "positional" ? params.values : [];
  const { count, names } = parameters;
  if (values.length !== count) {
    // SQLite's client library stops at the first one too many.
    const got = Math.min(values.length, count + 1);
    throw new StatementFailed(`Wrong number of parameters passed to query. Got ${got}, needed ${count}`);
  }
  for (const value of values) checked(value);
  if (plain) return statement.run(...values);
  const named: Record<string, SqlValue> = {};
  const unnamed: SqlValue[] = [];
  values.forEach((value, i) => {
    const name = names[i];
    if (isNamed(name)) named[name] = value;
    else unnamed.push(value);
  });
  return statement.run(named, ...unnamed);
}

/** The table of a CREATE UNIQUE INDEX; null of any other statement. */
function uniquelyIndexed(tokens: readonly Token[]): string | null {
  if (keyword(tokens[0]) !== "CREATE" || keyword(tokens[1]) !== "UNIQUE") return null;
  const table = tokens[tokens.findIndex((token) => keyword(token) === "ON") + 1];
  return table ? bareName(table) : null;
}

/** Numbered ones count as unnamed. */
function isNamed(name: string | null | undefined): name is string {
  return typeof name === "string" && !name.startsWith("?");
}

function checked(value: SqlValue): SqlValue {
  if (typeof value === "bigint" && (value > MAX_INTEGER || value < -MAX_INTEGER - 1n)) {
    throw new StatementFailed(`integer ${value} does not fit into 64 bits`);
  }
  return value;
}

function failure(error: unknown, refusal: string | null): StatementFailed {
  if (error instanceof StatementFailed) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StatementFailed(refusal ?? message, { cause: error });
}
