/** @module Reading sessions and messages back from the archive. */
import { isoMicros } from "../../../lib/clock.ts";
import { type DispatchState, IDLE, MAX_KEYS } from "../../../lib/conversation/state.ts";
import type { Message } from "../contract.ts";
import type { Query } from "./database.ts";
import { ArchiveDataError } from "./errors.ts";
import type { SessionRow } from "./rows.ts";

/** A session's header as it was last archived. */
export interface ArchivedHeader extends Omit<SessionRow, "logIndex"> {
  /** The user has read up to this seq. */
  readonly cursor: number;
}

/** Everything that a session's state is made of. */
export interface ArchivedSession extends ArchivedHeader {
  /** Seqs above the cursor that the user did not send, ascending. */
  readonly unread: readonly number[];
  /** The last 1,024 idempotency keys with their seqs, oldest first. */
  readonly keys: readonly (readonly [string, number])[];
}

export interface ArchivedMessages {
  /** Ascending and contiguous. */
  readonly messages: readonly Message[];
  /** Bytes of their JSON. */
  readonly bytes: number;
  /** True when `maxBytes` ended the page before the limit and before the last message. */
  readonly cut: boolean;
}

export interface SessionFilter {
  readonly status?: "active" | "archived";
  /** Only sessions that come after this place in the order newest first. */
  readonly before?: { readonly insertedAt: number; readonly id: string };
  readonly limit: number;
}

/** Messages fetched at a time, so that a page of large ones never holds much more than it answers. */
const CHUNK = 100;

/** Exact: Postgres keeps times as whole microseconds, and `extract` answers a decimal number. */
const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;

const HEADER = `
  s.id, s.user_id as "user", s.agent_id as agent, s.status, s.metadata,
  ${micros("s.inserted_at")} as "insertedAt", ${micros("s.updated_at")} as "updatedAt",
  coalesce(s.last_seq, 0) as "lastSeq", s.dispatch,
  s.last_sender_id as "lastSenderId", ${micros("s.last_activity_at")} as "lastActivityAt",
  coalesce(c.last_seq, 0) as cursor`;

const FROM = `
  from sessions s left join cursors c on c.session_id = s.id and c.participant_id = s.user_id`;

/** One statement, so that all of it is of one moment; what is above `last_seq` belongs to a later header. */
const SESSION = `
  select ${HEADER}, unread.seqs as unread, keys.pairs as keys
  ${FROM},
  lateral (select coalesce(json_agg(m.seq order by m.seq), '[]') as seqs from messages m
           where m.session_id = s.id and m.seq > coalesce(c.last_seq, 0) and m.seq <= s.last_seq
             and m.sender_id <> s.user_id) unread,
  lateral (select coalesce(json_agg(json_build_array(k.idempotency_key, k.seq) order by k.seq), '[]') as pairs
           from (select idempotency_key, seq from messages m
                 where m.session_id = s.id and m.seq <= s.last_seq and m.idempotency_key is not null
                 order by seq desc limit ${MAX_KEYS}) k) keys
  where s.id = $1`;

/** Byte order of ids, as the program compares them. */
const SESSIONS = `
  select ${HEADER} ${FROM}
  where s.user_id = $1
    and ($2::text is null or s.status = $2)
    and ($3::bigint is null
      or (s.inserted_at, s.id collate "C") < ('epoch'::timestamptz + $3 * interval '1 microsecond', $4))
  order by s.inserted_at desc, s.id collate "C" desc
  limit $5`;

const MESSAGES = `
  select id, session_id, seq, sender_id, kind, content, metadata, ${micros("inserted_at")} as at
  from messages`;
const AFTER = `${MESSAGES} where session_id = $1 and seq > $2 order by seq limit $3`;

type HeaderRecord = Omit<ArchivedHeader, "dispatch"> & { readonly dispatch: DispatchState | null };
type SessionRecord = HeaderRecord & Pick<ArchivedSession, "unread" | "keys">;
type MessageRecord = Omit<Message, "inserted_at"> & { readonly at: number };

export async function readSession(query: Query, id: string): Promise<ArchivedSession | null> {
  const [record] = (await query<SessionRecord>(SESSION, [id])).rows;
  return record ? { ...record, dispatch: record.dispatch ?? IDLE } : null;
}

export async function readSessions(
  query: Query,
  user: string,
  { status, before, limit }: SessionFilter,
): Promise<readonly ArchivedHeader[]> {
  const values = [user, status ?? null, before?.insertedAt ?? null, before?.id ?? null, limit];
  const { rows } = await query<HeaderRecord>(SESSIONS, values);
  return rows.map((record) => ({ ...record, dispatch: record.dispatch ?? IDLE }));
}

/** Messages after+1 .. after+limit. Throws `ArchiveDataError` at a hole. */
export async function readMessages(
  query: Query,
  session: string,
  after: number,
  limit: number,
  maxBytes: number,
): Promise<ArchivedMessages> {
  const page = new Page(maxBytes);
  let last = after;
  while (page.count < limit) {
    const wanted = Math.min(CHUNK, limit - page.count);
    const { rows } = await query<MessageRecord>(AFTER, [session, last, wanted]);
    for (const row of rows) {
      expectSeq(session, row, last + 1);
      if (!page.add(row)) return page.end(true);
      last = row.seq;
    }
    if (rows.length < wanted) break;
  }
  return page.end(false);
}

function expectSeq(session: string, row: MessageRecord, seq: number): void {
  if (row.seq !== seq) throw hole(session, seq);
}

function hole(session: string, seq: number): ArchiveDataError {
  return new ArchiveDataError({ table: "messages", session, seq }, "the message is missing");
}

class Page {
  readonly #maxBytes: number;
  readonly #messages: Message[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#messages.length;
  }

  /** False, and not added, when the page would grow too large; the first message is always taken. */
  add({ at, ...rest }: MessageRecord): boolean {
    const message: Message = { ...rest, inserted_at: isoMicros(at) };
    const bytes = Buffer.byteLength(JSON.stringify(message));
    if (this.#messages.length > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#messages.push(message);
    this.#bytes += bytes;
    return true;
  }

  end(cut: boolean): ArchivedMessages {
    return { messages: this.#messages, bytes: this.#bytes, cut };
  }
}
