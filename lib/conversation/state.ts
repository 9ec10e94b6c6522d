/** @module The state of one group: what every replica of its log holds in RAM. */
import type { JsonObject } from "../json.ts";

/** Commands that one entry may hold; also the radix of message locations. */
export const MAX_COMMANDS = 512;

/** Idempotency keys that a session remembers. */
export const MAX_KEYS = 1024;

/** Version of this shape; snapshots carry it. */
export const STATE_VERSION = 2;

export interface DispatchState {
  readonly state: "idle" | "pending" | "inflight";
  readonly epoch: number;
  readonly lastSentSeq: number;
  readonly lastFailure: { readonly dispatchId: string; readonly reason: string; readonly at: number } | null;
}

export const IDLE: DispatchState = { state: "idle", epoch: 0, lastSentSeq: 0, lastFailure: null };

/** Header of one resident session. Times are microseconds since 1970. */
export interface SessionState {
  readonly id: string;
  readonly user: string;
  readonly agent: string;
  readonly metadata: JsonObject;
  readonly insertedAt: number;
  updatedAt: number;
  /** When a command last used the session, readers included: what eviction goes by. */
  usedAt: number;
  /** Index of the last entry that changed this header. */
  logIndex: number;
  status: "active" | "archived";
  lastSeq: number;
  /** Sender and time of message `lastSeq`; null before the first message. */
  lastSender: string | null;
  lastActivityAt: number | null;
  /** The user has read up to this seq. */
  cursor: number;
  /** Seqs above the cursor that the user did not send, ascending: its length is the unread count. */
  unread: number[];
  dispatch: DispatchState;
  /** Idempotency key to seq, oldest first. */
  readonly keys: Map<string, number>;
  /** Where each unarchived message lies in the log: those of seqs `lastSeq - locations.length + 1 ..= lastSeq`. */
  locations: number[];
}

export interface GroupState {
  readonly group: number;
  /** Index of the last applied entry. */
  applied: number;
  /** Leader epoch; 0 before the first claim. */
  epoch: number;
  /** Node that claimed the epoch; null after its release. */
  leader: string | null;
  /** Highest time that any command carried. */
  clock: number;
  /** Commands applied since the log began. */
  commands: number;
  /** Everything up to this index is in the archive. */
  archived: number;
  /** Index of the last entry that changed a session: beyond `archived` there is something to archive. */
  changed: number;
  /** Index of the last entry that evicted a session: what the archive said before it may be outdated. */
  evicted: number;
  /** The newest snapshot in the archive: its index, and the commands up to it. Zeros before the first one. */
  snapshot: { readonly index: number; readonly commands: number };
  readonly sessions: Map<string, SessionState>;
  /** Session ids of each user, in order of creation. */
  readonly byUser: Map<string, Set<string>>;
  /** Sessions that changed after `archived`. Follows from the sessions. */
  readonly unarchived: Set<SessionState>;
  /** Running digest of all sessions, two lanes of 32 bits; see `digest.ts`. */
  digest: [number, number];
}

export function emptyState(group: number): GroupState {
  return {
    group,
    applied: 0,
    epoch: 0,
    leader: null,
    clock: 0,
    commands: 0,
    archived: 0,
    changed: 0,
    evicted: 0,
    snapshot: { index: 0, commands: 0 },
    sessions: new Map(),
    byUser: new Map(),
    unarchived: new Set(),
    digest: [0, 0],
  };
}

/** Takes a session into the state; the digest is the caller's. */
export function admit(state: GroupState, session: SessionState): void {
  state.sessions.set(session.id, session);
  const ofUser = state.byUser.get(session.user);
  if (ofUser) ofUser.add(session.id);
  else state.byUser.set(session.user, new Set([session.id]));
  if (session.logIndex > state.archived) state.unarchived.add(session);
}

/** Removes a session from the state; the digest is the caller's. */
export function dismiss(state: GroupState, session: SessionState): void {
  state.sessions.delete(session.id);
  state.unarchived.delete(session);
  const ofUser = state.byUser.get(session.user);
  ofUser?.delete(session.id);
  if (ofUser?.size === 0) state.byUser.delete(session.user);
}

/** A message's place in the log as one number: entry index and position of its command in the entry. */
export function locationOf(index: number, position: number): number {
  return index * MAX_COMMANDS + position;
}

export function indexOfLocation(location: number): number {
  return Math.floor(location / MAX_COMMANDS);
}

export function positionOfLocation(location: number): number {
  return location % MAX_COMMANDS;
}

/** Where message `seq` lies in the log; null when it is archived or does not exist. */
export function locationOfSeq(session: SessionState, seq: number): number | null {
  const first = session.lastSeq - session.locations.length + 1;
  return session.locations[seq - first] ?? null;
}
