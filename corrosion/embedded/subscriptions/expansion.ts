/** @module A statement's text with its parameters written into it: what a subscription is known by. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Params, SqlValue, Statement } from "../values.ts";
import { SubscriptionRefused } from "./contract.ts";
import { tokenize } from "./tokens.ts";

/**
 * The text as SQLite expands it. Throws `SubscriptionRefused`: 500 for a text without a statement, 400 with
 * SQLite's message when it cannot be prepared, or when the count of positional parameters is wrong.
 */
export function expand(reader: DatabaseSync, statement: Statement): string {
  const tokens = tokenize(statement.sql);
  if (tokens[0] === undefined || tokens[0].text === ";") {
    throw new SubscriptionRefused(500, "could not expand sql statement");
  }
  const prepared = prepare(reader, statement.sql);
  const stop = tokens.find((token) => token.text === ";")?.start ?? statement.sql.length;
  const parameters = tokens.filter((token) => token.kind === "parameter" && token.start < stop);
  bind(prepared, statement.params, parameterCount(parameters.map((token) => token.text)));
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

/** As SQLite counts: the highest number given or taken. */
function parameterCount(texts: readonly string[]): number {
  const named = new Set<string>();
  let highest = 0;
  for (const text of texts) {
    if (text.startsWith("?")) highest = text === "?" ? highest + 1 : Math.max(highest, Number(text.slice(1)));
    else if (!named.has(text)) {
      named.add(text);
      highest += 1;
    }
  }
  return highest;
}

/** An iterator binds when it is made and steps only when it is asked. */
function bind(prepared: StatementSync, params: Params, needed: number): void {
  if (params.kind === "named") {
    prepared.setAllowUnknownNamedParameters(true);
    prepared.iterate(Object.fromEntries(params.values)).return?.();
    return;
  }
  const values: readonly SqlValue[] = params.kind === "positional" ? params.values : [];
  if (params.kind === "positional" && values.length !== needed) {
    const got = Math.min(values.length, needed + 1);
    throw new SubscriptionRefused(
      400,
      `Wrong number of parameters passed to query. Got ${got}, needed ${needed}`,
    );
  }
  prepared.iterate(...values).return?.();
}
