/** @module Whose database a file is: ids that change hands in backups, restores and rejoins. */
import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { ActorId } from "../replication.ts";
import { actorBytes, actorIdOf, newActorId } from "./actor-id.ts";
import { openReader, openWriter } from "./connection.ts";
import { StoreUnusable } from "./contract.ts";
import { Query } from "./sql-rows.ts";
import { clockTable } from "./tracking.ts";

/** Whose the restored database is to be. */
export type RestoredAs =
  | { readonly kind: "new" }
  /** The id that the database at the target has now. */
  | { readonly kind: "self" }
  | { readonly kind: "actor"; readonly actorId: ActorId };

/**
 * Writes a consistent copy of a store, which a running agent may be using, to a file that must not exist yet. The
 * copy belongs to nobody: its own id is an origin as others are, and it remembers no members. Throws `StoreUnusable`.
 */
export function backupStore(source: string, target: string): void {
  if (existsSync(target)) throw new StoreUnusable(`${target} exists already: name a file that does not`);
  const reader = openReader(source);
  try {
    reader.prepare("VACUUM INTO ?").run(target);
  } catch (error) {
    throw new StoreUnusable(`the backup ${target} cannot be written: ${text(error)}`, { cause: error });
  } finally {
    reader.close();
  }
  const copy = openWriter(target);
  try {
    inTransaction(copy, () => {
      disown(copy);
      copy.exec("DELETE FROM __corro_members");
    });
    copy.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
}

/**
 * Puts a backup in the place of a store that nobody has open. Returns whose it is now. Throws `StoreUnusable` when
 * the backup is none of an embedded agent, or the target has no id to keep; the target is left alone then.
 */
export function restoreStore(backup: string, target: string, as: RestoredAs): ActorId {
  const actorId = as.kind === "actor" ? as.actorId : as.kind === "self" ? ownIdOf(target) : newActorId();
  openReader(backup).close();
  const staged = `${target}.restoring`;
  removeStore(staged);
  copyFileSync(backup, staged);
  const copy = openWriter(staged);
  try {
    inTransaction(copy, () => own(copy, actorId));
    copy.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
  removeStore(target);
  renameSync(staged, target);
  return actorId;
}

/** A new identity for an open store. To be called in a transaction. */
export function takeNewIdentity(db: DatabaseSync): ActorId {
  const actorId = newActorId();
  own(db, actorId);
  return actorId;
}

function ownIdOf(path: string): ActorId {
  const reader = openReader(path);
  try {
    const id = ownId(reader);
    if (id === null) throw new StoreUnusable(`${path} has no actor id of its own to keep`);
    return id;
  } finally {
    reader.close();
  }
}

function ownId(db: DatabaseSync): ActorId | null {
  const row = new Query<{ site_id: Uint8Array }>(
    db,
    "SELECT site_id FROM crsql_site_id WHERE ordinal = 0",
  ).first();
  return row ? actorIdOf(row.site_id) : null;
}

/** Makes an id the own one; what another own id wrote stays its. */
function own(db: DatabaseSync, actorId: ActorId): void {
  if (ownId(db) === actorId) return;
  disown(db);
  const known = new Query<{ ordinal: bigint }>(
    db,
    "SELECT ordinal FROM crsql_site_id WHERE site_id = ?",
  ).first(actorBytes(actorId));
  if (known) {
    moveClocks(db, known.ordinal, 0n);
    db.prepare("UPDATE crsql_site_id SET ordinal = 0 WHERE ordinal = ?").run(known.ordinal);
    // An own version is never missing here.
    db.prepare("DELETE FROM __corro_bookkeeping_gaps WHERE actor_id = ?").run(actorBytes(actorId));
    db.prepare("DELETE FROM __corro_seq_bookkeeping WHERE site_id = ?").run(actorBytes(actorId));
    db.prepare("DELETE FROM __corro_buffered_changes WHERE site_id = ?").run(actorBytes(actorId));
  } else {
    db.prepare("INSERT INTO crsql_site_id (site_id, ordinal) VALUES (?, 0)").run(actorBytes(actorId));
  }
}

function disown(db: DatabaseSync): void {
  const id = ownId(db);
  if (id === null) return;
  db.exec("DELETE FROM crsql_site_id WHERE ordinal = 0");
  // An INTEGER PRIMARY KEY would begin at 1 again, and 0 with an empty table.
  const free = new Query<{ ordinal: bigint }>(
    db,
    "SELECT coalesce(max(ordinal), 0) + 1 AS ordinal FROM crsql_site_id",
  );
  const ordinal = free.first()?.ordinal ?? 1n;
  db.prepare("INSERT INTO crsql_site_id (site_id, ordinal) VALUES (?, ?)").run(actorBytes(id), ordinal);
  moveClocks(db, 0n, ordinal);
}

function moveClocks(db: DatabaseSync, from: bigint, to: bigint): void {
  const tables = new Query<{ name: string }>(
    db,
    "SELECT name FROM __corro_schema WHERE type = 'table'",
  ).all();
  for (const { name } of tables) {
    db.prepare(`UPDATE ${clockTable(name)} SET site_id = ? WHERE site_id = ?`).run(to, from);
  }
}

function inTransaction(db: DatabaseSync, run: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  run();
  db.exec("COMMIT");
}

function removeStore(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${suffix}`, { force: true });
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
