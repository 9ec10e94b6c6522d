/** @module Writing a batch: statements that may be repeated, overtaken and raced without harm. */
import type { Query } from "./database.ts";
import { ArchiveDataError, describe, isDataError, type RowPlace } from "./errors.ts";
import type { ArchiveBatch, CursorRow, MessageRow, SessionRow } from "./rows.ts";

/** A statement's rows are sent as one JSON text of about this many characters at most. */
const MAX_STATEMENT_CHARS = 4_194_304;

/** Postgres computes with whole microseconds, so no digit is lost. */
const micros = (column: string) => `'epoch'::timestamptz + ${column} * interval '1 microsecond'`;

const SESSIONS = `
  insert into sessions (id, user_id, agent_id, status, metadata, shard_key, last_seq, last_sender_id,
                        last_activity_at, dispatch, log_index, inserted_at, updated_at)
  select id, "user", agent, status, metadata, $2, "lastSeq", "lastSenderId",
         ${micros('"lastActivityAt"')}, dispatch, "logIndex", ${micros('"insertedAt"')}, ${micros('"updatedAt"')}
  from json_to_recordset($1::json) as row (
    id text, "user" text, agent text, status text, metadata jsonb, "lastSeq" bigint, "lastSenderId" text,
    "lastActivityAt" bigint, dispatch jsonb, "logIndex" bigint, "insertedAt" bigint, "updatedAt" bigint)
  on conflict (id) do update
  set status = excluded.status, metadata = excluded.metadata, shard_key = excluded.shard_key,
      last_seq = excluded.last_seq, last_sender_id = excluded.last_sender_id,
      last_activity_at = excluded.last_activity_at, dispatch = excluded.dispatch,
      log_index = excluded.log_index, updated_at = excluded.updated_at
  where sessions.log_index is null or sessions.log_index < excluded.log_index`;

const MESSAGES = `
  insert into messages (id, session_id, sender_id, recipient_id, seq, kind, content, metadata, shard_key,
                        idempotency_key, inserted_at)
  select id, session, sender, recipient, seq, kind, content, metadata, $2, key, ${micros('"insertedAt"')}
  from json_to_recordset($1::json) as row (
    id text, session text, sender text, recipient text, seq bigint, kind text, content jsonb, metadata jsonb,
    key text, "insertedAt" bigint)
  on conflict (session_id, seq) do nothing`;

const OTHER_IDS = `
  select count(*) as count
  from json_to_recordset($1::json) as row (id text, session text, seq bigint)
  join messages on messages.session_id = row.session and messages.seq = row.seq
  where messages.id <> row.id`;

const CURSORS = `
  insert into cursors (id, session_id, participant_id, last_seq, shard_key, inserted_at, updated_at)
  select gen_random_uuid()::text, session, participant, "lastSeq", $2, ${micros("at")}, ${micros("at")}
  from json_to_recordset($1::json) as row (session text, participant text, "lastSeq" bigint, at bigint)
  on conflict (session_id, participant_id) do update
  set last_seq = excluded.last_seq, shard_key = excluded.shard_key, updated_at = excluded.updated_at
  where cursors.last_seq < excluded.last_seq`;

const WATERMARK = `
  insert into group_watermarks (group_id, archived_index, updated_at) values ($1, $2, now())
  on conflict (group_id) do update
  set archived_index = excluded.archived_index, updated_at = excluded.updated_at
  where group_watermarks.archived_index < excluded.archived_index`;

/** A row as it is sent, and what to call it when Postgres refuses it. */
interface Prepared {
  readonly json: string;
  readonly place: RowPlace;
}

/**
 * Writes the batch within the caller's transaction, at most `flushBatch` rows a statement. Returns how many messages
 * met a row with another id. Throws `ArchiveDataError` that names the first row that Postgres refuses.
 */
