/** @module Rows for archive tests, and what a database holds. */
import { IDLE } from "../../lib/conversation/state.ts";
import type {
  ArchiveBatch,
  ArchivedSession,
  ArchiveStore,
  CursorRow,
  MessageRow,
  SessionRow,
} from "../../services/conversations/archive/store.ts";
import { execute } from "./postgres.ts";

/** 2026-01-02T03:04:05.678901Z */
export const T0 = 1_767_323_045_678_901;

export function sessionRow(fields: Partial<SessionRow> = {}): SessionRow {
  return {
    id: "s",
    user: "u",
    agent: "a",
    status: "active",
    metadata: {},
    insertedAt: T0,
    updatedAt: T0,
    lastSeq: 0,
    dispatch: IDLE,
    lastSenderId: null,
    lastActivityAt: null,
    logIndex: 1,
    ...fields,
  };
}

export function messageRow(fields: Partial<MessageRow> = {}): MessageRow {
  const { session = "s", seq = 1, sender = "u" } = fields;
  return {
    id: `${session}-${seq}`,
    session,
    seq,
    sender,
    recipient: sender === "u" ? "a" : "u",
    kind: "text",
    content: { text: `message ${seq}` },
    metadata: {},
    key: null,
    insertedAt: T0 + seq,
    ...fields,
  };
}

export function cursorRow(fields: Partial<CursorRow> = {}): CursorRow {
  return { session: "s", participant: "u", lastSeq: 0, at: T0, ...fields };
}

export function batch(fields: Partial<ArchiveBatch> = {}): ArchiveBatch {
  return { group: 7, sessions: [], messages: [], cursors: [], archivedIndex: 0, ...fields };
}

/** Session `id` with messages 1..count and the header after them. */
export function conversation(id: string, count: number, logIndex = count): ArchiveBatch {
  const messages = Array.from({ length: count }, (_, i) =>
    messageRow({ session: id, seq: i + 1, sender: i % 2 === 0 ? "u" : "a" }),
  );
  const last = messages.at(-1);
  const sessions = [
    sessionRow({
      id,
      lastSeq: count,
      logIndex,
      lastSenderId: last?.sender ?? null,
      lastActivityAt: last?.insertedAt ?? null,
    }),
  ];
  return batch({ sessions, messages, archivedIndex: logIndex });
}

/** What the archive holds of a session; null when it holds none. */
export async function sessionOf(store: ArchiveStore, id: string): Promise<ArchivedSession | null> {
  return (await store.find(7, id)).session;
}

/** Every row of the tables that a batch writes, but for what the database adds by itself. */
export async function contents(url: string): Promise<Record<string, object[]>> {
  const tables: Record<string, string> = {
    sessions: "select * from sessions order by id",
    messages: "select * from messages order by session_id, seq",
    cursors:
      "select session_id, participant_id, last_seq, shard_key, inserted_at, updated_at from cursors order by 1, 2",
    group_watermarks: "select group_id, archived_index from group_watermarks order by 1",
  };
  const found: Record<string, object[]> = {};
  for (const [table, query] of Object.entries(tables)) {
    const rows = await execute<{ row: object }>(url, `select to_jsonb(r) as row from (${query}) r`);
    found[table] = rows.map(({ row }) => row);
  }
  return found;
}
