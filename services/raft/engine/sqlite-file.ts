/** @module The log's SQLite file: its schema, how group and index make a row's key, and what its errors mean. */
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { WriterFailure } from "./sqlite-messages.ts";

/** Marks the file as ours ("flpt"), so that somebody else's database is not mistaken for a log. */
const APPLICATION_ID = 0x666c7074;
const SCHEMA_VERSION = 1;

/** How long the writer waits for somebody who holds the file's write lock (a backup tool, say). */
const BUSY_MS = 10_000;

/** A row's key packs group and index, so that a group's entries are neighbours in one plain B-tree. */
const INDEXES_PER_GROUP = 2 ** 40;
/** Keys stay safe integers below this many groups. */
export const MAX_GROUPS = 8192;

export function position(group: number, index: number): number {
  return group * INDEXES_PER_GROUP + index;
}

export function indexOf(group: number, position: number): number {
  return position - group * INDEXES_PER_GROUP;
}

/** CRC-32 of an entry, begun from where it belongs, so that a row in the wrong place fails as well. */
export function checksum(group: number, index: number, data: Uint8Array): number {
  return crc32(data, (Math.imul(group + 1, 0x9e3779b1) ^ index) >>> 0);
}

const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE groups (
    grp INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE entries (
    pos INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    crc INTEGER NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** The file is a database, but not one that this program can go on from. */
export class UnusableFile extends Error {
  override name = "UnusableFile";
}

/**
 * Opens the file for the one writing connection and creates the schema in a new file.
 * Throws `UnusableFile` for a database of another program or of a newer Fleetport, else SQLite's own error.
 */
export function openForWriting(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  try {
    prepareFile(database, file);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepareFile(database: DatabaseSync, file: string): void {
  const version = pragma(database, "user_version");
  if (version === 0 && integerOf(database, "SELECT count(*) AS value FROM sqlite_schema") === 0) {
    database.exec("PRAGMA journal_mode = WAL");
    database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
  } else if (pragma(database, "application_id") !== APPLICATION_ID) {
    throw new UnusableFile(`${file} is a SQLite database, but not a Fleetport log`);
  } else if (version > SCHEMA_VERSION) {
    throw new UnusableFile(
      `${file} was written by a newer Fleetport (log schema ${version}, this one knows ${SCHEMA_VERSION}): start that version, or use another FLEET_DATA_DIR`,
    );
  }
  // FULL: a commit has reached the disk before it is acknowledged. The larger cache holds the last page of every group.
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -16384;
  `);
}

/** Opens a connection that only reads; the writer must have opened the file before. */
export function openForReading(file: string): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
}

function pragma(database: DatabaseSync, name: string): number {
  return numberIn(database.prepare(`PRAGMA ${name}`).get(), name);
}

function integerOf(database: DatabaseSync, sql: string): number {
  return numberIn(database.prepare(sql).get(), "value");
}

/** The number in a row's column; 0 when there is no such row. */
export function numberIn(row: Record<string, unknown> | undefined, column: string): number {
  if (row === undefined) return 0;
  const value = row[column];
  if (typeof value !== "number")
    throw new UnusableFile(`column ${column} holds ${typeof value}, not a number`);
  return value;
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** SQLite's primary result code of an error; 0 when the error is not SQLite's. */
function resultCode(error: unknown): number {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return 0;
  return error.errcode & 0xff;
}

/** Whether the write failed for want of space or of the lock: then SQLite has written nothing. */
export function isRefusal(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_FULL || code === SQLITE_BUSY;
}

export function isFull(error: unknown): boolean {
  return resultCode(error) === SQLITE_FULL;
}

export function isBusy(error: unknown): boolean {
  return resultCode(error) === SQLITE_BUSY;
}

/** What an error on the file means for people. */
export function failureOf(error: unknown, file: string): WriterFailure {
  const code = resultCode(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof UnusableFile) return { corrupt: true, message: reason };
  if (code === SQLITE_NOTADB || code === SQLITE_CORRUPT) {
    return {
      corrupt: true,
      message: `${file} is damaged (${reason}): restore it from a copy, or move it away to start with an empty log`,
    };
  }
  if (code === SQLITE_FULL)
    return { corrupt: false, message: `no space is left on the disk of ${file} (${reason})` };
  return { corrupt: false, message: `${file} cannot be used: ${reason}` };
}
