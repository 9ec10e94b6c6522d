/** @module One list of members from all that an agent says of them. */
import { isoMicros } from "../../../lib/clock.ts";
import { ntp64ToMicros } from "../../../lib/ntp64.ts";
import { regionOf } from "../../../lib/regions.ts";
import type { IdentityMap, Member } from "../contract.ts";
import { MEMBER_STATES, type MemberReply, type MemberState, type StateReply } from "./replies.ts";

export interface Sources {
  readonly states: readonly StateReply[];
  readonly members: readonly MemberReply[];
  readonly self: SelfMember | null;
  readonly map: IdentityMap;
}

export interface SelfMember {
  readonly id: string;
  readonly nodeId: string;
  readonly address: string;
}

/** What agents say of themselves in their lists is what they were before a restart: self comes from its own database. */
export function mergeMembers({ states, members, self, map }: Sources): Member[] {
  const stateOf = new Map<string, StateReply>();
  for (const state of states) {
    const known = stateOf.get(state.id);
    if (!known || isNewer(state, known)) stateOf.set(state.id, state);
  }
  const memberOf = new Map(members.map((member) => [member.id, member]));
  const ids = new Set([...stateOf.keys(), ...memberOf.keys()]);
  if (self) ids.delete(self.id);
  const others = [...ids].map((id) => otherMember(id, stateOf.get(id), memberOf.get(id), map));
  return [...(self ? [ownMember(self)] : []), ...others].sort(byNode);
}

/** The members with the names that their nodes have in `map`; one that it does not know keeps the name it had. */
export function renameMembers(members: readonly Member[], map: IdentityMap): Member[] {
  const renamed = members.map((member) => {
    const nodeId = map[member.id];
    if (member.self || nodeId === undefined || nodeId === member.node_id) return member;
    return { ...member, node_id: nodeId, region: regionOf(nodeId) };
  });
  return renamed.sort(byNode);
}

/** Whether a cluster has met: every member's node is known, and as many others are Alive as it was to begin with. */
export function hasMet(members: readonly Member[], bootstrapHosts: number): boolean {
  const alive = members.filter(({ self, state }) => !self && state === "Alive");
  return alive.length >= bootstrapHosts && members.every(({ node_id }) => node_id !== null);
}

/** Regions of the members, each once, sorted. */
export function regionsOf(members: readonly Member[]): string[] {
  return [...new Set(members.map(({ region }) => region))].sort();
}

function otherMember(
  id: string,
  state: StateReply | undefined,
  member: MemberReply | undefined,
  map: IdentityMap,
): Member {
  const nodeId = map[id] ?? null;
  const ts = state?.ts ?? member?.ts ?? null;
  const lastSync = member?.lastSync ?? null;
  const address = state?.address ?? member?.address ?? "";
  const rtts = member?.rtts ?? [];
  return {
    id,
    node_id: nodeId,
    region: nodeId === null ? "unknown" : regionOf(nodeId),
    address,
    state: state?.state ?? null,
    status: statusOf(state?.state ?? null, { lastSync, ts, address }),
    incarnation: state?.incarnation ?? null,
    cluster_id: state?.clusterId ?? member?.clusterId ?? null,
    ring: member?.ring ?? null,
    rtts,
    rtt_avg_ms: rtts.length === 0 ? null : rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length,
    ts: ts === null ? null : String(ts),
    last_seen_at: timeOf(ts),
    last_sync_at: timeOf(lastSync),
    self: false,
  };
}

function ownMember({ id, nodeId, address }: SelfMember): Member {
  return {
    id,
    node_id: nodeId,
    region: regionOf(nodeId),
    address,
    state: "Alive",
    // Its database has just answered.
    status: "active",
    incarnation: null,
    cluster_id: null,
    ring: null,
    rtts: [],
    rtt_avg_ms: null,
    ts: null,
    last_seen_at: null,
    last_sync_at: null,
    self: true,
  };
}

/** What is known of a member says how close it is; one that is Down is not close, whatever it once did. */
function statusOf(
  state: MemberState | null,
  known: { readonly lastSync: bigint | null; readonly ts: bigint | null; readonly address: string },
): Member["status"] {
  if (state === "Down") return "unknown";
  if (known.lastSync !== null) return "active";
  if (known.ts !== null && known.ts !== 0n) return "connected";
  return known.address === "" ? "unknown" : "reachable";
}

/** Of two entries of one actor the one of its later start counts, then the later incarnation, then the worse state. */
function isNewer(a: StateReply, b: StateReply): boolean {
  if (a.ts !== b.ts) return (a.ts ?? -1n) > (b.ts ?? -1n);
  if (a.incarnation !== b.incarnation) return (a.incarnation ?? -1) > (b.incarnation ?? -1);
  return MEMBER_STATES.indexOf(a.state) > MEMBER_STATES.indexOf(b.state);
}

function byNode(a: Member, b: Member): number {
  if (a.self !== b.self) return a.self ? -1 : 1;
  const [left, right] = [a.node_id ?? `~${a.id}`, b.node_id ?? `~${b.id}`];
  return left < right ? -1 : Number(left > right);
}

function timeOf(ts: bigint | null): string | null {
  return ts === null || ts === 0n ? null : isoMicros(ntp64ToMicros(ts));
}
