/** @module Page cursors over a user's sessions, newest first: opaque to callers. */
import { microsOf } from "../../lib/clock.ts";
import type { Listed, SessionPosition } from "../../lib/conversation/session-order.ts";
import { isCallerId } from "../../lib/ids.ts";

export function encodeCursor({ inserted_at, id }: Listed): string {
  return Buffer.from(JSON.stringify([inserted_at, id])).toString("base64url");
}

/** Null when the text is not a cursor that `encodeCursor` made. */
export function decodeCursor(text: string): SessionPosition | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (!Array.isArray(value) || value.length !== 2) return null;
    const [insertedAt, id] = value as unknown[];
    if (typeof insertedAt !== "string" || microsOf(insertedAt) === null) return null;
    return typeof id === "string" && isCallerId(id) ? { insertedAt, id } : null;
  } catch {
    return null;
  }
}
