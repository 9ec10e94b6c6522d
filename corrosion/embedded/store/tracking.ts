/** @module The SQL that makes a table replicate: clock tables, triggers, and the view over the clocks of all tables. */

import { quoted, sqlString } from "../../../lib/sql-tokens.ts";
import { EMPTY_CHANGES } from "./layout.ts";
import { SENTINEL } from "./row-clock.ts";

/** A table as it replicates. */
export interface TableShape {
  readonly name: string;
  /** Key columns in key order. */
  readonly keys: readonly string[];
  /** The columns that have clocks: neither of the key nor generated. */
  readonly values: readonly string[];
  /** All columns, in declared order. */
  readonly columns: readonly string[];
}

export function clockTable(table: string): string {
  return quoted(`${table}__crsql_clock`);
}

export function keyTable(table: string): string {
  return quoted(`${table}__crsql_pks`);
}

/** Makes the clock tables of a table. */
export function createClocks({ name, keys }: TableShape): string {
  const columns = keys.map(quoted).join(", ");
  return `
    CREATE TABLE ${clockTable(name)} (
      key INTEGER NOT NULL, col_name TEXT NOT NULL, col_version INTEGER NOT NULL, db_version INTEGER NOT NULL,
      site_id INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL, ts TEXT NOT NULL DEFAULT '0',
      PRIMARY KEY (key, col_name)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX ${quoted(`${name}__crsql_clock_dbv_idx`)} ON ${clockTable(name)} (site_id, db_version);
    CREATE TABLE ${keyTable(name)} (__crsql_key INTEGER PRIMARY KEY, ${columns});
    CREATE UNIQUE INDEX ${quoted(`${name}__crsql_pks_pks`)} ON ${keyTable(name)} (${columns});
  `;
}

/** Puts the triggers that report local writes in place of those that are there. */
export function createTriggers({ name, keys, values }: TableShape): string {
  const [table, literal] = [quoted(name), sqlString(name)];
  const trigger = (kind: string) => quoted(`${name}__crsql_${kind}trig`);
  const fresh = keys.map((key) => `NEW.${quoted(key)}`).join(", ");
  const old = keys.map((key) => `OLD.${quoted(key)}`).join(", ");
  const moved = keys.map(changed).join(" OR ");
  const flags = values.map((value) => `, ${changed(value)}`).join("");
  return `
    DROP TRIGGER IF EXISTS ${trigger("i")};
    DROP TRIGGER IF EXISTS ${trigger("u")};
    DROP TRIGGER IF EXISTS ${trigger("d")};
    CREATE TRIGGER ${trigger("i")} AFTER INSERT ON ${table}
      BEGIN SELECT crsql_track_insert(${literal}, ${fresh}); END;
    CREATE TRIGGER ${trigger("u")} AFTER UPDATE ON ${table}
      BEGIN SELECT crsql_track_update(${literal}, ${moved}, ${fresh}, ${old}${flags}); END;
    CREATE TRIGGER ${trigger("d")} AFTER DELETE ON ${table}
      BEGIN SELECT crsql_track_delete(${literal}, ${old}); END;
  `;
}

/** Not by the column's own collation, to which 'a' and 'A' may be the same; nor are 1 and 1.0 the same value. */
function changed(column: string): string {
  const name = quoted(column);
  return `(NEW.${name} COLLATE BINARY IS NOT OLD.${name} OR typeof(NEW.${name}) <> typeof(OLD.${name}))`;
}

/** Puts the view `crsql_changes` over these tables in place of the one that is there. */
export function createChangesView(tables: readonly TableShape[]): string {
  const parts = tables.map(
    (table) => `
      SELECT ${sqlString(table.name)} AS "table", crsql_pack_columns(${table.keys.map((key) => `p.${quoted(key)}`).join(", ")}) AS pk,
        c.col_name AS cid, ${currentValue(table)} AS val, c.col_version AS col_version, c.db_version AS db_version,
        s.site_id AS site_id, ${causalLength(table.name)} AS cl, c.seq AS seq, c.ts AS ts
      FROM ${standingClocks(table)} JOIN crsql_site_id s ON s.ordinal = c.site_id`,
  );
  const view = parts.length > 0 ? `CREATE VIEW crsql_changes AS ${parts.join(" UNION ALL ")}` : EMPTY_CHANGES;
  return `DROP VIEW IF EXISTS crsql_changes; ${view};`;
}

/** A FROM clause: clocks `c` with their keys `p` and their rows `r`, which deleted ones have not. */
export function standingClocks({ name, keys }: TableShape): string {
  const same = keys.map((key) => `r.${quoted(key)} = p.${quoted(key)}`).join(" AND ");
  return `${clockTable(name)} c JOIN ${keyTable(name)} p ON p.__crsql_key = c.key LEFT JOIN ${quoted(name)} r ON ${same}`;
}

/** The value that a clock of `standingClocks` is about. */
export function currentValue({ values }: TableShape): string {
  if (values.length === 0) return "NULL";
  const cases = values.map((value) => `WHEN ${sqlString(value)} THEN r.${quoted(value)}`).join(" ");
  return `CASE c.col_name ${cases} END`;
}

/** The causal length of the row of a clock of `standingClocks`. */
export function causalLength(table: string): string {
  return `coalesce((SELECT z.col_version FROM ${clockTable(table)} z WHERE z.key = c.key AND z.col_name = '${SENTINEL}'), 1)`;
}
