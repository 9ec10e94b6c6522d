/** @module The conversation state machine: a pure function of state and entry, equal on every replica. */
import type { AppendCommand, Command, CreateCommand, ReadCommand } from "./commands.ts";
import { sessionHash, updateDigest } from "./digest.ts";
import { evict, hydrate, raiseArchived } from "./residency.ts";
import {
  admit,
  type GroupState,
  IDLE,
  indexOfLocation,
  locationOf,
  MAX_KEYS,
  type SessionState,
} from "./state.ts";

export type RejectionCode =
  | "session_not_found"
  | "session_exists"
  | "not_participant"
  | "session_archived"
  | "expected_seq_conflict";

/** What a command did; the leader answers its proposer with it. */
export type Outcome =
  | { readonly kind: "epoch" }
  | { readonly kind: "created"; readonly session: SessionState; readonly created: boolean }
  | {
      readonly kind: "appended";
      readonly session: SessionState;
      readonly seq: number;
      readonly location: number;
    }
  | { readonly kind: "deduped"; readonly session: SessionState; readonly seq: number }
  | { readonly kind: "archived"; readonly session: SessionState }
  | { readonly kind: "read"; readonly session: SessionState }
  /** The session is resident now; false: the archive must be asked again. */
  | { readonly kind: "hydrated"; readonly resident: boolean }
  /** `archived` or `evict` is applied. */
  | { readonly kind: "kept" }
  | { readonly kind: "rejected"; readonly code: RejectionCode; readonly lastSeq: number };

/** The log breaks its own rules (an entry of a leader that had lost its epoch, an index out of order). */
export class InconsistentLog extends Error {
  override name = "InconsistentLog";
}

/** What an entry says of itself beside its commands. */
export interface EntryHeader {
  readonly index: number;
  /** Leader epoch that wrote it; for a claim, the epoch that it begins. */
  readonly epoch: number;
}

/**
 * Applies one entry to the state, in place, and returns one outcome a command.
 * No clock, randomness, I/O or configuration. Throws `InconsistentLog`, before anything is changed, when the
 * entry cannot stand at this place of a log written by fenced leaders.
 */
export function applyEntry(state: GroupState, header: EntryHeader, commands: readonly Command[]): Outcome[] {
  if (header.index !== state.applied + 1) {
    throw new InconsistentLog(
      `group ${state.group}: entry ${header.index} does not follow applied index ${state.applied}`,
    );
  }
  const problem = epochProblem(state, header, commands);
  if (problem) throw new InconsistentLog(`group ${state.group}: entry ${header.index} ${problem}`);
  state.applied = header.index;
  return commands.map((command, position) =>
    applyCommand(state, command, locationOf(header.index, position)),
  );
}

/** Why an entry cannot stand where it does: epochs rise by one, by a claim of its own, and only their leader writes. */
function epochProblem(state: GroupState, header: EntryHeader, commands: readonly Command[]): string | null {
  const [first] = commands;
  if (first?.t === "claim") {
    if (commands.length > 1) return "holds a claim and more";
    if (first.epoch !== header.epoch || first.epoch !== state.epoch + 1) {
      return `claims leader epoch ${first.epoch} after epoch ${state.epoch}`;
    }
    return null;
  }
  if (commands.some(({ t }) => t === "claim")) return "holds a claim among other commands";
  if (header.epoch !== state.epoch)
    return `is of leader epoch ${header.epoch}, the log is in epoch ${state.epoch}`;
  return state.leader === null ? `is of leader epoch ${header.epoch}, which was released` : null;
}

