/**
 * @module Who is in the cluster, decided without I/O: what members say of each other, and who has fallen silent.
 *
 * What is said of a member is ordered by (ts, incarnation, Alive < Suspect < Down) and only what is greater is taken,
 * so that all agents end with the same list in whatever order they hear. A member alone raises its own incarnation, to
 * deny that it is gone; its beat only shows that somebody heard from it.
 */
import type { ActorId } from "../replication.ts";
import type { LivenessState } from "./contract.ts";

/** What is said of a member. */
export interface MemberRecord {
  readonly id: ActorId;
  readonly address: string;
  /** NTP64 at which its present run joined. */
  readonly ts: bigint;
  readonly memberId: number | null;
  readonly incarnation: number;
  readonly state: LivenessState;
  /** Grows every round of a live member. */
  readonly beat: number;
}

export interface Member extends MemberRecord {
  /** Last evidence that it lives, on the monotonic clock, in milliseconds. */
  readonly heardAt: number;
  readonly stateSince: number;
}

export interface Membership {
  /** Alive as long as this agent runs. */
  readonly self: MemberRecord;
  readonly members: ReadonlyMap<ActorId, Member>;
  /** The last round, on the monotonic clock; null before the first. */
  readonly tickedAt: number | null;
}

export type MembershipEvent =
  /** A round has passed. */
  | { readonly kind: "tick" }
  | { readonly kind: "heard"; readonly records: readonly MemberRecord[] }
  /** Bytes of the member arrived, or its silence is this side's own fault. */
  | { readonly kind: "lives"; readonly id: ActorId }
  /** This agent joins anew. */
  | { readonly kind: "rejoin"; readonly ts: bigint; readonly forgetOthers: boolean };

export interface Patience {
  readonly roundMs: number;
  readonly suspectAfterMs: number;
  readonly downAfterMs: number;
  readonly forgetAfterMs: number;
}

export interface Decision {
  readonly membership: Membership;
  /** Members whose state or identity changed. */
  readonly changed: readonly Member[];
  /** Whether this agent denied what was said of it: others should hear soon. */
  readonly refuted: boolean;
}

export const MAX_INCARNATION = 0xffff_ffff;

const RANK: Readonly<Record<LivenessState, number>> = { Alive: 0, Suspect: 1, Down: 2 };

/** A cluster of one. */
export function alone(self: Omit<MemberRecord, "incarnation" | "state" | "beat">): Membership {
  return { self: { ...self, incarnation: 0, state: "Alive", beat: 0 }, members: new Map(), tickedAt: null };
}

/** What follows from the event at `now`, milliseconds of a monotonic clock. */
export function decide(
  membership: Membership,
  event: MembershipEvent,
  now: number,
  patience: Patience,
): Decision {
  switch (event.kind) {
    case "tick":
      return tick(membership, now, patience);
    case "heard":
      return heard(membership, event.records, now);
    case "lives":
      return lives(membership, event.id, now);
    case "rejoin": {
      const ts = event.ts > membership.self.ts ? event.ts : membership.self.ts + 1n;
      const self = { ...membership.self, ts, incarnation: 0, beat: 0 };
      const members = event.forgetOthers ? new Map<ActorId, Member>() : membership.members;
      return { membership: { ...membership, self, members }, changed: [], refuted: true };
    }
  }
}

/** Whether the first says more than the second about the same member. */
export function supersedes(said: MemberRecord, known: MemberRecord): boolean {
  if (said.ts !== known.ts) return said.ts > known.ts;
  if (said.incarnation !== known.incarnation) return said.incarnation > known.incarnation;
  return RANK[said.state] > RANK[known.state];
}

function tick(membership: Membership, now: number, patience: Patience): Decision {
  // A process that was itself stopped has heard nothing: that is no silence of the others.
  const late = membership.tickedAt === null ? 0 : now - membership.tickedAt - patience.roundMs;
  const credit = late > patience.roundMs ? late : 0;
  const members = new Map<ActorId, Member>();
  const changed: Member[] = [];
  for (const known of membership.members.values()) {
    const member = { ...known, heardAt: Math.min(now, known.heardAt + credit) };
    if (member.state === "Down" && now - member.stateSince > patience.forgetAfterMs) continue;
    const state = judged(member, now, patience);
    if (state === member.state) members.set(member.id, member);
    else {
      const next = { ...member, state, stateSince: now };
      members.set(next.id, next);
      changed.push(next);
    }
  }
  const self = { ...membership.self, beat: membership.self.beat + 1 };
  return { membership: { self, members, tickedAt: now }, changed, refuted: false };
}

function judged(member: Member, now: number, patience: Patience): LivenessState {
  const silent = now - member.heardAt;
  if (member.state === "Down" || silent > patience.downAfterMs) return "Down";
  return silent > patience.suspectAfterMs ? "Suspect" : member.state;
}

function heard(membership: Membership, records: readonly MemberRecord[], now: number): Decision {
  const members = new Map(membership.members);
  const changed: Member[] = [];
  let { self } = membership;
  for (const said of records) {
    if (said.id === self.id) {
      self = denied(self, said);
      // A run with the ts of an earlier one would else count up to its beat unheard.
      if (said.ts === self.ts && said.beat > self.beat) self = { ...self, beat: said.beat };
      continue;
    }
    const known = members.get(said.id);
    if (known === undefined || supersedes(said, known)) {
      const sameRun = known?.ts === said.ts;
      const beat = sameRun ? Math.max(said.beat, known.beat) : said.beat;
      // Suspicion is no sign of life; that it joined, denied or beat since is, for only the member itself does that.
      const fresh =
        known === undefined || !sameRun || said.incarnation > known.incarnation || said.beat > known.beat;
      const stateSince = known?.state === said.state ? known.stateSince : now;
      const member = { ...said, beat, heardAt: fresh ? now : known.heardAt, stateSince };
      members.set(said.id, member);
      changed.push(member);
    } else if (said.ts === known.ts && said.beat > known.beat) {
      members.set(said.id, { ...known, beat: said.beat, heardAt: now });
    }
  }
  const refuted = supersedes(self, membership.self);
  return { membership: { ...membership, self, members }, changed, refuted };
}

/** This agent after hearing that of itself. */
function denied(self: MemberRecord, said: MemberRecord): MemberRecord {
  if (!supersedes(said, self)) return self;
  // A newer ts of itself: the clock was set back between two runs.
  if (said.ts > self.ts || said.incarnation >= MAX_INCARNATION) {
    return { ...self, ts: said.ts + 1n, incarnation: 0 };
  }
  return { ...self, incarnation: said.incarnation + 1 };
}

function lives(membership: Membership, id: ActorId, now: number): Decision {
  const known = membership.members.get(id);
  if (known === undefined) return { membership, changed: [], refuted: false };
  const members = new Map(membership.members).set(id, { ...known, heardAt: now });
  return { membership: { ...membership, members }, changed: [], refuted: false };
}
