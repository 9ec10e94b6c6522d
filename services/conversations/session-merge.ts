/** @module One page of a user's sessions from the answers of several sources, each of which may be cut short. */
import { type Listed, newestFirst } from "../../lib/conversation/session-order.ts";
import type { Session } from "./contract.ts";

/** What one source knows of the sessions that were asked for. */
export interface SourceAnswer {
  readonly sessions: readonly Session[];
  /** Where it was cut short: of what comes after this place it says nothing. Null: that was all. */
  readonly end: Listed | null;
}

export interface MergedSessions {
  /** Newest first, at most `limit`. */
  readonly sessions: readonly Session[];
  /** The place after which to ask for the next ones; null when there are none. */
  readonly next: Listed | null;
}

/**
 * The first `limit` sessions of all answers in the order newest first. Where an answer was cut short, nothing that
 * comes after its end is shown: one of its own might belong before it. So a page may be empty and yet not the last.
 */
export function mergeSessions(answers: readonly SourceAnswer[], limit: number): MergedSessions {
  // Where two nodes answer for one group, the one that has seen more of its log is right.
  const best = new Map<string, Session>();
  for (const session of answers.flatMap(({ sessions }) => sessions)) {
    const known = best.get(session.id);
    if (!known || known.updated_at < session.updated_at) best.set(session.id, session);
  }
  const [firstEnd = null] = answers
    .map(({ end }) => end)
    .filter((end) => end !== null)
    .sort(newestFirst);
  const sorted = [...best.values()].sort(newestFirst);
  const safe = firstEnd ? sorted.filter((session) => newestFirst(session, firstEnd) <= 0) : sorted;
  const sessions = safe.slice(0, limit);
  return { sessions, next: sessions.length < safe.length ? sessions.at(-1)! : firstEnd };
}
