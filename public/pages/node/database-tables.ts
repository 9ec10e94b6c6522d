/** @module The tables of the agent's database, out of what its console answers. */
import type { QueryResult } from "../../../services/corrosion/contract.ts";

export interface DatabaseInfo {
  /** What the agent says of itself and its health: `health state`, `agent address` … */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly tables: readonly { readonly name: string; readonly rows: number }[];
}

/** Rows of the preset `database_info`, which are part, name and value. */
export function databaseInfoOf({ rows }: Pick<QueryResult, "rows">): DatabaseInfo {
  const facts: (readonly [string, string])[] = [];
  const tables: { readonly name: string; readonly rows: number }[] = [];
  for (const [part, name, value] of rows) {
    if (part === "rows" && typeof value === "number") tables.push({ name: String(name), rows: value });
    else if (part !== "rows" && value !== null && value !== undefined)
      facts.push([`${String(part)} ${String(name).replaceAll("_", " ")}`, String(value)]);
  }
  return { facts, tables };
}

/** What SQLite itself calls the schema: every table and index with its statement. */
export const SCHEMA_SQL =
  "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name";

export interface SchemaEntry {
  readonly type: string;
  readonly name: string;
  readonly table: string;
  readonly sql: string;
}

export function schemaOf({ rows }: Pick<QueryResult, "rows">): readonly SchemaEntry[] {
  return rows.map(([type, name, table, sql]) => ({
    type: String(type),
    name: String(name),
    table: String(table),
    sql: String(sql),
  }));
}
