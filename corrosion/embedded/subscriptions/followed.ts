/** @module A subscription's statement made ready: which tables change it, and the queries that look again. */
import { constants, type DatabaseSync } from "node:sqlite";
import { quoted, sqlString } from "../../../lib/sql-tokens.ts";
import type { ReplicatedTable } from "../store/contract.ts";
import { packColumns, unpackColumns } from "../store/pack.ts";
import type { SqlValue } from "../values.ts";
import { prepare } from "./expansion.ts";
import { notInSchema } from "./from-clause.ts";
import { type Aggregates, parseSelect, type Select, type Source } from "./select.ts";

/** Table functions that read nothing but their arguments. */
const PURE_TABLE_FUNCTIONS: ReadonlySet<string> = new Set(["json_each", "json_tree"]);

export interface FollowedSource {
  readonly table: ReplicatedTable;
  readonly alias: string;
  /**
   * Whether a changed row can only change results in which it takes part. A table on the far side of an outer
   * join also changes results where nothing stands in its place.
   */
  readonly pinnable: boolean;
}

export interface Followed {
  readonly sql: string;
  readonly columns: readonly string[];
  readonly sources: readonly FollowedSource[];
  /** Lower-case names of tables of which any change asks for the whole query again. */
  readonly wholeTables: ReadonlySet<string>;
  /** The whole query, its cells followed by the keys of all sources. */
  readonly whole: string;
  /** The same, of those results in which one of these packed keys takes part: one list a source. */
  pinned(keys: readonly (readonly Uint8Array[])[]): string;
}

/** A result's identity, one packed key a source (empty where an outer join found nothing), and its cells. */
export interface ResultRow {
  readonly keys: readonly Uint8Array[];
  readonly cells: readonly SqlValue[];
}

/** What the statement's text means with these tables. Throws `SubscriptionRefused` with the contract's message. */
export function follow(
  reader: DatabaseSync,
  tables: readonly ReplicatedTable[],
  aggregates: Aggregates,
  sql: string,
): Followed {
  const byName = new Map(tables.map((table) => [table.name.toLowerCase(), table]));
  const select = parseSelect(sql, aggregates);
  const sources = select.sources.map((source, index): FollowedSource => {
    const table = byName.get(source.table.toLowerCase());
    if (table === undefined) throw notInSchema(source.table);
    return { table, alias: source.alias, pinnable: isPinnable(select.sources, index) };
  });
  const read = tablesRead(reader, sql);
  const foreign = read.find((name) => !byName.has(name.toLowerCase()) && !PURE_TABLE_FUNCTIONS.has(name));
  if (foreign !== undefined) throw notInSchema(foreign);
  const columns = prepare(reader, sql)
    .columns()
    .map((column) => column.name);
  const keys = sources.flatMap(({ table, alias }) => table.keys.map((key) => column(alias, key)));
  const base = `${select.head}, ${keys.join(", ")} ${select.from}`;
  const whole = [base, whereOf(select, null), select.order].join("\n");
  prepare(reader, whole);
  return {
    sql,
    columns,
    sources,
    wholeTables: new Set([
      ...sources.filter((source) => !source.pinnable).map((source) => source.table.name.toLowerCase()),
      ...read
        .map((name) => name.toLowerCase())
        .filter((name) => select.nestedNames.has(name) || !isSource(sources, name)),
    ]),
    whole,
    pinned: (candidates) =>
      sources
        .flatMap((source, index) => {
          const wanted = candidates[index] ?? [];
          return wanted.length === 0 ? [] : [[base, whereOf(select, pin(source, wanted))].join("\n")];
        })
        .join("\nUNION ALL\n"),
  };
}

/** Cuts a row of `whole` or `pinned` into cells and keys. Throws when the schema has changed since. */
export function resultRow(followed: Followed, row: readonly SqlValue[]): ResultRow {
  let at = followed.columns.length;
  const cells = row.slice(0, at);
  const keys = followed.sources.map(({ table }) => {
    const values = row.slice(at, at + table.keys.length);
    at += table.keys.length;
    return values.every((value) => value === null) ? new Uint8Array() : packColumns(values);
  });
  if (at !== row.length) throw new Error("the schema has changed: subscribe again");
  return { keys, cells };
}

function isPinnable(sources: readonly Source[], index: number): boolean {
  if (sources.some((source) => source.join === "other")) return false;
  return sources.slice(0, index + 1).every((source) => source.join !== "left");
}

function isSource(sources: readonly FollowedSource[], lowerName: string): boolean {
  return sources.some((source) => source.table.name.toLowerCase() === lowerName);
}

/** Every table that SQLite itself says the statement reads, in whatever depth. */
function tablesRead(reader: DatabaseSync, sql: string): string[] {
  const names = new Set<string>();
  reader.setAuthorizer((action, table) => {
    if (action === constants.SQLITE_READ && table !== null) names.add(table);
    return constants.SQLITE_OK;
  });
  try {
    prepare(reader, sql);
  } finally {
    reader.setAuthorizer(null);
  }
  return [...names];
}

function whereOf(select: Select, pinning: string | null): string {
  const parts = [select.where, pinning].filter((part) => part !== null);
  return parts.length === 0 ? "" : `WHERE ${parts.map((part) => `(${part}\n)`).join(" AND ")}`;
}

function column(alias: string, name: string): string {
  return `${quoted(alias)}.${quoted(name)}`;
}

function pin(source: FollowedSource, keys: readonly Uint8Array[]): string {
  const names = source.table.keys.map((key) => column(source.alias, key));
  const tuples = keys.map((key) => unpackColumns(key).map(literal));
  if (names.length === 1) return `${names[0]} IN (${tuples.join(",")})`;
  return `(${names.join(",")}) IN (VALUES ${tuples.map((tuple) => `(${tuple.join(",")})`).join(",")})`;
}

function literal(value: SqlValue): string {
  if (value === null) return "NULL";
  // The smallest integer has no literal of its own.
  if (typeof value === "bigint") return value === -(2n ** 63n) ? "(-9223372036854775807-1)" : `(${value})`;
  if (typeof value === "number") {
    return Number.isFinite(value) ? `(${value.toExponential()})` : value > 0 ? "9e999" : "-9e999";
  }
  if (typeof value === "string") {
    if (value.includes("\0")) return `CAST(x'${Buffer.from(value, "utf8").toString("hex")}' AS TEXT)`;
    return sqlString(value);
  }
  return `x'${Buffer.from(value).toString("hex")}'`;
}
