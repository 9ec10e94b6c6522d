/** @module Opens a node's analytics file: its folder, its journal, its schema. */

import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isoMicros, systemClock } from "../../../lib/clock.ts";
import { makeFolder } from "../../../lib/folders.ts";
import { migrate } from "./schema.ts";

/** Pages that SQLite keeps in memory, in KiB: reports read in the order of an index and need no more. */
const CACHE_KIB = 8192;
const BUSY_MS = 5000;

/** Opens the file, made when it is missing, and brings it up to date. Throws when it cannot be used. */
export function openDatabase(path: string): DatabaseSync {
  if (path !== ":memory:") makeFolder(dirname(path));
  const db = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE_KIB}; PRAGMA temp_store = MEMORY;`,
    );
    migrate(db);
    const note = db.prepare(
      "INSERT INTO meta (key, value) VALUES ('created_at', ?) ON CONFLICT (key) DO NOTHING",
    );
    note.run(isoMicros(systemClock()));
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** A run that is unfinished when its node starts will never end by itself. Returns how many there were. */
export function interruptUnfinished(db: DatabaseSync): number {
  const interrupt = db.prepare(
    "UPDATE experiments SET status = 'interrupted', ended_at = coalesce(ended_at, ?) WHERE status IN ('running', 'finalizing')",
  );
  return Number(interrupt.run(systemClock()).changes);
}
