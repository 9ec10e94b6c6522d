/** @module The last runs of a node's console, in its own SQLite file. */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isoMicros } from "../../../lib/clock.ts";
import { makeFolder } from "../../../lib/folders.ts";
import type { ConsoleRunRecord } from "../contract.ts";

export type NewRun = Omit<ConsoleRunRecord, "id" | "at"> & {
  /** Microseconds since 1970. */
  readonly at: number;
};

export const KEPT_RUNS = 100;

/** Other parts of the node keep tables in the same file. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS console_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  preset TEXT,
  sql TEXT NOT NULL,
  params TEXT NOT NULL,
  mode TEXT NOT NULL,
  row_count INTEGER,
  elapsed_ms REAL,
  error TEXT
)`;

export class RunHistory {
  readonly #db: DatabaseSync;

  /** Opens the file, made when it is missing. Throws when it cannot be used. */
  constructor(path: string) {
    if (path !== ":memory:") makeFolder(dirname(path));
    this.#db = new DatabaseSync(path);
    try {
      this.#db.exec("PRAGMA busy_timeout = 1000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
      this.#db.exec(SCHEMA);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Keeps a run, and forgets those before the last 100. */
  add({ at, preset, sql, params, mode, row_count, elapsed_ms, error }: NewRun): void {
    this.#db
      .prepare(
        "INSERT INTO console_runs (at, preset, sql, params, mode, row_count, elapsed_ms, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      )
      .run(at, preset, sql, JSON.stringify(params ?? null), mode, row_count, elapsed_ms, error);
    this.#db
      .prepare("DELETE FROM console_runs WHERE id <= (SELECT max(id) FROM console_runs) - ?")
      .run(KEPT_RUNS);
  }

  /** Newest first. */
  list(limit: number): ConsoleRunRecord[] {
    const rows = this.#db.prepare("SELECT * FROM console_runs ORDER BY id DESC LIMIT ?").all(limit);
    return rows.map((row) => ({
      id: Number(row.id),
      at: isoMicros(Number(row.at)),
      preset: row.preset as string | null,
      sql: String(row.sql),
      params: JSON.parse(String(row.params)) as unknown,
      mode: row.mode === "write" ? "write" : "read",
      row_count: row.row_count as number | null,
      elapsed_ms: row.elapsed_ms as number | null,
      error: row.error as string | null,
    }));
  }

  close(): void {
    this.#db.close();
  }
}
