/** @module Which sessions a group's state holds: out when they are archived and idle, back in from the archive. */
import type { ArchivedCommand, EvictCommand, HydrateCommand } from "./commands.ts";
import { sessionHash, updateDigest } from "./digest.ts";
import { admit, dismiss, type GroupState, indexOfLocation, type SessionState } from "./state.ts";

/**
 * Takes a session's header back in, unless it is resident. False when it is not resident afterwards: the archive's
 * answer may be from before an eviction, and must be asked for again.
 */
export function hydrate(state: GroupState, command: HydrateCommand): boolean {
  if (state.sessions.has(command.session)) return true;
  if (command.evicted !== state.evicted) return false;
  const session: SessionState = {
    id: command.session,
    user: command.user,
    agent: command.agent,
    metadata: command.metadata,
    insertedAt: command.insertedAt,
    updatedAt: command.updatedAt,
    usedAt: command.at,
    // What the archive holds needs no archiving.
    logIndex: 0,
    status: command.status,
    lastSeq: command.lastSeq,
    lastSender: command.lastSender,
    lastActivityAt: command.lastActivityAt,
    cursor: command.cursor,
    unread: unreadSeqs(command.cursor, command.unread),
    dispatch: command.dispatch,
    keys: new Map(command.keys),
    locations: [],
  };
  admit(state, session);
  updateDigest(state, null, sessionHash(session));
  return true;
}

/** The archived index never falls; messages up to it need no place in the log any more. */
export function raiseArchived(state: GroupState, { index, snapshot }: ArchivedCommand): void {
  if (index > state.archived) {
    state.archived = index;
    for (const session of state.unarchived) {
      const first = session.locations.findIndex((location) => indexOfLocation(location) > index);
      const archived = first < 0 ? session.locations.length : first;
      if (archived > 0) {
        const before = sessionHash(session);
        session.locations = session.locations.slice(archived);
        updateDigest(state, before, sessionHash(session));
      }
      if (session.logIndex <= index) state.unarchived.delete(session);
    }
  }
  if (snapshot && snapshot.index > state.snapshot.index) state.snapshot = snapshot;
}

/** Drops what nobody used since, as far as nothing of it would be lost. */
export function evict(state: GroupState, { sessions, unusedSince }: EvictCommand): void {
  for (const id of sessions) {
    const session = state.sessions.get(id);
    if (!session || session.usedAt > unusedSince || !isEvictable(state, session)) continue;
    dismiss(state, session);
    state.evicted = state.applied;
    updateDigest(state, sessionHash(session), null);
  }
}

/** Whether everything of the session is in the archive and nothing of it is under way. */
export function isEvictable(state: GroupState, session: SessionState): boolean {
  return session.logIndex <= state.archived && session.dispatch.state === "idle";
}

/**
 * Ascending seqs above `cursor` as pairs of step and repetitions. Conversations are regular (every seq, every second
 * one), so thousands of unread seqs take a few numbers.
 */
export function unreadSteps(cursor: number, seqs: readonly number[]): number[] {
  const steps: number[] = [];
  let last = cursor;
  for (const seq of seqs) {
    if (steps.length > 0 && steps.at(-2) === seq - last) steps[steps.length - 1]! += 1;
    else steps.push(seq - last, 1);
    last = seq;
  }
  return steps;
}

/** The seqs that `unreadSteps` was given. */
export function unreadSeqs(cursor: number, steps: readonly number[]): number[] {
  const seqs: number[] = [];
  let last = cursor;
  for (let i = 0; i < steps.length; i += 2) {
    for (let n = 0; n < steps[i + 1]!; n++) {
      last += steps[i]!;
      seqs.push(last);
    }
  }
  return seqs;
}
