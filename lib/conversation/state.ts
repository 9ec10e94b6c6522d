/** @module The state of one group: what every replica of its log holds in RAM. */
import type { JsonObject } from "../json.ts";

/** Commands that one entry may hold; also the radix of message locations. */
export const MAX_COMMANDS = 512;

/** Idempotency keys that a session remembers. */
export const MAX_KEYS = 1024;

/** Version of this shape; snapshots carry it. */
export const STATE_VERSION = 1;

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
  status: "active" | "archived";
  lastSeq: number;
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
  readonly sessions: Map<string, SessionState>;
  /** Session ids of each user, in order of creation. */
  readonly byUser: Map<string, Set<string>>;
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
    sessions: new Map(),
    byUser: new Map(),
    digest: [0, 0],
  };
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
