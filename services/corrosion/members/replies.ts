/** @module What an agent says of its members, on the admin socket and the command line, read into types. */
import { actorIdOf } from "../../../lib/actor-ids.ts";
import { isObject, type Json } from "../../../lib/corrosion/client/json.ts";
import { formatHostPort, parseHostPort } from "../../../lib/host-port.ts";
import { ntp64Of } from "../../../lib/ntp64.ts";

export const MEMBER_STATES = ["Alive", "Suspect", "Down"] as const;
export type MemberState = (typeof MEMBER_STATES)[number];

/** An entry of `MembershipStates`. */
export interface StateReply {
  readonly id: string;
  readonly address: string;
  /** NTP64 of the identity: an agent that starts again has a newer one. */
  readonly ts: bigint | null;
  readonly clusterId: number | null;
  readonly incarnation: number | null;
  readonly state: MemberState;
}

/** An entry of `Members`. */
export interface MemberReply {
  readonly id: string;
  readonly address: string;
  readonly ts: bigint | null;
  readonly clusterId: number | null;
  /** RTT bucket, 0 to 5. */
  readonly ring: number | null;
  readonly lastSync: bigint | null;
  readonly rtts: readonly number[];
}

/** An entry is none that an agent sends; one sentence. */
export class BadReply extends Error {
  override name = "BadReply";
}

const QUOTED = 160;

/** Throws `BadReply`. */
export function stateReply(value: Json): StateReply {
  const identity = isObject(value) ? value.id : undefined;
  if (!isObject(value) || !isObject(identity)) throw bad(value);
  const id = actorIdOf(identity.id);
  const state = memberState(value.state);
  if (id === null || state === null || typeof identity.addr !== "string") throw bad(value);
  return {
    id,
    address: address(identity.addr),
    ts: ntp64Of(identity.ts),
    clusterId: integer(identity.cluster_id),
    incarnation: integer(value.incarnation),
    state,
  };
}

/** Throws `BadReply`. */
export function memberReply(value: Json): MemberReply {
  const state = isObject(value) ? value.state : undefined;
  if (!isObject(value) || !isObject(state)) throw bad(value);
  const id = actorIdOf(value.id);
  if (id === null || typeof state.addr !== "string") throw bad(value);
  const lastSync = ntp64Of(state.last_sync_ts);
  return {
    id,
    address: address(state.addr),
    ts: ntp64Of(state.ts),
    clusterId: integer(state.cluster_id),
    ring: integer(state.ring),
    // Agents that never synced say null or zero.
    lastSync: lastSync === 0n ? null : lastSync,
    rtts: Array.isArray(value.rtts) ? value.rtts.filter((rtt) => typeof rtt === "number") : [],
  };
}

export function memberState(value: unknown): MemberState | null {
  return MEMBER_STATES.find((state) => state === value) ?? null;
}

/** One spelling for an address; what is no address stays as it is. */
export function address(text: string): string {
  const parsed = parseHostPort(text);
  return parsed === null ? text : formatHostPort(parsed);
}

/** Null for what is no integer that a number holds. */
export function integer(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : null;
}

function bad(value: Json): BadReply {
  const text = JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? String(one) : one));
  return new BadReply(`the agent describes a member as nobody does: ${text.slice(0, QUOTED)}`);
}
