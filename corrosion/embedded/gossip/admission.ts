/** @module Whether a connection is kept, decided without I/O when the other side has said hello. */
import type { Hello } from "./wire.ts";

/** A connection whose other side has said hello. */
export interface Introduced {
  readonly hello: Hello;
  /** Whether this side dialed. */
  readonly dialed: boolean;
  /** The dialing side's count of its dials. */
  readonly dial: number;
}

export type Admission =
  /** The first connection with this peer. */
  | { readonly kind: "new" }
  /** Better than the one that there is, which is to be closed. */
  | { readonly kind: "replaces" }
  /** Another connection with the same peer is kept. */
  | { readonly kind: "second" }
  /** This agent dialed itself. */
  | { readonly kind: "self" }
  | { readonly kind: "refused"; readonly message: string };

/** What becomes of a new connection; `existing` is the one with the same actor, `existingSilentMs` its silence. */
export function admit(
  own: Hello,
  next: Introduced,
  existing: Introduced | null,
  existingSilentMs: number,
  patienceMs: number,
): Admission {
  const { hello } = next;
  if (hello.instance === own.instance) return { kind: "self" };
  if (hello.actor === own.actor) {
    return {
      kind: "refused",
      message: `the agent at ${hello.address} has the same actor id ${own.actor} as this one: one database is a copy of the other; restore one of them with a new actor id`,
    };
  }
  if (hello.cluster !== own.cluster) {
    return {
      kind: "refused",
      message: `the agent at ${hello.address} is in cluster ${hello.cluster}, this one in cluster ${own.cluster}`,
    };
  }
  if (existing === null) return { kind: "new" };
  if (existing.hello.instance === hello.instance) {
    return better(own, next, existing) ? { kind: "replaces" } : { kind: "second" };
  }
  // Another run of the same agent, or a copy of its database that runs beside it.
  if (existing.hello.address === hello.address || existingSilentMs > patienceMs) return { kind: "replaces" };
  return {
    kind: "refused",
    message: `the agents at ${existing.hello.address} and ${hello.address} have the same actor id ${hello.actor}: one database is a copy of the other; restore one of them with a new actor id`,
  };
}

/** Both sides come to the same answer: what the lower id dialed is better, then what was dialed later. */
function better(own: Hello, next: Introduced, existing: Introduced): boolean {
  const byLower = ({ dialed, hello }: Introduced): boolean => dialed === own.actor < hello.actor;
  if (byLower(next) !== byLower(existing)) return byLower(next);
  return next.dial > existing.dial;
}
