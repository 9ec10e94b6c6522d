/** @module The archive: what a leader writes to Postgres and reads back from it. */
import type { FoundSession } from "../contract.ts";
import { Database, type Query } from "./database.ts";
import {
  type ArchivedHeader,
  type ArchivedMessages,
  readMessages,
  readSession,
  readSessions,
  type SessionFilter,
} from "./read.ts";
import type { ArchiveBatch } from "./rows.ts";
import { listSnapshots, type StoredSnapshot, saveSnapshot } from "./snapshots.ts";
import { writeBatch } from "./write.ts";

export type { ArchivedHeader, ArchivedMessages, ArchivedSession, SessionFilter } from "./read.ts";
export type { ArchiveBatch, CursorRow, MessageRow, SessionRow } from "./rows.ts";
export type { StoredSnapshot } from "./snapshots.ts";

export interface ArchiveOptions {
  /** Connection string of a database that `migrateArchive` has prepared. */
  readonly url: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** Rows a statement at most; default 5000. */
  readonly flushBatch?: number;
  /** Snapshots kept of each group; default 3. */
  readonly snapshotKeep?: number;
  /** Longest wait for a connection, a free one or a new one; default 2000. */
  readonly connectTimeoutMs?: number;
  /** Longest time that one statement may take; default 10,000. */
  readonly statementTimeoutMs?: number;
}

/**
 * Every call throws `ArchiveUnavailable` when it may be tried again later, and `ArchiveDataError` when a row is
 * refused or what is stored is not whole.
 *
 * Content and metadata come back equal as JSON values; `jsonb` keeps neither the order of keys nor the way in which
 * a number was written (`1e2` comes back as `100`).
 */
export interface ArchiveStore {
  /**
   * Writes a batch in one transaction. May be repeated, and raced by another leader's: rows that are there stay,
   * headers, cursors and the watermark only rise. `conflicts` counts messages whose seq is there with another id.
   */
  writeBatch(batch: ArchiveBatch): Promise<{ readonly conflicts: number }>;
  /** Log index up to which the group is archived; 0 when nothing is. */
  watermark(group: number): Promise<number>;
  /**
   * What a session's state is made of, null when the session is not archived; with the watermark of its group, read
   * behind it on the same connection: an archive that has lost entries shows it there.
   */
  find(group: number, id: string): Promise<FoundSession>;
  /**
   * Messages after+1 .. after+limit, fewer where the archive or `maxBytes` ends, but never less than one that is
   * there.
   */
  messages(session: string, after: number, limit: number, maxBytes: number): Promise<ArchivedMessages>;
  /** A user's sessions, newest first. */
  sessionsOfUser(user: string, filter: SessionFilter): Promise<readonly ArchivedHeader[]>;
  /** Stores a group's snapshot, makes sure that it can be read, and keeps only the newest ones. */
  saveSnapshot(group: number, index: number, data: Uint8Array): Promise<void>;
  /** The group's snapshots, newest first. */
  snapshots(group: number): Promise<readonly StoredSnapshot[]>;
  /** Lets running calls end for a second, then ends them as unavailable. */
  close(): Promise<void>;
}

const WATERMARK = "select archived_index as index from group_watermarks where group_id = $1";

async function readWatermark(query: Query, group: number): Promise<number> {
  return (await query<{ index: number }>(WATERMARK, [group])).rows[0]?.index ?? 0;
}

/** Opens the archive. Nothing is connected before the first call, so it works while Postgres is away. */
export function openArchive(options: ArchiveOptions): ArchiveStore {
  const {
    flushBatch = 5000,
    snapshotKeep = 3,
    connectTimeoutMs = 2000,
    statementTimeoutMs = 10_000,
  } = options;
  const database = new Database({ ...options, connectTimeoutMs, statementTimeoutMs });
  return {
    writeBatch: (batch) =>
      database.transaction(async (query) => ({ conflicts: await writeBatch(query, batch, flushBatch) })),
    watermark: (group) => database.run((query) => readWatermark(query, group)),
    find: (group, id) =>
      database.run(async (query) => ({
        session: await readSession(query, id),
        watermark: await readWatermark(query, group),
      })),
    messages: (session, after, limit, maxBytes) =>
      database.run((query) => readMessages(query, session, after, limit, maxBytes)),
    sessionsOfUser: (user, filter) => database.run((query) => readSessions(query, user, filter)),
    saveSnapshot: (group, index, data) => saveSnapshot(database, group, index, data, snapshotKeep),
    snapshots: (group) => listSnapshots(database, group),
    close: () => database.close(),
  };
}
