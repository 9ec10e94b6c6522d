/** @module What gossip offers the agent that composes it, and what it needs of it. */
import type { ActorId, Committed, Replication } from "../replication.ts";

export interface GossipOptions {
  readonly actorId: ActorId;
  /** `gossip.addr`: the only address listened on, `ip:port` or `[ipv6]:port`; port 0 takes a free one. */
  readonly listen: string;
  /** `gossip.external_addr`: what others are told to dial; null: the address listened on. */
  readonly externalAddr: string | null;
  /** `gossip.bootstrap`: `host:port` or `[ipv6]:port`, each perhaps with `@dns:53`; port 4001 if left out. */
  readonly bootstrap: readonly string[];
  /** Addresses of members of an earlier run, as `__corro_members` keeps them. */
  readonly remembered: readonly string[];
  readonly clusterId: number;
  readonly memberId: number | null;
  readonly replication: Replication;
  /** NTP64 of now; the only place where gossip sees the wall clock. */
  readonly ts: () => bigint;
  /** Told at once, in order; must not throw. */
  readonly onEvent: (event: GossipEvent) => void;
  /** Pace and limits; what is left out has the product's value. For tests. */
  readonly pace?: Partial<Pace>;
}

/** Times in milliseconds, sizes in bytes. */
export interface Pace {
  /** Members are exchanged, missing versions looked for and peers dialed this often. Default 1,000. */
  readonly roundMs: number;
  /** Silence after which a member is Suspect. Default 3,000. */
  readonly suspectAfterMs: number;
  /** Silence after which a member is Down. Default 10,000. */
  readonly downAfterMs: number;
  /** Down members leave the lists after this. Default two days. */
  readonly forgetAfterMs: number;
  /** A connection that brought no byte for this long is dropped. Default 5,000. */
  readonly silenceMs: number;
  /** A connection must have said hello after this. Default 5,000. */
  readonly helloMs: number;
  /** A frame that began must be whole after this. Default 30,000. */
  readonly frameMs: number;
  /** Longest wait between two tries of an address. Default 5,000; of Down members and unanswering names six times that. */
  readonly redialMs: number;
  /** A question for versions that brings nothing for this long is given up. Default 10,000. */
  readonly askMs: number;
  /** A refused version is asked for again after this. Default 60,000. */
  readonly refusedMs: number;
  /** Pushes to a peer are left out while more than this waits to be sent to it. Default 4 MiB. */
  readonly sendBufferBytes: number;
  /** No more is read from a connection while more than this of it waits to be written down. Default 4 MiB. */
  readonly receiveBufferBytes: number;
  /** Chunks that answer a question are about this big. Default 64 KiB. */
  readonly chunkBytes: number;
  /** Longest frame. Default 64 MiB. */
  readonly maxFrameBytes: number;
}

/** One sentence: what is wrong with a gossip setting, or why the address cannot be listened on. */
export class GossipUnusable extends Error {
  override name = "GossipUnusable";
}

export interface Gossip {
  /** What others are told to dial, `ip:port`. */
  readonly address: string;
  /** All members that are not Down, self left out (`Cluster Members`). */
  members(): readonly MemberView[];
  /** All members, Down ones too, self left out (`Cluster MembershipStates`, `__corro_members`). */
  membershipStates(): readonly MembershipState[];
  /** To be called after each local commit, in commit order. Returns at once. */
  localCommit(committed: Committed): void;
  /** Asks again for versions that were refused: the schema has changed. */
  retryRefused(): void;
  /** Joins anew under a new identity timestamp (`Cluster Rejoin`). */
  rejoin(): void;
  /** Leaves the members of the old cluster and joins those of the new one (`Cluster SetId`); 0 to 65535. */
  setClusterId(clusterId: number): void;
  /** What waits and who is connected, for health and metrics. */
  status(): GossipStatus;
  /** Says goodbye, closes all sockets and timers; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

export interface GossipStatus {
  /** Peers with a connection. */
  readonly peers: number;
  /** Received changes that wait to be applied (`corro_agent_changes_in_queue`). */
  readonly queuedChanges: number;
}

export type LivenessState = "Alive" | "Suspect" | "Down";

/** One answer of `Cluster Members`; write bigints as bare numbers. `id` is a hyphenated UUID. */
export interface MemberView {
  readonly id: string;
  readonly state: {
    readonly addr: string;
    readonly ts: bigint;
    readonly cluster_id: number;
    /** Round-trip bucket 0..5; null: not measured, or 300 ms and more. */
    readonly ring: number | null;
    readonly last_sync_ts: bigint | null;
    readonly member_id: number | null;
  };
  /** Last round trips in whole milliseconds, oldest first; null: none. */
  readonly rtts: readonly number[] | null;
}

/** One answer of `Cluster MembershipStates`; write bigints as bare numbers. */
export interface MembershipState {
  readonly id: {
    readonly id: string;
    readonly addr: string;
    readonly ts: bigint;
    readonly cluster_id: number;
    readonly member_id: number | null;
  };
  readonly incarnation: number;
  readonly state: LivenessState;
}

/** How changes came: pushed by their origin, or asked for. */
export type Via = "push" | "sync";

/** What the agent logs (those with a `message`, each once until it is over) and counts. Ids are 32 hex digits. */
export type GossipEvent =
  | { readonly kind: "listening"; readonly address: string }
  | { readonly kind: "connected"; readonly peer: ActorId; readonly address: string }
  | { readonly kind: "disconnected"; readonly peer: ActorId; readonly message: string }
  | { readonly kind: "member"; readonly id: ActorId; readonly address: string; readonly state: LivenessState }
  /** Any field of the lists changed: `__corro_members` may be written anew. */
  | { readonly kind: "members_changed" }
  /** A connection was not accepted, or not kept: another protocol, cluster or copy of this database, or nonsense. */
  | { readonly kind: "rejected"; readonly address: string; readonly message: string }
  /** A bootstrap name has no address, or nobody answers there. */
  | { readonly kind: "unreachable"; readonly address: string; readonly message: string }
  /** A version stays a gap. */
  | { readonly kind: "refused"; readonly origin: ActorId; readonly version: bigint; readonly message: string }
  /** Replication does not answer, or another thing that should not be. */
  | { readonly kind: "trouble"; readonly message: string }
  /** Chunks arrived, not yet judged. */
  | { readonly kind: "received"; readonly via: Via; readonly changes: number }
  /** A version, or its last missing part, was merged; `ts` is its origin's commit (NTP64). */
  | {
      readonly kind: "applied";
      readonly via: Via;
      readonly origin: ActorId;
      readonly version: bigint;
      readonly ts: bigint;
      readonly changes: number;
    }
  | { readonly kind: "sent"; readonly via: Via; readonly peers: number; readonly changes: number }
  /** A peer was too slow for a push; it will ask. */
  | { readonly kind: "push_skipped"; readonly peer: ActorId; readonly version: bigint };

export type StartGossip = (options: GossipOptions) => Promise<Gossip>;
