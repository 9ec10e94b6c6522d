/** @module Page cursors over a user's sessions, newest first: opaque to callers. */
import type { SessionPosition } from "../../lib/conversation/session-order.ts";
import type { Session } from "./contract.ts";

export function encodeCursor(session: Session): string {
  return Buffer.from(JSON.stringify([session.inserted_at, session.id])).toString("base64url");
}

/** Null when the text is not a cursor that `encodeCursor` made. */
export function decodeCursor(text: string): SessionPosition | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (!Array.isArray(value) || value.length !== 2) return null;
    const [insertedAt, id] = value as unknown[];
    return typeof insertedAt === "string" && typeof id === "string" ? { insertedAt, id } : null;
  } catch {
    return null;
  }
}
