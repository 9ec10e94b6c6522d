/** @module One page of a user's sessions from the answers of several nodes, each of which may be cut short. */
import { newestFirst } from "../../lib/conversation/session-order.ts";
import type { UserSessionsResult } from "../raft/contract.ts";
import type { Session } from "./contract.ts";

export interface MergedSessions {
  /** Newest first, at most `limit`. */
  readonly sessions: readonly Session[];
  /** Later ones are there. */
  readonly more: boolean;
}

/**
 * The first `limit` sessions of all answers in the order newest first. Where an answer was cut short, nothing that
 * comes after its last session is shown: one of its own might belong before it.
 */
export function mergeSessions(
  answers: readonly Pick<UserSessionsResult, "sessions" | "more">[],
  limit: number,
): MergedSessions {
  // Where two nodes answer for one group, the one that has seen more of its log is right.
  const best = new Map<string, Session>();
  for (const session of answers.flatMap(({ sessions }) => sessions)) {
    const known = best.get(session.id);
    if (!known || known.updated_at < session.updated_at) best.set(session.id, session);
  }
  const ends = answers.flatMap(({ sessions, more }) => (more ? sessions.slice(-1) : []));
  const [firstEnd] = ends.sort(newestFirst);
  const sorted = [...best.values()].sort(newestFirst);
  const safe = firstEnd ? sorted.filter((session) => newestFirst(session, firstEnd) <= 0) : sorted;
  const sessions = safe.slice(0, limit);
  return { sessions, more: sessions.length < sorted.length || firstEnd !== undefined };
}
