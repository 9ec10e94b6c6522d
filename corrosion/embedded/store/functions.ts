/** @module The SQL functions that every connection to a store has, the writer's and the readers'. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { SqlValue } from "../values.ts";
import { packColumns } from "./pack.ts";

/** The version of the CRDT tables that consoles ask for. */
const CRSQL_VERSION = 170_000n;

/** What the triggers of replicated tables call; only the writer does anything then. */
export const TRACKERS = ["crsql_track_insert", "crsql_track_update", "crsql_track_delete"] as const;

/**
 * Defines `crsql_site_id`, `crsql_db_version`, `crsql_version`, `crsql_pack_columns` and `corro_json_contains`. The
 * database must have its bookkeeping tables.
 */
export function defineFunctions(db: DatabaseSync): void {
  const site = db.prepare("SELECT site_id FROM main.crsql_site_id WHERE ordinal = 0");
  const version = db.prepare(
    `SELECT v.db_version FROM main.crsql_site_id s JOIN main.crsql_db_versions v ON v.site_id = s.site_id
      WHERE s.ordinal = 0`,
  );
  db.function("crsql_site_id", () => site.get()?.site_id ?? null);
  db.function("crsql_db_version", () => version.get()?.db_version ?? 0n);
  db.function("crsql_version", { deterministic: true }, () => CRSQL_VERSION);
  const pack = (...values: SQLInputValue[]) => packColumns(values as SqlValue[]);
  db.function("crsql_pack_columns", { deterministic: true, useBigIntArguments: true, varargs: true }, pack);
  db.function("corro_json_contains", { deterministic: true }, (selector, object) =>
    contains(parseJson(selector), parseJson(object)) ? 1n : 0n,
  );
}

/**
 * The functions of the triggers, for connections that never fire them: without them not even a statement that is to
 * be refused can be prepared.
 */
export function defineIdleTracking(db: DatabaseSync): void {
  for (const name of TRACKERS) {
    db.function(name, { varargs: true }, () => {
      throw new Error("this connection does not write");
    });
  }
}

type Json = null | boolean | bigint | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Integers and reals stay apart: to the real agent 1 and 1.0 are not equal. */
function parseJson(text: SQLInputValue): Json {
  if (typeof text !== "string") throw new Error("corro_json_contains takes two JSON texts");
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && /^-?[0-9]+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? 0)
      : value,
  ) as Json;
}

/** Every key of an object selector is contained, however deep; anything else must be equal. */
function contains(selector: Json, object: Json): boolean {
  if (!isObject(selector) || !isObject(object)) return equal(selector, object);
  return Object.entries(selector).every(([key, value]) => {
    const other = Object.hasOwn(object, key) ? object[key] : undefined;
    return other !== undefined && contains(value, other);
  });
}

function equal(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item: Json, i) => equal(item, b[i] ?? null));
  }
  if (!isObject(a) || !isObject(b)) return a === b;
  return Object.keys(a).length === Object.keys(b).length && contains(a, b) && contains(b, a);
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
