/** @module What is being written in the console, and the request that it makes. */
import { parameters, tokenize } from "../../../lib/sql-tokens.ts";
import type { ConsoleRunRecord, QueryPreset, QueryRun } from "../../../services/corrosion/contract.ts";
import { parseValue, type Scalar, typedAs, type Value } from "./values.ts";

export interface Draft {
  /** The one that was chosen; it counts as long as its statement is not changed. */
  readonly preset: QueryPreset | null;
  readonly sql: string;
  readonly mode: "read" | "write";
  /** As it was typed. */
  readonly limit: string;
  /** By the key of their place; kept while a statement is changed. */
  readonly values: Readonly<Record<string, Value>>;
}

/** A parameter that wants a value. */
export interface Place {
  /** `minutes_ago` of a preset, `:name` of a statement, `?3` of its third `?`. */
  readonly key: string;
  /** Presets say which type it has; null: any. */
  readonly type: QueryPreset["params"][number]["type"] | null;
  readonly min?: number;
}

/** What `POST /api/console/run` takes. */
export type RunBody = Omit<QueryRun, "params"> & {
  readonly params?: Readonly<Record<string, Scalar>> | readonly Scalar[];
};

export interface Problems {
  readonly sql: string | null;
  readonly limit: string | null;
  /** By the key of the place. */
  readonly values: Readonly<Record<string, string>>;
}

export const MAX_LIMIT = 5000;
export const MAX_PLACES = 50;
const NO_VALUE: Value = { type: "text", text: "" };

export const EMPTY: Draft = { preset: null, sql: "", mode: "read", limit: "500", values: {} };

/** The draft with a preset in it, its defaults filled in. Presets only read. */
export function withPreset(draft: Draft, preset: QueryPreset): Draft {
  const values = preset.params.map(({ name, type, default: value }): [string, Value] => [
    name,
    { type, text: value === undefined ? "" : String(value) },
  ]);
  return { ...draft, preset, sql: preset.sql ?? "", mode: "read", values: Object.fromEntries(values) };
}

/** The preset that runs; null when the statement is somebody's own. */
export function presetOf({ preset, sql, mode }: Draft): QueryPreset | null {
  return preset !== null && mode === "read" && sql === (preset.sql ?? "") ? preset : null;
}

/** The parameters of what runs, in their order. */
export function placesOf(draft: Draft): readonly Place[] {
  const preset = presetOf(draft);
  if (preset !== null) return preset.params.map(({ name, ...rest }) => ({ ...rest, key: name }));
  const { keys } = keysOf(draft.sql);
  return keys.map((key) => ({ key, type: null }));
}

/** The value that a place has; an empty text when none was given. */
export function valueAt({ values }: Draft, { key, type }: Place): Value {
  const value = Object.hasOwn(values, key) ? values[key]! : NO_VALUE;
  return type === null ? value : { ...value, type };
}

/** The request, or what must be mended before there can be one. */
export function readDraft(
  draft: Draft,
):
  | { readonly kind: "ready"; readonly body: RunBody }
  | { readonly kind: "refused"; readonly problems: Problems } {
  const preset = presetOf(draft);
  const places = placesOf(draft);
  const limit = Number(draft.limit);
  const values: Record<string, Scalar> = {};
  const wrong: Record<string, string> = {};
  for (const place of places) {
    const parsed = parseValue(valueAt(draft, place), place.min);
    if (parsed.kind === "ok") values[place.key] = parsed.value;
    else wrong[place.key] = parsed.problem;
  }
  const problems: Problems = {
    sql: sqlProblem(draft, places),
    limit: /^\d+$/.test(draft.limit.trim()) && limit >= 1 && limit <= MAX_LIMIT ? null : LIMIT,
    values: wrong,
  };
  if (problems.sql !== null || problems.limit !== null || Object.keys(wrong).length > 0) {
    return { kind: "refused", problems };
  }
  const asked = { mode: draft.mode, limit };
  if (preset !== null) return { kind: "ready", body: { ...asked, preset: preset.id, params: values } };
  const { positional } = keysOf(draft.sql);
  const params = positional ? places.map(({ key }) => values[key] ?? null) : values;
  return { kind: "ready", body: { ...asked, sql: draft.sql, ...(places.length > 0 && { params }) } };
}

/** What ran then, to be run again; its preset where there still is one. */
export function fromHistory(draft: Draft, run: ConsoleRunRecord, presets: readonly QueryPreset[]): Draft {
  const preset = presets.find(({ id }) => id === run.preset) ?? null;
  const given = run.params ?? {};
  if (preset !== null) {
    const chosen = withPreset(draft, preset);
    return { ...chosen, values: { ...chosen.values, ...valuesOf(Object.entries(given)) } };
  }
  const values = valuesOf(Array.isArray(given) ? byPosition(run.sql, given) : byName(run.sql, given));
  return { ...draft, preset: null, sql: run.sql, mode: run.mode, values };
}

function byPosition(sql: string, given: readonly unknown[]): (readonly [string, unknown])[] {
  const { names } = parameters(tokenize(sql));
  return given.map((value, i) => [names[i] ?? `?${i + 1}`, value]);
}

/** The node takes a name with and without its sign. */
function byName(sql: string, given: object): (readonly [string, unknown])[] {
  const { keys } = keysOf(sql);
  return Object.entries(given).flatMap(([name, value]) =>
    keys.filter((key) => key === name || key.slice(1) === name).map((key) => [key, value] as const),
  );
}

const LIMIT = `A whole number from 1 to ${MAX_LIMIT.toLocaleString("en")}.`;

function sqlProblem(draft: Draft, places: readonly Place[]): string | null {
  if (presetOf(draft) !== null) return null;
  if (tokenize(draft.sql).length === 0) return "There is no statement: write one, or choose a preset.";
  return places.length > MAX_PLACES ? `The console takes at most ${MAX_PLACES} parameters.` : null;
}

/**
 * Keys of a statement's parameters. With a plain `?` among them they are values by position, and each position has
 * one; without, every name has its value.
 */
function keysOf(sql: string): { readonly keys: readonly string[]; readonly positional: boolean } {
  const tokens = tokenize(sql);
  const positional = tokens.some(({ kind, text }) => kind === "parameter" && text === "?");
  const { names } = parameters(tokens);
  const keys = names.flatMap((name, i) => (name === null && !positional ? [] : [name ?? `?${i + 1}`]));
  return { keys, positional };
}

function valuesOf(entries: readonly (readonly [string, unknown])[]): Record<string, Value> {
  return Object.fromEntries(entries.map(([key, value]) => [key, typedAs(value)]));
}
