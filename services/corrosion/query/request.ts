/** @module What a request to run something asks for, checked. */

import type { Param, Statement } from "../../../lib/corrosion/client/statement.ts";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { Token } from "../../../lib/sql-tokens.ts";
import type { QueryPreset, QueryRun } from "../contract.ts";
import { judge, type Mode } from "./blocked.ts";
import { PRESETS } from "./presets.ts";

export interface RunRequest {
  readonly preset: QueryPreset | null;
  /** Null for what the node answers by the agent's API. */
  readonly statement: Statement | null;
  /** As it stands in the history. */
  readonly sql: string;
  readonly mode: Mode;
  readonly limit: number;
}

export const DEFAULT_LIMIT = 500;
export const MAX_LIMIT = 5000;
const MAX_SQL = 64 * 1024;
/** From here on JSON writes numbers with an exponent, so that they are real ones for the agent. */
const EXPONENT_FROM = 1e21;

type Values = NonNullable<QueryRun["params"]>;
type Fields = Record<string, string>;

/** Reads a request. Throws `invalid_request` with the fields that are wrong, and `blocked_statement`. */
export function readRun(request: QueryRun): RunRequest {
  const fields: Fields = {};
  const run = given(request);
  const { limit = DEFAULT_LIMIT, mode = "read" } = run;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    fields.limit = `must be a whole number from 1 to ${MAX_LIMIT}`;
  }
  if (mode !== "read" && mode !== "write") fields.mode = "must be read or write";
  if ((run.preset === undefined) === (run.sql === undefined)) {
    fields.sql = "either a preset or a statement runs: give one of them";
  }
  const preset = run.preset === undefined ? null : presetOf(run.preset, fields);
  if (preset && mode === "write") fields.mode = "presets only read";
  if (run.sql !== undefined && run.sql.length > MAX_SQL)
    fields.sql = `must have at most ${MAX_SQL} characters`;
  if (run.params !== undefined && typeof run.params !== "object")
    fields.params = "must be a list of values, or an object of named ones";
  refuse(fields);

  const sql = preset ? preset.sql : (run.sql ?? "");
  if (sql === null) return { preset, statement: null, sql: preset?.id ?? "", mode, limit };
  const verdict = judge(sql, mode);
  if (verdict.kind === "blocked") throw new CorrosionError("blocked_statement", verdict.reason);
  const values = preset ? presetValues(preset, run.params, fields) : (run.params ?? {});
  refuse(fields);
  const params = bind(values, verdict.tokens, fields);
  refuse(fields);
  return { preset, statement: [sql, params] as Statement, sql, mode, limit };
}

/** The bus takes null for any field that may be absent, and so does this. */
function given(request: QueryRun): QueryRun {
  const fields = Object.entries(request).filter(([, value]) => value !== null);
  return Object.fromEntries(fields) as QueryRun;
}

function presetOf(id: string, fields: Fields): QueryPreset | null {
  const preset = PRESETS.find((one) => one.id === id) ?? null;
  if (!preset) fields.preset = `must be one of ${PRESETS.map((one) => one.id).join(", ")}`;
  return preset;
}

/** Values for a preset's parameters, its defaults among them. */
function presetValues(
  preset: QueryPreset,
  given: Values | undefined,
  fields: Fields,
): Record<string, number | string> {
  const values: Record<string, number | string> = {};
  const named = given !== undefined && !isList(given) ? given : {};
  if (given !== undefined && isList(given) && given.length > 0)
    fields.params = "must be an object of named values";
  for (const name of Object.keys(named)) {
    if (!preset.params.some((param) => param.name === name))
      fields[name] = `${preset.id} has no such parameter`;
  }
  for (const { name, type, min, default: standard } of preset.params) {
    const value = Object.hasOwn(named, name) ? named[name] : standard;
    if (value === undefined) fields[name] = "must be given";
    else if (type === "text" && typeof value !== "string") fields[name] = "must be a text";
    else if (type === "integer" && !Number.isSafeInteger(value)) fields[name] = "must be a whole number";
    else if (min !== undefined && Number(value) < min) fields[name] = `must be at least ${min}`;
    else values[name] = value;
  }
  return values;
}

/** Values as the agent binds them: as many as there are places, names with their prefix. */
function bind(
  values: Values,
  tokens: readonly Token[],
  fields: Fields,
): readonly Param[] | Record<string, Param> {
  const places = new Set(tokens.filter(({ kind }) => kind === "parameter").map(({ text }) => text));
  if (isList(values)) {
    for (const [i, value] of values.entries()) check(`params[${i}]`, value, fields);
    return values;
  }
  const bound: Record<string, Param> = {};
  for (const [name, value] of Object.entries(values)) {
    check(name, value, fields);
    const matching = [name, `:${name}`, `@${name}`, `$${name}`].filter((place) => places.has(place));
    if (matching.length === 0) fields[name] = "the statement has no such parameter";
    for (const place of matching) bound[place] = value;
  }
  for (const place of places) {
    // SQLite would take NULL for it, which nobody asked for.
    if (!Object.hasOwn(bound, place)) fields[place] = "must be given";
  }
  return bound;
}

function check(name: string, value: unknown, fields: Fields): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    fields[name] = "must be a text, a finite number, a boolean or null";
  } else if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < EXPONENT_FROM) {
    // Another number was meant, perhaps: who asked cannot be asked back, and would get the wrong row.
    fields[name] = "is beyond 2^53, where a number of JSON loses digits: cast a text, as CAST(? AS INTEGER)";
  }
}

function isList(values: Values): values is Extract<Values, readonly unknown[]> {
  return Array.isArray(values);
}

function refuse(fields: Fields): void {
  const wrong = Object.entries(fields);
  if (wrong.length === 0) return;
  const sentence = wrong.map(([name, problem]) => `${name} ${problem}`).join("; ");
  throw new CorrosionError("invalid_request", `The query was not run: ${sentence}.`, { fields });
}