function applyCommand(state: GroupState, command: Command, location: number): Outcome {
  state.commands += 1;
  if (command.at > state.clock) state.clock = command.at;
  switch (command.t) {
    case "claim":
      state.epoch = command.epoch;
      state.leader = command.node;
      return { kind: "epoch" };
    case "release":
      state.leader = null;
      return { kind: "epoch" };
    case "create":
      return create(state, command);
    case "append":
      return change(state, command, (session) => append(session, command, location));
    case "archive":
      return change(state, command, (session) => {
        if (session.status === "active") {
          session.status = "archived";
          session.updatedAt = command.at;
          session.logIndex = state.applied;
        }
        return { kind: "archived", session };
      });
    case "read":
      return change(state, command, (session) => read(session, command, state.applied));
    case "hydrate":
      return { kind: "hydrated", resident: hydrate(state, command) };
    case "archived":
      raiseArchived(state, command);
      return { kind: "kept" };
    case "evict":
      evict(state, command);
      return { kind: "kept" };
  }
}

function rejected(code: RejectionCode, session?: SessionState): Outcome {
  return { kind: "rejected", code, lastSeq: session?.lastSeq ?? 0 };
}

/** Runs a change of one session, and keeps true what follows from it: the running digest, what is to be archived. */
function change(
  state: GroupState,
  { session: id, at }: { readonly session: string; readonly at: number },
  body: (session: SessionState) => Outcome,
): Outcome {
  const session = state.sessions.get(id);
  if (!session) return rejected("session_not_found");
  const before = sessionHash(session);
  const outcome = body(session);
  if (outcome.kind !== "rejected") session.usedAt = at;
  if (session.logIndex === state.applied) {
    state.changed = state.applied;
    state.unarchived.add(session);
  }
  updateDigest(state, before, sessionHash(session));
  return outcome;
}

function create(state: GroupState, command: CreateCommand): Outcome {
  const existing = state.sessions.get(command.session);
  if (existing) {
    const same = existing.user === command.user && existing.agent === command.agent;
    if (same) existing.usedAt = command.at;
    return same
      ? { kind: "created", session: existing, created: false }
      : rejected("session_exists", existing);
  }
  const session: SessionState = {
    id: command.session,
    user: command.user,
    agent: command.agent,
    metadata: command.metadata,
    insertedAt: command.at,
    updatedAt: command.at,
    usedAt: command.at,
    logIndex: state.applied,
    status: "active",
    lastSeq: 0,
    lastSender: null,
    lastActivityAt: null,
    cursor: 0,
    unread: [],
    dispatch: IDLE,
    keys: new Map(),
    locations: [],
  };
  state.changed = state.applied;
  admit(state, session);
  updateDigest(state, null, sessionHash(session));
  return { kind: "created", session, created: true };
}

/** The order of these checks is the contract's (section 5.3). */
function append(session: SessionState, command: AppendCommand, location: number): Outcome {
  const participant = command.role === "user" ? session.user : session.agent;
  if (command.sender !== participant) return rejected("not_participant", session);
  if (command.key !== undefined) {
    const seq = session.keys.get(command.key);
    if (seq !== undefined) return { kind: "deduped", session, seq };
  }
  if (session.status === "archived") return rejected("session_archived", session);
  if (command.expect !== undefined && command.expect !== session.lastSeq) {
    return rejected("expected_seq_conflict", session);
  }

  const seq = session.lastSeq + 1;
  session.lastSeq = seq;
  session.lastSender = command.sender;
  session.lastActivityAt = command.at;
  session.updatedAt = command.at;
  session.logIndex = indexOfLocation(location);
  session.locations.push(location);
  if (command.role === "agent") session.unread.push(seq);
  if (command.key !== undefined) {
    session.keys.set(command.key, seq);
    if (session.keys.size > MAX_KEYS) session.keys.delete(session.keys.keys().next().value!);
  }
  return { kind: "appended", session, seq, location };
}

function read(session: SessionState, command: ReadCommand, index: number): Outcome {
  if (command.user !== session.user) return rejected("not_participant", session);
  const cursor = Math.max(session.cursor, Math.min(command.seq, session.lastSeq));
  if (cursor > session.cursor) {
    session.cursor = cursor;
    session.unread = session.unread.filter((seq) => seq > cursor);
    session.logIndex = index;
  }
  return { kind: "read", session };
}
