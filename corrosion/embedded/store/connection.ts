/** @module Connections to a store's file: one that writes, any number that read. */
import { existsSync } from "node:fs";
import { DatabaseSync, type DatabaseSyncOptions } from "node:sqlite";
import { newActorId } from "./actor-id.ts";
import { StoreUnusable } from "./contract.ts";
import { defineFunctions, defineIdleTracking } from "./functions.ts";
import { AGENT, createLayout, isNew } from "./layout.ts";

/** How long a connection waits for another one's lock. */
const BUSY_MS = 5000;

/** A checkpoint syncs the file, so it comes each few hundred small commits and not each hundred. */
const CHECKPOINT_PAGES = 4000;
const CACHE_KIB = 32 * 1024;

const OPTIONS: DatabaseSyncOptions = {
  readBigInts: true,
  enableForeignKeyConstraints: false,
  enableDoubleQuotedStringLiterals: true,
  timeout: BUSY_MS,
};

/**
 * The connection that writes; makes the file and its bookkeeping when there is none. Commits are durable against the
 * end of the process at any moment, not against the loss of power. Throws `StoreUnusable`.
 */
export function openWriter(path: string): DatabaseSync {
  return opened(path, {}, (db) => {
    const fresh = isNew(db, path);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA recursive_triggers = ON;
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -${CACHE_KIB}`);
    if (!fresh) return;
    db.exec("BEGIN IMMEDIATE");
    createLayout(db, newActorId());
    db.exec("COMMIT");
  });
}

/**
 * A connection that cannot write, with the same functions as the writer's. INTEGER values come as bigints, REAL ones
 * as numbers. Throws `StoreUnusable` when the file is missing or is no store.
 */
export function openReader(path: string): DatabaseSync {
  if (!existsSync(path)) throw new StoreUnusable(`there is no database at ${path}: start the agent first`);
  return opened(path, { readOnly: true }, (db) => {
    if (isNew(db, path)) throw new StoreUnusable(`${path} is not a database of an ${AGENT}: it is empty`);
    defineIdleTracking(db);
  });
}

function opened(
  path: string,
  options: DatabaseSyncOptions,
  prepare: (db: DatabaseSync) => void,
): DatabaseSync {
  if (path === "" || path.startsWith(":") || path.startsWith("file:")) {
    throw new StoreUnusable(
      `${JSON.stringify(path)} is no path of a file: an agent's database is shared by processes`,
    );
  }
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(path, { ...OPTIONS, ...options });
    prepare(db);
    defineFunctions(db);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof StoreUnusable) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreUnusable(`the database ${path} cannot be opened: ${why}`, { cause: error });
  }
}
