/** @module A page of a user's archived sessions, as much as one answer on the bus can carry. */
import { MAX_CALL_BYTES } from "../../../lib/bus-limits.ts";
import { microsOf } from "../../../lib/clock.ts";
import type { ArchivedUserSessions, GetUserSessions, Session } from "../contract.ts";
import type { ArchiveStore } from "./store.ts";
import { archivedSessionView } from "./views.ts";

/** Newest first. Throws what the store throws, and `RangeError` when the position has no time. */
export async function userSessions(
  store: Pick<ArchiveStore, "sessionsOfUser">,
  { user_id, status, position, limit }: GetUserSessions,
): Promise<ArchivedUserSessions> {
  const insertedAt = position && microsOf(position.insertedAt);
  if (insertedAt === null) throw new RangeError(`"${position?.insertedAt}" is not a time`);
  // One more than asked for tells whether later ones are there.
  const headers = await store.sessionsOfUser(user_id, {
    limit: limit + 1,
    ...(status !== undefined && { status }),
    ...(position && insertedAt !== undefined && { before: { insertedAt, id: position.id } }),
  });
  const sessions: Session[] = [];
  let bytes = 0;
  for (const header of headers.slice(0, limit)) {
    const session = archivedSessionView(header);
    bytes += Buffer.byteLength(JSON.stringify(session));
    if (bytes > MAX_CALL_BYTES && sessions.length > 0) break;
    sessions.push(session);
  }
  return { sessions, more: sessions.length < headers.length };
}
