/** @module A statement's text with its parameters written into it: what a subscription is known by. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Parameters, parameters, statements } from "../../../lib/sql-tokens.ts";
import type { Params, Statement } from "../values.ts";
import { SubscriptionRefused } from "./contract.ts";

/**
 * The text as SQLite expands it. Throws `SubscriptionRefused`: 500 for a text without a statement, 400 with
 * SQLite's message when it cannot be prepared, or when the count of positional parameters is wrong.
 */
export function expand(reader: DatabaseSync, statement: Statement): string {
  const first = statements(statement.sql)[0];
  if (first === undefined || statement.sql.slice(0, first.tokens[0]?.start).includes(";")) {
    throw new SubscriptionRefused(500, "could not expand sql statement");
  }
  const prepared = prepare(reader, statement.sql);
  bind(prepared, statement.params, parameters(first.tokens));
  // SQLite stops at the first statement, and what follows it must still be seen to be refused.
  return prepared.expandedSQL + statement.sql.slice(prepared.sourceSQL.length);
}

/** Prepares on the connection that nothing is ever run on. Throws `SubscriptionRefused` with SQLite's message. */
export function prepare(reader: DatabaseSync, sql: string): StatementSync {
  try {
    return reader.prepare(sql);
  } catch (error) {
    throw new SubscriptionRefused(400, error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

/** An iterator binds when it is made and steps only when it is asked. */
function bind(prepared: StatementSync, params: Params, { count, names }: Parameters): void {
  if (params.kind === "none") return;
  if (params.kind === "named") {
    prepared.setAllowUnknownNamedParameters(true);
    prepared.iterate(Object.fromEntries(params.values)).return?.();
    return;
  }
  const { values } = params;
  if (values.length !== count) {
    const got = Math.min(values.length, count + 1);
    throw new SubscriptionRefused(
      400,
      `Wrong number of parameters passed to query. Got ${got}, needed ${count}`,
    );
  }
  // Binding by position passes over parameters that have a name.
  const isNamed = (at: number): boolean => names[at]?.startsWith("?") === false;
  const named = Object.fromEntries(values.flatMap((value, at) => (isNamed(at) ? [[names[at], value]] : [])));
  prepared.iterate(named, ...values.filter((_, at) => !isNamed(at))).return?.();
}
