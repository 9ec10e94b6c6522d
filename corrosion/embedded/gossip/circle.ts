/** @module The members as this agent sees them now: what was decided of them, and what was measured. */
import type { ActorId } from "../replication.ts";
import type { GossipEvent, MembershipState, MemberView, Pace } from "./contract.ts";
import type { Candidate } from "./dialer.ts";
import { type Measured, membershipStates, memberViews } from "./lists.ts";
import { alone, decide, type MemberRecord, type Membership, type MembershipEvent } from "./membership.ts";
import { withRoundTrip } from "./round-trips.ts";

/** Members that are listened to; a development cluster has a handful. */
const MAX_MEMBERS = 1000;

export interface CircleOptions {
  readonly self: Pick<MemberRecord, "id" | "address" | "ts" | "memberId">;
  readonly pace: Pace;
  readonly onEvent: (event: GossipEvent) => void;
  /** This agent denied what was said of it: the others should hear soon. */
  readonly onRefuted: () => void;
}

export class Circle {
  readonly #options: CircleOptions;
  readonly #measured = new Map<ActorId, Measured>();
  #membership: Membership;

  constructor(options: CircleOptions) {
    this.#options = options;
    this.#membership = alone(options.self);
  }

  get self(): MemberRecord {
    return this.#membership.self;
  }

  views(clusterId: number): readonly MemberView[] {
    return memberViews(this.#membership, clusterId, this.#measured);
  }

  states(clusterId: number): readonly MembershipState[] {
    return membershipStates(this.#membership, clusterId);
  }

  /** Where members are. */
  candidates(): readonly Candidate[] {
    return [...this.#membership.members.values()].map(({ address, state }) => ({
      address,
      down: state === "Down",
    }));
  }

  /** What the others are told. Those that are gone for long are not brought back to who is about to forget them. */
  told(): readonly MemberRecord[] {
    const now = performance.now();
    const { forgetAfterMs } = this.#options.pace;
    const { self, members } = this.#membership;
    const others = [...members.values()].filter(
      ({ state, stateSince }) => state !== "Down" || now - stateSince < forgetAfterMs / 2,
    );
    return [self, ...others];
  }

  /** Takes what another one says, but no more members than a cluster has. */
  heard(records: readonly MemberRecord[]): void {
    const { members } = this.#membership;
    let room = MAX_MEMBERS - members.size;
    this.decide({ kind: "heard", records: records.filter(({ id }) => members.has(id) || room-- > 0) });
  }

  tick(): void {
    this.decide({ kind: "tick" });
    for (const id of this.#measured.keys()) {
      if (!this.#membership.members.has(id)) this.#measured.delete(id);
    }
  }

  decide(event: MembershipEvent): void {
    const { onEvent, onRefuted, pace } = this.#options;
    const decision = decide(this.#membership, event, performance.now(), pace);
    this.#membership = decision.membership;
    for (const { id, address, state } of decision.changed) onEvent({ kind: "member", id, address, state });
    if (decision.changed.length > 0) onEvent({ kind: "members_changed" });
    if (decision.refuted) onRefuted();
  }

  /** A round trip to the member took so many milliseconds. */
  measured(id: ActorId, ms: number): void {
    const { rtts, lastSync } = this.#measured.get(id) ?? { rtts: [], lastSync: null };
    this.#measured.set(id, { rtts: withRoundTrip(rtts, ms), lastSync });
    if (rtts.length === 0) this.#options.onEvent({ kind: "members_changed" });
  }

  /** At this NTP64 time nothing that the member has was missing here. */
  synced(id: ActorId, at: bigint): void {
    const { rtts } = this.#measured.get(id) ?? { rtts: [] };
    this.#measured.set(id, { rtts, lastSync: at });
  }
}
