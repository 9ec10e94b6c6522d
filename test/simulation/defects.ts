/** @module Deliberate defects: worlds that break a rule, to prove that the simulation would notice. */
import type { GroupState } from "../../lib/conversation/state.ts";

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
}

export const NO_DEFECTS: Defects = {};

/** Applies the defects of the state machine, after each entry and on every replica alike. */
export function spoil(state: GroupState, defects: Defects): void {
  if (defects.forgetsKeys) for (const session of state.sessions.values()) session.keys.clear();
  if (defects.forgetsClock) state.clock = 0;
}
