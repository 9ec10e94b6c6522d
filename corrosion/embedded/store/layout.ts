/** @module The bookkeeping tables of a store (contract corrosion, section 7), and how a file is known as one of ours. */
import type { DatabaseSync } from "node:sqlite";
import type { ActorId } from "../replication.ts";
import { actorBytes } from "./actor-id.ts";
import { StoreUnusable } from "./contract.ts";
import { Query } from "./sql-rows.ts";

/** What `__corro_state` says of itself: real agents and this one never share a file. */
export const AGENT = "embedded development agent";
const SCHEMA_VERSION = 1n;

const TABLES = `
  CREATE TABLE __corro_state (key TEXT NOT NULL PRIMARY KEY, value);
  CREATE TABLE __corro_members (
    actor_id BLOB NOT NULL PRIMARY KEY, address TEXT NOT NULL, foca_state JSON, rtt_min INTEGER,
    updated_at DATETIME NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE TABLE __corro_bookkeeping_gaps (
    actor_id BLOB NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, PRIMARY KEY (actor_id, start)
  ) WITHOUT ROWID;
  CREATE TABLE __corro_seq_bookkeeping (
    site_id BLOB NOT NULL, db_version INTEGER NOT NULL, start_seq INTEGER NOT NULL, end_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, ts TEXT NOT NULL, PRIMARY KEY (site_id, db_version, start_seq)
  ) WITHOUT ROWID;
  CREATE TABLE __corro_buffered_changes (
    "table" TEXT NOT NULL, pk BLOB NOT NULL, cid TEXT NOT NULL, val ANY, col_version INTEGER NOT NULL,
    db_version INTEGER NOT NULL, site_id BLOB NOT NULL, seq INTEGER NOT NULL, cl INTEGER NOT NULL, ts TEXT NOT NULL,
    PRIMARY KEY (site_id, db_version, seq, "table", pk, cid)
  ) WITHOUT ROWID;
  CREATE TABLE __corro_schema (
    tbl_name TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, sql TEXT NOT NULL, source TEXT NOT NULL,
    PRIMARY KEY (tbl_name, type, name)
  ) WITHOUT ROWID;
  CREATE TABLE crsql_site_id (site_id BLOB NOT NULL, ordinal INTEGER PRIMARY KEY);
  CREATE UNIQUE INDEX crsql_site_id_site_id ON crsql_site_id (site_id);
  CREATE TABLE crsql_db_versions (site_id BLOB NOT NULL PRIMARY KEY, db_version INTEGER NOT NULL) STRICT;
`;

/** The view over no tables; `applySchema` puts the real one in its place. */
export const EMPTY_CHANGES = `CREATE VIEW crsql_changes AS SELECT NULL AS "table", NULL AS pk, NULL AS cid, NULL AS val,
  NULL AS col_version, NULL AS db_version, NULL AS site_id, NULL AS cl, NULL AS seq, NULL AS ts WHERE 0`;

/** Whether the file has nothing in it yet. Throws `StoreUnusable` when what it has is not ours. */
export function isNew(db: DatabaseSync, path: string): boolean {
  const state = new Query<{ found: bigint; ours: bigint }>(
    db,
    "SELECT count(*) AS found, count(*) FILTER (WHERE name = '__corro_state') AS ours FROM sqlite_master",
  ).first();
  if (!state || state.found === 0n) return true;
  const agent = state.ours > 0n ? stateValue(db, "agent") : null;
  if (agent !== AGENT) {
    throw new StoreUnusable(
      `${path} is not a database of an ${AGENT}: it was made by something else, and is left alone; name another file in db.path`,
    );
  }
  if (stateValue(db, "schema_version") !== SCHEMA_VERSION) {
    throw new StoreUnusable(
      `${path} was made by another release of the ${AGENT}: use that one, or another file`,
    );
  }
  return false;
}

/** A value of `__corro_state`; null when there is none. */
export function stateValue(db: DatabaseSync, key: string): bigint | number | string | Uint8Array | null {
  return (
    new Query<{ value: bigint | number | string | Uint8Array | null }>(
      db,
      "SELECT value FROM __corro_state WHERE key = ?",
    ).first(key)?.value ?? null
  );
}

/** Makes the tables of a new store. To be called in a transaction. */
export function createLayout(db: DatabaseSync, actorId: ActorId): void {
  db.exec(TABLES);
  db.exec(EMPTY_CHANGES);
  const put = db.prepare("INSERT INTO __corro_state (key, value) VALUES (?, ?)");
  put.run("agent", AGENT);
  put.run("schema_version", SCHEMA_VERSION);
  put.run("cluster_id", 0n);
  put.run("clock", "0");
  db.prepare("INSERT INTO crsql_site_id (site_id, ordinal) VALUES (?, 0)").run(actorBytes(actorId));
}
