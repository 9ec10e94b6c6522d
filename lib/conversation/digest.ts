/** @module State digests: how replicas notice that they differ at one index. */
import { createHash } from "node:crypto";
import type { GroupState, SessionState } from "./state.ts";

/**
 * One session's share of the running digest, as two 32-bit numbers. It covers all that commands change;
 * what never changes enters through the id.
 * Entries in existing logs carry digests of this very function: changing it makes them unreadable. Cheap enough to be taken before and after every command.
 */
export function sessionHash(session: SessionState): [number, number] {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  const mix = (value: number) => {
    a = Math.imul(a ^ (value | 0), 0x01000193);
    b = Math.imul(b ^ (value | 0), 0x85ebca6b);
    b ^= b >>> 13;
  };
  for (let i = 0; i < session.id.length; i++) mix(session.id.charCodeAt(i));
  mix(session.status === "archived" ? 1 : 0);
  mix(session.lastSeq);
  mix(session.cursor);
  mix(session.unread.length);
  mix(session.keys.size);
  mix(session.dispatch.epoch);
  mix(session.updatedAt % 0x1_0000_0000);
  const location = session.locations.at(-1) ?? 0;
  mix(location % 0x1_0000_0000);
  mix(Math.floor(location / 0x1_0000_0000));
  return [a, b];
}

/** Replaces one session's share in the running digest; null before it exists. */
export function updateDigest(
  state: GroupState,
  before: readonly [number, number] | null,
  after: readonly [number, number] | null,
): void {
  const [a, b] = state.digest;
  state.digest = [
    (a - (before?.[0] ?? 0) + (after?.[0] ?? 0)) | 0,
    (b - (before?.[1] ?? 0) + (after?.[1] ?? 0)) | 0,
  ];
}

/** SHA-256 (hex) over the whole state in a canonical order: equal exactly when two replicas are equal. */
export function stateDigest(state: GroupState): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify([
      [state.group, state.applied, state.epoch, state.leader, state.clock, state.commands],
      [state.archived, state.changed, state.evicted, state.snapshot],
    ]),
  );
  for (const id of [...state.sessions.keys()].sort()) {
    const s = state.sessions.get(id)!;
    hash.update(
      JSON.stringify([
        [s.id, s.user, s.agent, s.metadata, s.insertedAt, s.updatedAt, s.status, s.lastSeq, s.cursor],
        [s.usedAt, s.logIndex, s.lastSender, s.lastActivityAt],
        [s.unread, s.dispatch, [...s.keys], s.locations],
      ]),
    );
  }
  return hash.digest("hex");
}
