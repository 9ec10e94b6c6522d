/** @module The last runs of a node's query console. */
import type { DatabaseSync } from "node:sqlite";
import { isoMicros } from "../../../lib/clock.ts";
import type { ConsoleRunRecord, NewConsoleRun } from "../../corrosion/contract.ts";
import { transaction } from "./write.ts";

const KEPT_RUNS = 100;

export class ConsoleRuns {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Keeps a run, and forgets those before the last 100. */
  add({ at, preset, sql, params, mode, row_count, elapsed_ms, error }: NewConsoleRun): void {
    transaction(this.#db, () => {
      this.#db
        .prepare(
          "INSERT INTO console_runs (at, preset, sql, params, mode, row_count, elapsed_ms, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .run(at, preset, sql, JSON.stringify(params ?? null), mode, row_count, elapsed_ms, error);
      this.#db
        .prepare("DELETE FROM console_runs WHERE id <= (SELECT max(id) FROM console_runs) - ?")
        .run(KEPT_RUNS);
    });
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
}
