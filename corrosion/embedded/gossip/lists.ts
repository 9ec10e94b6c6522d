/** @module What the admin socket tells of the cluster (contract corrosion, section 4); bigints are bare numbers there. */
import { hyphenated } from "../../../lib/actor-ids.ts";
import type { ActorId } from "../replication.ts";
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
