/** @module The check that Postgres holds every message of the log, once and as it is. */
import { isDeepStrictEqual } from "node:util";
import type { Message } from "../../services/conversations/contract.ts";
import { execute } from "./postgres.ts";
import { until } from "./until.ts";

const QUERY = `
  select session_id, seq::int as seq, id, sender_id, kind, content, metadata,
         to_char(inserted_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as inserted_at
  from messages where session_id = any($1) order by session_id, seq, id`;

/** Messages of these sessions as the archive has them. */
export async function archivedMessages(url: string, sessions: readonly string[]): Promise<Message[]> {
  return execute<Message & Record<string, unknown>>(url, QUERY, [sessions]);
}

/** Waits until the archive holds what the log holds, and no more. Throws with what is missing or wrong. */
export async function untilArchived(
  url: string,
  stored: ReadonlyMap<string, readonly Message[]>,
  limitMs = 60_000,
): Promise<void> {
  let fault: string | null = "the archive was never read";
  try {
    await until(
      "everything is archived",
      async () => {
        fault = faultOfArchive(await archivedMessages(url, [...stored.keys()]), stored);
        return fault === null;
      },
      limitMs,
    );
  } catch (cause) {
    throw new Error(`the archive differs from the log: ${fault}`, { cause });
  }
}

/** What is wrong with the archive's rows, in a sentence; null when they are the stored messages, each once. */
export function faultOfArchive(
  rows: readonly Message[],
  stored: ReadonlyMap<string, readonly Message[]>,
): string | null {
  const found = new Map<string, Message>();
  for (const row of rows) {
    const place = `${row.session_id} ${row.seq}`;
    if (found.has(place)) return `${place} is there twice`;
    found.set(place, row);
  }
  let expected = 0;
  for (const [session, messages] of stored) {
    for (const message of messages) {
      expected += 1;
      const row = found.get(`${session} ${message.seq}`);
      if (!row) return `${session} ${message.seq} is missing (${rows.length} rows)`;
      if (!isDeepStrictEqual({ ...row }, { ...message })) {
        return `${session} ${message.seq} is ${JSON.stringify(row)} instead of ${JSON.stringify(message)}`;
      }
    }
  }
  return found.size === expected ? null : `${found.size} rows are there for ${expected} messages`;
}
