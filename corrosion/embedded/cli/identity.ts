/** @module Whose database a file is: the actor id with ordinal 0, to which the clocks of local writes point. */
import type { DatabaseSync } from "node:sqlite";

const OWN = 0n;

/** The file belongs to nobody from now on: its agent's id becomes one of the others'. */
export function forgetOwner(db: DatabaseSync): void {
  const owner = ownerOf(db);
  if (owner === null) return;
  const next = db
    .prepare("SELECT COALESCE(MAX(ordinal), 0) + 1 AS ordinal FROM crsql_site_id")
    .get()?.ordinal;
  if (typeof next !== "bigint") throw new Error("The actor ids of the database cannot be read.");
  db.prepare("UPDATE crsql_site_id SET ordinal = ? WHERE ordinal = 0").run(next);
  moveClocks(db, OWN, next);
}

/** The file belongs to this actor from now on, 16 bytes; what it wrote earlier is its own again. */
export function setOwner(db: DatabaseSync, actor: Uint8Array): void {
  forgetOwner(db);
  const known = db.prepare("SELECT ordinal FROM crsql_site_id WHERE site_id = ?").get(actor)?.ordinal;
  if (typeof known === "bigint") {
    db.prepare("UPDATE crsql_site_id SET ordinal = 0 WHERE ordinal = ?").run(known);
    moveClocks(db, known, OWN);
  } else {
    db.prepare("INSERT INTO crsql_site_id (ordinal, site_id) VALUES (0, ?)").run(actor);
  }
}

/** The 16 bytes of the file's own actor id; null in a backup. */
export function ownerOf(db: DatabaseSync): Uint8Array | null {
  const owner = db.prepare("SELECT site_id FROM crsql_site_id WHERE ordinal = 0").get()?.site_id;
  return owner instanceof Uint8Array ? owner : null;
}

function moveClocks(db: DatabaseSync, from: bigint, to: bigint): void {
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '*__crsql_clock'")
    .all();
  for (const { name } of tables) {
    const table = `"${String(name).replaceAll('"', '""')}"`;
    db.prepare(`UPDATE ${table} SET site_id = ? WHERE site_id = ?`).run(to, from);
  }
}
