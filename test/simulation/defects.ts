/** @module Deliberate defects: worlds that break a rule, to prove that the simulation would notice. */
import type { Command } from "../../lib/conversation/commands.ts";
import { sessionHash, updateDigest } from "../../lib/conversation/digest.ts";
import { dismiss, type GroupState } from "../../lib/conversation/state.ts";

export interface Defects {
  /** The log takes an entry whatever its last index is. */
  readonly logIgnoresExpectedLast?: boolean;
  /** An append without an answer counts as committed. */
  readonly unknownMeansCommitted?: boolean;
  /** An append without an answer counts as not written. */
  readonly unknownMeansNotWritten?: boolean;
  /** A fenced append counts as not written, without a look at what stands at its index. */
  readonly fencedMeansForeign?: boolean;
  /** A leader that ends with an entry in flight says that it was not written. */
  readonly abandonedMeansNotWritten?: boolean;
  /** A leader goes on with the next entry although it was fenced. */
  readonly fencedMeansCommitted?: boolean;
  /** Clients send a keyless append again although it may have been written. */
  readonly resendsKeyless?: boolean;
  /** The state machine forgets idempotency keys. */
  readonly forgetsKeys?: boolean;
  /** The state machine forgets the times that the log holds. */
  readonly forgetsClock?: boolean;
  /** One replica applies reads differently. */
  readonly divergesOnRead?: boolean;
  /** A leader says that a session does not exist without asking the log whether it still leads. */
  readonly deniesUnconfirmed?: boolean;
  /** The timer that resolves an unknown outcome never fires. */
  readonly losesRetries?: boolean;
  /** The state machine forgets that sessions were evicted, and takes whatever the archive said. */
  readonly forgetsEvictions?: boolean;
  /** A leader says that a session does not exist without asking the archive. */
  readonly deniesWithoutLookup?: boolean;
  /** A leader creates a session without asking the archive. */
  readonly createsWithoutLookup?: boolean;
  /** A leader calls archived what it has only begun to write. */
  readonly archivedBeforeWritten?: boolean;
  /** The log is truncated to the snapshot, archived or not. */
  readonly truncatesToSnapshot?: boolean;
  /** The state machine evicts sessions that are not archived. */
  readonly evictsUnarchived?: boolean;
  /** A replica begins empty over a log that has lost its beginning. */
  readonly recoversEmpty?: boolean;
  /** An index that the log does not hold any more counts as somebody else's entry. */
  readonly vanishedMeansForeign?: boolean;
  /** The archive answers without idempotency keys. */
  readonly losesArchivedKeys?: boolean;
}

export const NO_DEFECTS: Defects = {};

/** Applies the defects of the state machine, after each entry and on every replica alike. */
export function spoil(state: GroupState, defects: Defects, commands: () => readonly Command[]): void {
  if (defects.forgetsKeys) for (const session of state.sessions.values()) session.keys.clear();
  if (defects.forgetsClock) state.clock = 0;
  if (defects.forgetsEvictions) state.evicted = 0;
  if (!defects.evictsUnarchived) return;
  for (const command of commands()) {
    if (command.t !== "evict") continue;
    for (const session of state.sessions.values()) {
      if (session.usedAt > command.unusedSince) continue;
      dismiss(state, session);
      updateDigest(state, sessionHash(session), null);
      state.evicted = state.applied;
    }
  }
}
