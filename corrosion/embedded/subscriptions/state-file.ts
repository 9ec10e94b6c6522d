/** @module One subscription's state on disk: its rows, its changes, and whether it was left clean. */
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { makeFolder } from "../../../lib/folders.ts";
import type { ChangeType } from "./lines.ts";

export interface Identity {
  readonly id: string;
  readonly hash: string;
  readonly sql: string;
  readonly columns: readonly string[];
}

export interface StoredRow {
  readonly id: number;
  /** Text of `cellsText`. */
  readonly cells: string;
}

export interface StoredChange extends StoredRow {
  readonly changeId: number;
  readonly type: ChangeType;
}

/** Rows and changes as they were when it was opened, while the subscription goes on. */
export interface StateSnapshot {
  readonly lastChange: number;
  /** Up to `limit` rows with ids above `after`, ascending. */
  rows(after: number, limit: number): readonly StoredRow[];
  close(): void;
}

/** All of it is synchronous and works on single rows or pages of them. */
export interface StateFile {
  readonly identity: Identity;
  readonly path: string;
  begin(): void;
  commit(): void;
  rollback(): void;
  find(keys: readonly Uint8Array[]): StoredRow | undefined;
  /** The rows in which this key of this source takes part, with all their keys. */
  having(source: number, key: Uint8Array): readonly (StoredRow & { readonly keys: readonly Uint8Array[] })[];
  /** Returns the row's id: greater than any before. */
  insert(keys: readonly Uint8Array[], cells: string): number;
  update(id: number, cells: string): void;
  remove(id: number): void;
  count(): number;
  page(after: number, upTo: number, limit: number): readonly StoredRow[];
  lastRow(): number;
  /** Returns the change's id: one more than the last. */
  record(type: ChangeType, row: number, cells: string): number;
  lastChange(): number;
  /** The oldest change that is kept; 0 if there is none. */
  oldestChange(): number;
  /** Changes after one, up to another. */
  changes(after: number, upTo: number, limit: number): readonly StoredChange[];
  purge(keep: number): void;
  snapshot(): StateSnapshot;
  /** Closes. Only a file that was left clean can be opened again. */
  close(clean: boolean): void;
}

/** A new file; its folder is made. */
export function createState(path: string, identity: Identity, sources: number): StateFile {
  makeFolder(dirname(path));
  const db = openDatabase(path);
  const keys = keyNames(sources);
  db.exec(`
    CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, ${keys.map((key) => `${key} BLOB NOT NULL`)}, cells TEXT NOT NULL);
    CREATE UNIQUE INDEX rows_key ON rows (${keys});
    ${keys
      .slice(1)
      .map((key) => `CREATE INDEX rows_${key} ON rows (${key});`)
      .join("\n")}
    CREATE TABLE changes (id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, row INTEGER NOT NULL, cells TEXT NOT NULL);
  `);
  const put = db.prepare("INSERT INTO meta VALUES (?, ?)");
  put.run("identity", JSON.stringify(identity));
  put.run("sources", String(sources));
  put.run("clean", "0");
  return stateFile(db, path, identity, sources);
}

