/** @module A user's sessions: those of the archive, overlaid by the resident ones, whose state is the newer one. */
import type { Listed } from "../../lib/conversation/session-order.ts";
import type { UserSessions, UserSessionsResult } from "../raft/contract.ts";
import type { ArchivedUserSessions, GetUserSessions, Session } from "./contract.ts";
import { mergeSessions, type SourceAnswer } from "./session-merge.ts";

/** Who is asked. */
export interface SessionSources {
  /** Null when the archive cannot be asked now. */
  archived(asked: GetUserSessions): Promise<ArchivedUserSessions | null>;
  /** Answers that speak for every group, together. */
  resident(asked: UserSessions): Promise<readonly UserSessionsResult[]>;
}

export interface ListedSessions {
  readonly sessions: readonly Session[];
  /** The place after which the next page begins; null after the last one. */
  readonly next: Listed | null;
  /** The archive could not be asked. */
  readonly partial: boolean;
}

/** Rows that are asked for when a page came out empty. */
const REFILL = 50;

/**
 * The next sessions, newest first, at most `asked.limit`. An archived row of a resident session is never shown: it may
 * be old, and its session's node says whether the session belongs into the answer. When that leaves a page empty the
 * next rows are asked for, until `limitMs` is over; only then may a page be empty that is not the last one.
 */
export async function listSessions(
  sources: SessionSources,
  asked: GetUserSessions,
  limitMs: number,
): Promise<ListedSessions> {
  const deadline = performance.now() + limitMs;
  let page = await onePage(sources, asked, asked.limit);
  while (page.sessions.length === 0 && page.next !== null && performance.now() < deadline) {
    const { inserted_at: insertedAt, id } = page.next;
    const rest = { ...asked, limit: Math.max(asked.limit, REFILL), position: { insertedAt, id } };
    const following = await onePage(sources, rest, asked.limit);
    page = { ...following, partial: page.partial || following.partial };
  }
  return page;
}

async function onePage(
  sources: SessionSources,
  asked: GetUserSessions,
  limit: number,
): Promise<ListedSessions> {
  // In this order: a session that leaves RAM between the two questions is one that the archive already has.
  const archived = await sources.archived(asked);
  const known = archived?.sessions.map(({ id }) => id) ?? [];
  const answers = await sources.resident({ ...asked, known });
  const resident = new Set(answers.flatMap((answer) => answer.resident));
  const overlaid: SourceAnswer[] = answers.map(({ sessions, more }) => ({
    sessions,
    end: more ? (sessions.at(-1) ?? null) : null,
  }));
  if (archived) {
    overlaid.push({
      sessions: archived.sessions.filter(({ id }) => !resident.has(id)),
      end: archived.more ? (archived.sessions.at(-1) ?? null) : null,
    });
  }
  return { ...mergeSessions(overlaid, limit), partial: archived === null };
}
