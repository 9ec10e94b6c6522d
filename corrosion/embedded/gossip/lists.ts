/** @module What the admin socket tells of the cluster (contract corrosion, section 4); bigints are bare numbers there. */
import type { ActorId, KnownVersions } from "../replication.ts";
import type { MembershipState, MemberView } from "./contract.ts";
import type { Membership } from "./membership.ts";
import { ringOf } from "./round-trips.ts";

/** What was measured of a member. */
export interface Measured {
  /** Whole milliseconds, oldest first. */
  readonly rtts: readonly number[];
  /** NTP64 of the last time when nothing that it has was missing here. */
  readonly lastSync: bigint | null;
}

/** The `Cluster Members` answers: all but Down ones. */
export function memberViews(
  { members }: Membership,
  clusterId: number,
  measured: ReadonlyMap<ActorId, Measured>,
): readonly MemberView[] {
  return [...members.values()]
    .filter(({ state }) => state !== "Down")
    .map(({ id, address, ts, memberId }) => {
      const { rtts, lastSync } = measured.get(id) ?? { rtts: [], lastSync: null };
      return {
        id: hyphenated(id),
        state: {
          addr: address,
          ts,
          cluster_id: clusterId,
          ring: ringOf(rtts),
          last_sync_ts: lastSync,
          member_id: memberId,
        },
        rtts: rtts.length > 0 ? rtts : null,
      };
    });
}

/** The `Cluster MembershipStates` answers. */
export function membershipStates({ members }: Membership, clusterId: number): readonly MembershipState[] {
  return [...members.values()].map(({ id, address, ts, memberId, incarnation, state }) => ({
    id: { id: hyphenated(id), addr: address, ts, cluster_id: clusterId, member_id: memberId },
    incarnation,
    state,
  }));
}

/** The `Sync Generate` answer. */
export interface SyncState {
  readonly actor_id: string;
  readonly heads: Readonly<Record<string, bigint>>;
  readonly need: Readonly<Record<string, readonly { readonly start: bigint; readonly end: bigint }[]>>;
  readonly partial_need: Readonly<
    Record<string, Readonly<Record<string, readonly { readonly start: number; readonly end: number }[]>>>
  >;
  readonly last_cleared_ts: null;
}

export function syncState(self: ActorId, known: KnownVersions): SyncState {
  const heads: Record<string, bigint> = {};
  const need: Record<string, SyncState["need"][string]> = {};
  const partial: Record<string, SyncState["partial_need"][string]> = {};
  for (const [origin, of] of known) {
    const id = hyphenated(origin);
    heads[id] = of.head;
    if (of.need.length > 0) need[id] = of.need.map(({ start, end }) => ({ start, end }));
    if (of.partial.length === 0) continue;
    partial[id] = Object.fromEntries(
      of.partial.map(({ version, missing }) => [
        `${version}`,
        missing.map(([start, end]) => ({ start, end })),
      ]),
    );
  }
  return { actor_id: hyphenated(self), heads, need, partial_need: partial, last_cleared_ts: null };
}

/** An actor id as the admin socket spells it. */
export function hyphenated(id: ActorId): string {
  return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
