/** @module A statement's parameters counted and bound as SQLite numbers them; node:sqlite alone would guess. */
import type { SQLInputValue } from "node:sqlite";
import { type Parameters, parameters, tokenize } from "../../../lib/sql-tokens.ts";
import type { Params, SqlValue } from "../values.ts";

/** The parameters do not fit the statement; the message is the client's. */
export class WrongParameters extends Error {
  override name = "WrongParameters";
}

/**
 * The arguments with which a prepared statement binds what the client gave, e.g. `statement.iterate(...arguments)`.
 * Bare names must be off. Throws `WrongParameters`.
 */
export function bindArguments(
  sql: string,
  params: Params,
): readonly [Record<string, SQLInputValue>, ...SQLInputValue[]] {
  const slots = parameters(tokenize(sql));
  if (params.kind === "named") return [byName(slots, params.values)];
  return byPosition(slots, params.kind === "none" ? [] : params.values);
}

function byName(slots: Parameters, values: ReadonlyMap<string, SqlValue>): Record<string, SQLInputValue> {
  for (const name of values.keys()) {
    if (!slots.names.includes(name)) throw new WrongParameters(`Invalid parameter name: ${name}`);
  }
  return Object.fromEntries(values);
}

function byPosition(
  slots: Parameters,
  values: readonly SqlValue[],
): [Record<string, SQLInputValue>, ...SQLInputValue[]] {
  if (values.length !== slots.count) {
    // With too many, SQLite stops at the first one for which there is no place.
    const got = Math.min(values.length, slots.count + 1);
    throw new WrongParameters(
      `Wrong number of parameters passed to query. Got ${got}, needed ${slots.count}`,
    );
  }
  const named: Record<string, SQLInputValue> = {};
  const anonymous: SQLInputValue[] = [];
  for (const [i, name] of slots.names.entries()) {
    const value = values[i] as SqlValue;
    if (name === null || name.startsWith("?")) anonymous.push(value);
    else named[name] = value;
  }
  return [named, ...anonymous];
}
