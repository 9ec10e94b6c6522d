/** @module Snapshots of groups in Postgres. The table may hold FleetLM's own; they are left alone. */
import { createHash } from "node:crypto";
import { SNAPSHOT_MAGIC } from "../../../lib/conversation/snapshot.ts";
import type { Database, Query } from "./database.ts";
import { ArchiveDataError } from "./errors.ts";

export interface StoredSnapshot {
  /** Log index of the state. */
  readonly index: number;
  /** Microseconds since 1970. */
  readonly createdAt: number;
  /** Its bytes; null when it has been removed since the list was made. */
  load(): Promise<Uint8Array | null>;
}

/** FleetLM's snapshots, in the same table, are of another format and another log. */
const OURS = `substring(snapshot_data from 1 for ${SNAPSHOT_MAGIC.length}) = '\\x${Buffer.from(SNAPSHOT_MAGIC).toString("hex")}'`;

const SAVE = `
  insert into raft_snapshots (group_id, raft_index, snapshot_data, created_at) values ($1, $2, $3, now())
  on conflict (group_id, raft_index) do update
  set snapshot_data = excluded.snapshot_data, created_at = excluded.created_at`;
const LOAD = "select snapshot_data as data from raft_snapshots where group_id = $1 and raft_index = $2";
const REMOVE = "delete from raft_snapshots where group_id = $1 and raft_index = $2";
const PRUNE = `
  delete from raft_snapshots
  where group_id = $1 and ${OURS} and raft_index < (
    select raft_index from raft_snapshots where group_id = $1 and ${OURS}
    order by raft_index desc offset $2 limit 1)`;
const LIST = `
  select raft_index as index, (extract(epoch from created_at) * 1000000)::bigint as "createdAt"
  from raft_snapshots where group_id = $1 and ${OURS} order by raft_index desc`;

/** Stores a snapshot, reads it back and compares, then removes all but the newest `keep` of the group. */
export async function saveSnapshot(
  database: Database,
  group: number,
  index: number,
  data: Uint8Array,
  keep: number,
): Promise<void> {
  if (!SNAPSHOT_MAGIC.every((byte, i) => data[i] === byte)) {
    throw new TypeError("these bytes are not a snapshot");
  }
  await database.run((query) =>
    query(SAVE, [group, index, Buffer.from(data.buffer, data.byteOffset, data.length)]),
  );
  // Another connection, after the commit: what a recovering leader would get.
  const stored = await database.run((query) => load(query, group, index));
  if (!stored || sha256(stored) !== sha256(data)) {
    await database.run((query) => query(REMOVE, [group, index]));
    const place = { table: "raft_snapshots", session: null, seq: null };
    throw new ArchiveDataError(
      place,
      `the snapshot of group ${group} at ${index} did not come back as it was`,
    );
  }
  await database.run((query) => query(PRUNE, [group, keep - 1]));
}

/** The group's snapshots, newest first; their bytes are read when they are asked for. */
export async function listSnapshots(database: Database, group: number): Promise<readonly StoredSnapshot[]> {
  const { rows } = await database.run((query) => query<{ index: number; createdAt: number }>(LIST, [group]));
  return rows.map(({ index, createdAt }) => ({
    index,
    createdAt,
    load: () => database.run((query) => load(query, group, index)),
  }));
}

async function load(query: Query, group: number, index: number): Promise<Uint8Array | null> {
  const { rows } = await query<{ data: Uint8Array }>(LOAD, [group, index]);
  return rows[0]?.data ?? null;
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
