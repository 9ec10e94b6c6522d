/** @module Anti-entropy, decided without I/O: which missing versions to ask of which peer. */
import type { ActorId, Known, KnownVersions, Range } from "../replication.ts";
import { lowest, setOf, size, upTo, without } from "./ranges.ts";

/** What an agent tells others of what it has: of each origin all up to `head` but what it lacks. */
export type Holdings = ReadonlyMap<ActorId, { readonly head: bigint; readonly lacks: readonly Range[] }>;

export type VersionSets = ReadonlyMap<ActorId, readonly Range[]>;

/** Versions of an origin; of a single one perhaps only the changes with these seqs. */
export interface Want {
  readonly origin: ActorId;
  readonly versions: Range;
  /** Ranges of seqs; null: all. */
  readonly seqs: readonly (readonly [number, number])[] | null;
}

export interface PeerState {
  readonly id: ActorId;
  readonly holds: Holdings;
  /** What it was asked for lately and did not bring. */
  readonly tried: VersionSets;
  /** Versions that it may be asked for now. */
  readonly room: number;
}

export interface PlanInput {
  readonly self: ActorId;
  readonly own: KnownVersions;
  readonly peers: readonly PeerState[];
  /** Asked for already, or refused lately. */
  readonly busy: VersionSets;
}

/** A share that is not worth a second peer. */
const SMALL_SHARE = 32n;
/** Ranges of one origin that are told at once. */
const TOLD_RANGES = 4096;
const NOTHING: readonly Range[] = [];

/**
 * Each version that is missing here, that some peer has and that nobody was asked for, is asked of one peer, as far as
 * there is room; peers that come first are not preferred where several could answer.
 */
export function plan(input: PlanInput): ReadonlyMap<ActorId, readonly Want[]> {
  const asks = new Map<ActorId, Want[]>();
  const room = new Map(input.peers.map((peer) => [peer.id, peer.room]));
  for (const [origin, head] of headsOf(input.peers)) {
    if (origin === input.self) continue;
    const known = input.own.get(origin);
    const busy = input.busy.get(origin) ?? NOTHING;
    const partial = new Map(known?.partial.map(({ version, missing }) => [version, missing]));
    let left = without(missing(known, head), busy);
    const share = shareOf(size(left), input.peers.length);
    for (let again = true; again && left.length > 0; ) {
      again = false;
      for (const peer of input.peers) {
        const free = Math.min(room.get(peer.id)!, share);
        const taken = free > 0 ? lowest(held(peer, origin, left), free) : NOTHING;
        if (taken.length === 0) continue;
        again = true;
        left = without(left, taken);
        room.set(peer.id, room.get(peer.id)! - Number(size(taken)));
        const wants = taken.flatMap((range) => wanted(origin, range, partial));
        asks.set(peer.id, [...(asks.get(peer.id) ?? []), ...wants]);
      }
    }
  }
  return asks;
}

/** The highest version of each origin that some peer has heard of. */
export function headsOf(peers: readonly Pick<PeerState, "holds">[]): ReadonlyMap<ActorId, bigint> {
  const heads = new Map<ActorId, bigint>();
  for (const { holds } of peers) {
    for (const [origin, { head }] of holds) if (head > (heads.get(origin) ?? 0n)) heads.set(origin, head);
  }
  return heads;
}

/** What an agent that knows this tells others. A long list of gaps ends early, and the head with it. */
export function holdingsOf(known: KnownVersions): Holdings {
  const holds = new Map<ActorId, { head: bigint; lacks: readonly Range[] }>();
  for (const [origin, { head, need, partial }] of known) {
    const lacks = upTo(setOf([...need, ...partial.map(({ version }) => one(version))]), head);
    const beyond = lacks[TOLD_RANGES];
    holds.set(
      origin,
      beyond ? { head: beyond.start - 1n, lacks: lacks.slice(0, TOLD_RANGES) } : { head, lacks },
    );
  }
  return holds;
}

/** All versions up to `head` that are not here, whole. */
function missing(known: Known | undefined, head: bigint): readonly Range[] {
  if (known === undefined) return head > 0n ? [{ start: 1n, end: head }] : NOTHING;
  const above = head > known.head ? [{ start: known.head + 1n, end: head }] : NOTHING;
  return setOf([...known.need, ...known.partial.map(({ version }) => one(version)), ...above]);
}

/** Which of these versions the peer has and was not asked for in vain. */
function held(peer: PeerState, origin: ActorId, versions: readonly Range[]): readonly Range[] {
  const holds = peer.holds.get(origin);
  if (holds === undefined) return NOTHING;
  const there = without(upTo(versions, holds.head), holds.lacks);
  return without(there, peer.tried.get(origin) ?? NOTHING);
}

function shareOf(versions: bigint, peers: number): number {
  const even = versions / BigInt(Math.max(1, peers)) + 1n;
  const share = even > SMALL_SHARE ? even : SMALL_SHARE;
  return Number(share > 0xffff_ffffn ? 0xffff_ffffn : share);
}

/** A range as wants: versions of which a part is here are asked for by their seqs. */
function wanted(
  origin: ActorId,
  range: Range,
  partial: ReadonlyMap<bigint, Known["partial"][number]["missing"]>,
): Want[] {
  const inside = [...partial.keys()].filter((version) => range.start <= version && version <= range.end);
  const whole = without([range], setOf(inside.map(one)));
  return [
    ...whole.map((versions) => ({ origin, versions, seqs: null })),
    ...inside.map((version) => ({ origin, versions: one(version), seqs: partial.get(version)! })),
  ];
}

function one(version: bigint): Range {
  return { start: version, end: version };
}