/** A file that was left clean, marked as in use; null for any other. Throws when it is no database at all. */
export function reopenState(path: string): StateFile | null {
  const db = openDatabase(path);
  try {
    const read = db.prepare("SELECT value FROM meta WHERE name = ?");
    const meta = (name: string): string => String(read.get(name)?.value);
    if (meta("clean") !== "1") {
      db.close();
      return null;
    }
    const identity = JSON.parse(meta("identity")) as Identity;
    const sources = Number(meta("sources"));
    markClean(db, false);
    return stateFile(db, path, identity, sources);
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  // After a crash the file is dropped anyway; only the mark has to be on disk when it should be.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;");
  return db;
}

function markClean(db: DatabaseSync, clean: boolean): void {
  db.exec("PRAGMA synchronous = FULL");
  db.prepare("UPDATE meta SET value = ? WHERE name = 'clean'").run(clean ? "1" : "0");
  if (clean) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.exec("PRAGMA synchronous = OFF");
}

function keyNames(sources: number): string[] {
  return Array.from({ length: sources }, (_, index) => `k${index}`);
}

function stateFile(db: DatabaseSync, path: string, identity: Identity, sources: number): StateFile {
  const keys = keyNames(sources);
  const find = db.prepare(
    `SELECT id, cells FROM rows WHERE ${keys.map((key) => `${key} = ?`).join(" AND ")}`,
  );
  const having = keys.map((key) => db.prepare(`SELECT * FROM rows WHERE ${key} = ?`));
  const insert = db.prepare(`INSERT INTO rows (${keys}, cells) VALUES (${keys.map(() => "?")}, ?)`);
  const update = db.prepare("UPDATE rows SET cells = ? WHERE id = ?");
  const remove = db.prepare("DELETE FROM rows WHERE id = ?");
  const page = db.prepare("SELECT id, cells FROM rows WHERE id > ? AND id <= ? ORDER BY id LIMIT ?");
  const record = db.prepare("INSERT INTO changes (type, row, cells) VALUES (?, ?, ?)");
  const changes = db.prepare("SELECT * FROM changes WHERE id > ? AND id <= ? ORDER BY id LIMIT ?");
  const purge = db.prepare("DELETE FROM changes WHERE id <= ?");
  const count = db.prepare("SELECT count(*) AS n FROM rows");
  const lastRow = db.prepare("SELECT coalesce(max(id), 0) AS n FROM rows");
  const lastChange = lastChangeOf(db);
  const oldestChange = db.prepare("SELECT coalesce(min(id), 0) AS n FROM changes");
  return {
    identity,
    path,
    begin: () => db.exec("BEGIN"),
    commit: () => db.exec("COMMIT"),
    rollback: () => db.exec("ROLLBACK"),
    find: (key) => find.all(...key).map(storedRow)[0],
    having: (source, key) =>
      having[source]!.all(key).map((row) => ({
        ...storedRow(row),
        keys: keys.map((name) => row[name] as Uint8Array),
      })),
    insert: (key, cells) => Number(insert.run(...key, cells).lastInsertRowid),
    update: (id, cells) => void update.run(cells, id),
    remove: (id) => void remove.run(id),
    count: () => numberOf(count),
    page: (after, upTo, limit) => page.all(after, upTo, limit).map(storedRow),
    lastRow: () => numberOf(lastRow),
    record: (type, row, cells) => Number(record.run(type, row, cells).lastInsertRowid),
    lastChange: () => numberOf(lastChange),
    oldestChange: () => numberOf(oldestChange),
    changes: (after, upTo, limit) =>
      changes.all(after, upTo, limit).map((row) => ({
        changeId: Number(row.id),
        type: row.type as ChangeType,
        id: Number(row.row),
        cells: String(row.cells),
      })),
    purge: (keep) => void purge.run(numberOf(lastChange) - keep),
    snapshot: () => snapshotOf(path),
    close: (clean) => {
      if (clean) markClean(db, true);
      db.close();
    },
  };
}

/** The sequence knows the last id even when the change itself is purged. */
function lastChangeOf(db: DatabaseSync): StatementSync {
  return db.prepare("SELECT coalesce(max(seq), 0) AS n FROM sqlite_sequence WHERE name = 'changes'");
}

function snapshotOf(path: string): StateSnapshot {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec("BEGIN");
  // The first read takes the snapshot, so it is taken here.
  const lastChange = numberOf(lastChangeOf(db));
  const page = db.prepare("SELECT id, cells FROM rows WHERE id > ? ORDER BY id LIMIT ?");
  return {
    lastChange,
    rows: (after, limit) => page.all(after, limit).map(storedRow),
    close: () => db.close(),
  };
}

function storedRow(row: Readonly<Record<string, unknown>>): StoredRow {
  return { id: Number(row.id), cells: String(row.cells) };
}

function numberOf(statement: StatementSync): number {
  return Number(statement.get()?.n);
}
