/** @module One replicated table as the writer uses it: its statements, prepared once, and the clocks of its rows. */
import type { DatabaseSync } from "node:sqlite";
import { quoted } from "../../../lib/sql-tokens.ts";
import type { SqlValue } from "../values.ts";
import { type Clock, RowClock, SENTINEL } from "./row-clock.ts";
import { Change, Query } from "./sql-rows.ts";
import {
  causalLength,
  clockTable,
  currentValue,
  keyTable,
  standingClocks,
  type TableShape,
} from "./tracking.ts";

interface ClockRow {
  col_name: string;
  col_version: bigint;
  db_version: bigint;
  site_id: bigint;
  seq: bigint;
  ts: string;
}

/** A clock of some version with its current value. */
export interface Standing {
  readonly pk: Uint8Array;
  readonly cid: string;
  readonly val: SqlValue;
  readonly col_version: bigint;
  readonly cl: bigint;
  readonly seq: bigint;
  readonly ts: string;
}

export class TrackedTable {
  readonly shape: TableShape;
  readonly #db: DatabaseSync;
  readonly #findKey: Query<{ key: bigint }>;
  readonly #addKey: Change;
  readonly #clocks: Query<{ [K in keyof ClockRow]: ClockRow[K] }>;
  readonly #putClock: Change;
  readonly #dropColumns: Change;
  readonly #readRow: Query<Record<string, SqlValue>>;
  readonly #deleteRow: Change;
  readonly #createRow: Change;
  readonly #standing: Query<{ [K in keyof Standing]: Standing[K] }>;
  readonly #updates = new Map<string, Change>();
  readonly #inserts = new Map<string, Change>();
  readonly #values: ReadonlySet<string>;

