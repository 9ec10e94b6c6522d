/** @module The replicated tables of a store, as the stored schema says, each with its prepared statements. */
import type { DatabaseSync } from "node:sqlite";
import { sqlString } from "../../../lib/sql-tokens.ts";
import { Query } from "./sql-rows.ts";
import { TrackedTable } from "./tracked-table.ts";
import type { TableShape } from "./tracking.ts";

export class Catalog {
  readonly #db: DatabaseSync;
  readonly #tables = new Map<string, TrackedTable>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.reload();
  }

  /** Reads the stored schema again. */
  reload(): void {
    this.#tables.clear();
    const names = new Query<{ name: string }>(
      this.#db,
      "SELECT name FROM __corro_schema WHERE type = 'table' ORDER BY name",
    );
    for (const { name } of names.all()) {
      this.#tables.set(name.toLowerCase(), new TrackedTable(this.#db, shapeOf(this.#db, name)));
    }
  }

  /** By name, in any case; null when there is no such table. */
  find(name: string): TrackedTable | null {
    return this.#tables.get(name.toLowerCase()) ?? null;
  }

  get all(): readonly TrackedTable[] {
    return [...this.#tables.values()];
  }
}

/** The shape of a table that the database has. */
export function shapeOf(db: DatabaseSync, name: string): TableShape {
  const columns = new Query<{ name: string; pk: bigint; hidden: bigint }>(
    db,
    `SELECT name, pk, hidden FROM pragma_table_xinfo(${sqlString(name)}) ORDER BY cid`,
  ).all();
  const keys = columns.filter(({ pk }) => pk > 0n).sort((a, b) => Number(a.pk - b.pk));
  return {
    name,
    keys: keys.map((column) => column.name),
    values: columns.filter(({ pk, hidden }) => pk === 0n && hidden === 0n).map((column) => column.name),
    columns: columns.map((column) => column.name),
  };
}
