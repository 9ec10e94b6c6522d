/** @module The order in which a user's sessions are listed: newest first, and total. */

/** What the order looks at. */
export interface Listed {
  /** ISO-8601 UTC of one length, so that text order is time order. */
  readonly inserted_at: string;
  readonly id: string;
}

/** A place in the order. */
export interface SessionPosition {
  readonly insertedAt: string;
  readonly id: string;
}

/** For sorting newest first; equal times by id. */
export function newestFirst(a: Listed, b: Listed): number {
  return compare(b.inserted_at, a.inserted_at) || compare(b.id, a.id);
}

/** Whether the session comes after the position in that order. */
export function isAfter(session: Listed, { insertedAt, id }: SessionPosition): boolean {
  return (compare(insertedAt, session.inserted_at) || compare(id, session.id)) > 0;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
