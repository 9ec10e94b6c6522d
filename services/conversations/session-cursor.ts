/** @module Page cursors over a user's sessions, newest first: opaque to callers. */
import type { Session } from "./contract.ts";

/** Place of a session in the order newest first. */
export interface Position {
  readonly insertedAt: string;
  readonly id: string;
}

export function encodeCursor(session: Session): string {
  return Buffer.from(JSON.stringify([session.inserted_at, session.id])).toString("base64url");
}

/** Null when the text is not a cursor that `encodeCursor` made. */
export function decodeCursor(text: string): Position | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (!Array.isArray(value) || value.length !== 2) return null;
    const [insertedAt, id] = value as unknown[];
    return typeof insertedAt === "string" && typeof id === "string" ? { insertedAt, id } : null;
  } catch {
    return null;
  }
}

/** Newest first; equal times by id, so that the order is total. */
export function newestFirst(a: Session, b: Session): number {
  return compare(b.inserted_at, a.inserted_at) || compare(b.id, a.id);
}

/** Whether the session comes after the position in that order. */
export function isAfter(session: Session, { insertedAt, id }: Position): boolean {
  return (compare(insertedAt, session.inserted_at) || compare(id, session.id)) > 0;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