  constructor(db: DatabaseSync, shape: TableShape) {
    this.shape = shape;
    this.#db = db;
    this.#values = new Set(shape.values);
    const { name, keys } = shape;
    const [table, clocks, keyed] = [quoted(name), clockTable(name), keyTable(name)];
    const columns = keys.map(quoted).join(", ");
    const places = keys.map(() => "?").join(", ");
    const where = this.#where();
    this.#findKey = new Query(db, `SELECT __crsql_key AS key FROM ${keyed} WHERE ${where}`);
    this.#addKey = new Change(
      db,
      `INSERT INTO ${keyed} (${columns}) VALUES (${places}) ON CONFLICT DO NOTHING`,
    );
    this.#clocks = new Query(
      db,
      `SELECT col_name, col_version, db_version, site_id, seq, ts FROM ${clocks} WHERE key = ?`,
    );
    this.#putClock = new Change(
      db,
      `INSERT OR REPLACE INTO ${clocks} (key, col_name, col_version, db_version, site_id, seq, ts)
        VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#dropColumns = new Change(db, `DELETE FROM ${clocks} WHERE key = ? AND col_name <> '${SENTINEL}'`);
    const values = shape.values.length > 0 ? shape.values.map(quoted).join(", ") : "1";
    this.#readRow = new Query(db, `SELECT ${values} FROM ${table} WHERE ${where}`);
    this.#deleteRow = new Change(db, `DELETE FROM ${table} WHERE ${where}`);
    this.#createRow = new Change(
      db,
      `INSERT INTO ${table} (${columns}) VALUES (${places}) ON CONFLICT (${columns}) DO NOTHING`,
    );
    const packed = `crsql_pack_columns(${keys.map((key) => `p.${quoted(key)}`).join(", ")})`;
    this.#standing = new Query(
      db,
      `SELECT ${packed} AS pk, c.col_name AS cid, ${currentValue(shape)} AS val, c.col_version AS col_version,
          ${causalLength(name)} AS cl, c.seq AS seq, c.ts AS ts
        FROM ${standingClocks(shape)} WHERE c.site_id = ? AND c.db_version = ? AND c.col_version > 0`,
    );
  }

  #where(): string {
    return this.shape.keys.map((key) => `${quoted(key)} = ?`).join(" AND ");
  }

  /** Whether a column has clocks. */
  replicates(column: string): boolean {
    return this.#values.has(column);
  }

  /** The number of a key; null when no row ever had it. */
  keyOf(keys: readonly SqlValue[]): bigint | null {
    return this.#findKey.first(...keys)?.key ?? null;
  }

  /** The number of a key, new when it has none. `added`: no clocks can be stored for it. */
  ensureKey(keys: readonly SqlValue[]): { readonly key: bigint; readonly added: boolean } {
    const added = this.#addKey.insert(...keys);
    if (added !== null) return { key: added, added: true };
    const key = this.keyOf(keys);
    if (key === null) throw new Error(`a key of ${this.shape.name} has no number`);
    return { key, added: false };
  }

  /** The clocks as they are stored. */
  clockOf(key: bigint): RowClock {
    const stored = new Map<string, Clock>();
    for (const row of this.#clocks.all(key)) {
      const mark = { dbVersion: row.db_version, site: row.site_id, seq: row.seq, ts: row.ts };
      stored.set(row.col_name, { version: row.col_version, mark });
    }
    return new RowClock(stored);
  }

  /** Stores what was written to a row's clocks. All must have their marks. */
  storeClock(key: bigint, clock: RowClock): void {
    if (clock.dropped) this.#dropColumns.run(key);
    for (const cid of clock.written) {
      const { version, mark } = clock.get(cid) ?? {};
      if (version === undefined || !mark) throw new Error(`clock ${cid} of ${this.shape.name} has no mark`);
      this.#putClock.run(key, cid, version, mark.dbVersion, mark.site, mark.seq, mark.ts);
    }
  }

  /** Current values by column; undefined when there is no such row. */
  read(keys: readonly SqlValue[]): Record<string, SqlValue> | undefined {
    return this.#readRow.first(...keys);
  }

  /** The keys of all rows. */
  allKeys(): SqlValue[][] {
    const { name, keys } = this.shape;
    const all = new Query<Record<string, SqlValue>>(
      this.#db,
      `SELECT ${keys.map(quoted).join(", ")} FROM ${quoted(name)}`,
    );
    return all.all().map((row) => keys.map((key) => row[key] ?? null));
  }

  delete(keys: readonly SqlValue[]): void {
    this.#deleteRow.run(...keys);
  }

  /** A row with defaults, unless there is one. */
  create(keys: readonly SqlValue[]): void {
    this.#createRow.run(...keys);
  }

  /** Sets columns of a row, which is made with defaults for the others when it is not there. */
  set(keys: readonly SqlValue[], values: ReadonlyMap<string, SqlValue>): void {
    const columns = [...values.keys()];
    const update = remembered(this.#updates, columns, () => {
      const sets = columns.map((column) => `${quoted(column)} = ?`).join(", ");
      return new Change(this.#db, `UPDATE ${quoted(this.shape.name)} SET ${sets} WHERE ${this.#where()}`);
    });
    if (update.run(...values.values(), ...keys) > 0) return;
    const insert = remembered(this.#inserts, columns, () => {
      const names = [...this.shape.keys, ...columns];
      const places = names.map(() => "?").join(", ");
      const into = `${quoted(this.shape.name)} (${names.map(quoted).join(", ")})`;
      return new Change(this.#db, `INSERT INTO ${into} VALUES (${places})`);
    });
    insert.run(...keys, ...values.values());
  }

  /** The clocks of a version that still stand, in no order. Those that fell to 0 stand for nothing. */
  standing(site: bigint, version: bigint): Standing[] {
    return this.#standing.all(site, version);
  }
}

/** Partial updates come in as many column lists as the origins wrote; each is prepared once, within reason. */
const MOST_REMEMBERED = 64;

function remembered(
  statements: Map<string, Change>,
  columns: readonly string[],
  prepare: () => Change,
): Change {
  const name = columns.join("\n");
  const known = statements.get(name);
  if (known) return known;
  if (statements.size >= MOST_REMEMBERED) statements.clear();
  const prepared = prepare();
  statements.set(name, prepared);
  return prepared;
}