export async function writeBatch(query: Query, batch: ArchiveBatch, flushBatch: number): Promise<number> {
  const { group } = batch;
  for (const chunk of chunks(sessionRows(batch.sessions), flushBatch)) {
    await insert(query, SESSIONS, group, chunk);
  }
  let conflicts = 0;
  for (const chunk of chunks(messageRows(batch.messages), flushBatch)) {
    const written = await insert(query, MESSAGES, group, chunk);
    if (written < chunk.length) conflicts += await otherIds(query, chunk);
  }
  for (const chunk of chunks(cursorRows(batch.cursors), flushBatch)) {
    await insert(query, CURSORS, group, chunk);
  }
  await query(WATERMARK, [group, batch.archivedIndex]);
  return conflicts;
}

/** One statement; when Postgres refuses its data, finds the row that is at fault. */
async function insert(
  query: Query,
  statement: string,
  group: number,
  rows: readonly Prepared[],
): Promise<number> {
  await query("savepoint rows");
  try {
    return (await query(statement, [jsonArray(rows), group])).count;
  } catch (error) {
    if (!isDataError(error)) throw error;
    // The shortest beginning of the rows that is refused ends with the row at fault.
    let accepted = 0;
    let refused = rows.length;
    let cause = error;
    while (refused - accepted > 1) {
      const middle = Math.floor((accepted + refused) / 2);
      await query("rollback to savepoint rows");
      try {
        await query(statement, [jsonArray(rows.slice(0, middle)), group]);
        accepted = middle;
      } catch (again) {
        if (!isDataError(again)) throw again;
        refused = middle;
        cause = again;
      }
    }
    throw new ArchiveDataError(rows[refused - 1]!.place, `Postgres refuses the row: ${describe(cause)}`, {
      cause,
    });
  }
}

async function otherIds(query: Query, rows: readonly Prepared[]): Promise<number> {
  return (await query<{ count: number }>(OTHER_IDS, [jsonArray(rows)])).rows[0]!.count;
}

function jsonArray(rows: readonly Prepared[]): string {
  return `[${rows.map(({ json }) => json).join(",")}]`;
}

function* chunks(rows: readonly Prepared[], maxRows: number): Generator<readonly Prepared[]> {
  let chunk: Prepared[] = [];
  let chars = 0;
  for (const row of rows) {
    if (chunk.length === maxRows || (chunk.length > 0 && chars + row.json.length > MAX_STATEMENT_CHARS)) {
      yield chunk;
      chunk = [];
      chars = 0;
    }
    chunk.push(row);
    chars += row.json.length;
  }
  if (chunk.length > 0) yield chunk;
}

/*
 * All writers send rows in one order, so that two that write the same rows wait for each other and never deadlock.
 * `on conflict do update` takes each row once, so only the newest version of a row is sent.
 */

function sessionRows(sessions: readonly SessionRow[]): Prepared[] {
  const newest = new Map<string, SessionRow>();
  for (const row of sessions) {
    const other = newest.get(row.id);
    if (!other || other.logIndex < row.logIndex) newest.set(row.id, row);
  }
  return [...newest.values()]
    .sort((a, b) => order(a.id, b.id))
    .map((row) => prepare(row, { table: "sessions", session: row.id, seq: null }));
}

function messageRows(messages: readonly MessageRow[]): Prepared[] {
  return messages
    .toSorted((a, b) => order(a.session, b.session) || a.seq - b.seq)
    .map((row) => prepare(row, { table: "messages", session: row.session, seq: row.seq }));
}

function cursorRows(cursors: readonly CursorRow[]): Prepared[] {
  const highest = new Map<string, CursorRow>();
  for (const row of cursors) {
    const id = JSON.stringify([row.session, row.participant]);
    const other = highest.get(id);
    if (!other || other.lastSeq < row.lastSeq) highest.set(id, row);
  }
  return [...highest.values()]
    .sort((a, b) => order(a.session, b.session) || order(a.participant, b.participant))
    .map((row) => prepare(row, { table: "cursors", session: row.session, seq: row.lastSeq }));
}

function prepare(row: SessionRow | MessageRow | CursorRow, place: RowPlace): Prepared {
  return { json: JSON.stringify(row), place };
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
