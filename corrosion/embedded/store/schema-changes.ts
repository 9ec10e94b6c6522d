/** @module A schema brought into the database: tables, columns and indexes are added, nothing is ever taken away. */
import type { DatabaseSync } from "node:sqlite";
import { quoted } from "../../../lib/sql-tokens.ts";
import { shapeOf } from "./catalog.ts";
import { SchemaRefused } from "./contract.ts";
import { parseSchema, type SchemaIndex, type SchemaTable } from "./schema-files.ts";
import { checkAdoption, checkTable, newColumns } from "./schema-rules.ts";
import { Query } from "./sql-rows.ts";
import { createChangesView, createClocks, createTriggers } from "./tracking.ts";

export interface SchemaChange {
  /** Tables that were plain ones: their rows are to be given clocks. */
  readonly adopted: readonly string[];
  /** False when the database had all of it already. */
  readonly changed: boolean;
}

/**
 * Brings the tables into the database. To be called in a transaction, which must be rolled back when it throws:
 * `SchemaRefused` with the rule that was broken.
 */
export function changeSchema(db: DatabaseSync, texts: readonly string[]): SchemaChange {
  const wanted = parseSchema(texts);
  for (const table of wanted) checkTable(table);
  const stored = storedSchema(db);
  const adopted: string[] = [];
  let changed = false;
  for (const table of wanted) {
    const known = stored.find(({ name }) => name.toLowerCase() === table.name.toLowerCase());
    if (known) {
      changed = extend(db, known, table) || changed;
      continue;
    }
    changed = true;
    if (begin(db, table)) adopted.push(table.name);
  }
  if (changed) {
    const names = new Query<{ name: string }>(
      db,
      "SELECT name FROM __corro_schema WHERE type = 'table' ORDER BY name",
    );
    db.exec(createChangesView(names.all().map(({ name }) => shapeOf(db, name))));
  }
  return { adopted, changed };
}

function storedSchema(db: DatabaseSync): SchemaTable[] {
  return parseSchema(
    new Query<{ sql: string }>(db, "SELECT sql FROM __corro_schema WHERE type IN ('table', 'index')")
      .all()
      .map(({ sql }) => sql),
  );
}

/** A table that the schema did not have. Returns whether the database had it, as a plain one. */
function begin(db: DatabaseSync, table: SchemaTable): boolean {
  const existing = plainTable(db, table.name);
  if (existing) {
    checkTable(existing);
    checkAdoption(existing, table);
  } else execute(db, table.sql);
  for (const index of table.indexes) createIndex(db, table, index);
  const shape = shapeOf(db, existing?.name ?? table.name);
  execute(db, createClocks(shape));
  execute(db, createTriggers(shape));
  remember(db, shape.name, table.indexes);
  return existing !== null;
}

/** A table that the schema has already. Returns whether anything changed. */
function extend(db: DatabaseSync, stored: SchemaTable, wanted: SchemaTable): boolean {
  const added = newColumns(stored, wanted);
  for (const { sql } of added) execute(db, `ALTER TABLE ${quoted(stored.name)} ADD COLUMN ${sql}`);
  if (added.length > 0) execute(db, createTriggers(shapeOf(db, stored.name)));
  const differs = (here: readonly SchemaIndex[], index: SchemaIndex) =>
    !here.some(({ name, text }) => name.toLowerCase() === index.name.toLowerCase() && text === index.text);
  const gone = stored.indexes.filter((index) => differs(wanted.indexes, index));
  for (const { name } of gone) execute(db, `DROP INDEX IF EXISTS ${quoted(name)}`);
  const made = wanted.indexes.filter((index) => differs(stored.indexes, index));
  for (const index of made) createIndex(db, stored, index);
  if (added.length + gone.length + made.length === 0) return false;
  remember(db, stored.name, wanted.indexes);
  return true;
}

/** A table of the database with the indexes that it has; null when there is none. */
function plainTable(db: DatabaseSync, name: string): SchemaTable | null {
  const sql = new Query<{ sql: string }>(
    db,
    `SELECT sql FROM sqlite_schema WHERE lower(tbl_name) = lower(?) AND type IN ('table', 'index') AND sql IS NOT NULL
      ORDER BY type = 'index'`,
  ).all(name);
  return parseSchema(sql.map((row) => row.sql))[0] ?? null;
}

function createIndex(db: DatabaseSync, table: SchemaTable, index: SchemaIndex): void {
  const same = plainTable(db, table.name)?.indexes.some(
    ({ name, text }) => name === index.name && text === index.text,
  );
  if (!same) execute(db, index.sql);
}

/** The schema as SQLite keeps it is what `__corro_schema` tells. */
function remember(db: DatabaseSync, table: string, indexes: readonly SchemaIndex[]): void {
  db.prepare("DELETE FROM __corro_schema WHERE tbl_name = ?").run(table);
  const put = db.prepare(
    `INSERT INTO __corro_schema (tbl_name, type, name, sql, source)
      SELECT tbl_name, type, name, sql, 'api' FROM sqlite_schema WHERE tbl_name = ? AND type = ? AND name = ? COLLATE NOCASE`,
  );
  put.run(table, "table", table);
  for (const { name } of indexes) put.run(table, "index", name);
}

function execute(db: DatabaseSync, sql: string): void {
  try {
    db.exec(sql);
  } catch (error) {
    throw new SchemaRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
