/** @module The sessions of a user: pages put together, and what is new in each since it was looked at. Pure. */
import type { Session } from "../../../services/conversations/contract.ts";

/** The newest page and older ones as one list, each session once, as its newest answer has it. */
export function allOf(newest: readonly Session[], older: readonly Session[]): readonly Session[] {
  const ids = new Set(newest.map(({ id }) => id));
  return [...newest, ...older.filter(({ id }) => !ids.has(id))];
}

/** What stood on a newest page and has been pushed off it since, newest first, at most `most`. */
export function passedAfter(
  passed: readonly Session[],
  before: readonly Session[],
  newest: readonly Session[],
  most: number,
): readonly Session[] {
  const ids = new Set(newest.map(({ id }) => id));
  const gone = before.filter(({ id }) => !ids.has(id));
  return gone.length === 0 ? passed : allOf(gone, passed).slice(0, most);
}

/** Seq of each session up to which the person has seen it; sessions that are met for the first time count as seen. */
export function seenAfter(
  seen: ReadonlyMap<string, number>,
  sessions: readonly Session[],
  open: string | null,
): ReadonlyMap<string, number> {
  const changes = sessions.filter(
    ({ id, last_seq }) => !seen.has(id) || (id === open && seen.get(id) !== last_seq),
  );
  if (changes.length === 0) return seen;
  return new Map([...seen, ...changes.map(({ id, last_seq }) => [id, last_seq] as const)]);
}

/** How many messages a session has got since it was seen last. */
export function newIn({ id, last_seq }: Session, seen: ReadonlyMap<string, number>): number {
  return Math.max(0, last_seq - (seen.get(id) ?? last_seq));
}

/** Address of the page for a user and a session. */
export function placeOf(userId: string | null, sessionId: string | null): string {
  const query = new URLSearchParams();
  if (userId !== null) query.set("user_id", userId);
  if (sessionId !== null) query.set("session_id", sessionId);
  const text = query.toString();
  return text === "" ? "/conversations" : `/conversations?${text}`;
}
