/** @module What the raft room offers on the bus: a group's leader, and each node's topology. */
import type { RejectionCode } from "../../lib/conversation/apply.ts";
import type { Draft } from "../../lib/conversation/commands.ts";
import type { SessionPosition } from "../../lib/conversation/session-order.ts";
import type { Message, MessagePage, Session } from "../conversations/contract.ts";
import type { EngineHealth, EngineStatus } from "./engine/engine.ts";

/** `raft.gNNN.propose`: commands for the group's log, answered in order once each is decided. */
export interface Propose {
  readonly commands: readonly Draft[];
}
export interface Proposed {
  readonly results: readonly ProposeResult[];
}

export type ProposeResult =
  | { readonly kind: "created"; readonly session: Session; readonly created: boolean }
  | { readonly kind: "appended"; readonly seq: number; readonly id: string; readonly inserted_at: string }
  | { readonly kind: "deduped"; readonly message: Message }
  | { readonly kind: "session"; readonly session: Session; readonly cursor: number; readonly unread: number }
  | { readonly kind: "rejected"; readonly code: RejectionCode; readonly last_seq: number }
  /** Certainly not written; `hint` is the node that may lead now. */
  | {
      readonly kind: "refused";
      readonly why:
        | "not_leader"
        | "unavailable"
        | "full"
        | "backpressure"
        | "too_large"
        | "archive_unavailable"
        /** The archive must be asked about it: propose it in a call of its own, so that the others need not wait. */
        | "alone";
      readonly hint: string | null;
    }
  /** May have been written. */
  | { readonly kind: "maybe" };

/** `raft.gNNN.session`: null when it is not resident. */
export interface GetResident {
  readonly id: string;
}

/**
 * `raft.gNNN.messages`: up to `limit` messages above `after`, or, with `before`, the last ones below that seq (0: of
 * all), ascending either way. Ends early before `max_bytes`, never before the first. Null: unknown session.
 */
export interface ReadMessages {
  readonly session: string;
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
  readonly max_bytes: number;
}
export type ReadMessagesResult = MessagePage | null;

/** `raft.gNNN.heads` */
export interface GroupHeads {
  readonly ids: readonly string[];
}
export interface GroupHeadsResult {
  readonly epoch: number;
  /** Null: not resident. */
  readonly last_seqs: readonly (number | null)[];
}

/** `raft.topology.userSessions`, asked of every node: the resident sessions of a user in the groups led there. */
export interface UserSessions {
  readonly user_id: string;
  readonly status?: Session["status"];
  /** Only those that come after this place in the order newest first. */
  readonly position?: SessionPosition;
  readonly limit: number;
  /** Ids of sessions that the archive has: which of them are resident? */
  readonly known?: readonly string[];
}
export interface UserSessionsResult {
  /** Groups that the answer speaks for. */
  readonly groups: readonly number[];
  /** Newest first, at most `limit` and `MAX_CALL_BYTES`. */
  readonly sessions: readonly Session[];
  /** Later ones are there. */
  readonly more: boolean;
  /** Those of `known` that are resident in these groups, whatever their user and status. */
  readonly resident: readonly string[];
}

/** `raft.topology.yield`: the leader hands a group over to the node that ranks first. */
export interface Yield {
  readonly group: number;
  readonly to: string;
}
export interface Yielded {
  readonly released: boolean;
  readonly reason: string | null;
}

export type ReplicaRole = "leader" | "follower" | "recovering" | "halted";

export interface ReplicaReport {
  readonly group: number;
  readonly role: ReplicaRole;
  readonly epoch: number;
  readonly applied: number;
  /** Log index up to which the archive holds the group. */
  readonly archived: number;
  /** Log entries from there to the last one that the archive is to hold; claims and the like are none. */
  readonly behind: number;
  readonly sessions: number;
  /** Why it is halted, or cannot recover now; null otherwise. */
  readonly problem: string | null;
  /** Why the leader's archiver stands still; null while it does not, and for followers. */
  readonly archive_problem: string | null;
}

/** `raft.topology.report`: what this node holds. */
export interface NodeReport {
  readonly node: string;
  readonly engine: EngineStatus;
  readonly replicas: readonly ReplicaReport[];
  /** Whether every assigned group is recovered to its log's end and somebody leads each group led from here. */
  readonly recovered: boolean;
  /** Whether a commit or a probe went through within the last 5 s. */
  readonly writable: boolean;
  /** Why the node cannot use the archive now; null: it can. */
  readonly archive_problem: string | null;
}

/** `raft.topology.group`: one replica in full, for the REPL. */
export interface GroupDetail extends ReplicaReport {
  readonly digest: string;
  readonly health: EngineHealth | null;
}

/** `raft.topology.copy`: a part of this node's copy of a group, as the bytes of a snapshot. */
export interface GetCopy {
  readonly group: number;
  /** Of an earlier part of the same copy. */
  readonly token?: string;
  readonly offset: number;
}
/**
 * Null: there is no copy that is recovered, or no longer the one of this token. Busy: as many copies as the node keeps are
 * on their way; ask again.
 */
export type CopyPart =
  | { readonly token: string; readonly total: number; readonly base64: string }
  | "busy"
  | null;

/** `fleet.ops.drain` */
export interface Drain {
  /** Whether the node goes on without groups instead of ending. */
  readonly stay?: boolean;
}
/** `fleet.ops.drain`, `undrain`, `drainNode`, `undrainNode`: what was ordered, not that it is done. */
export interface Drained {
  readonly node: string;
  readonly draining: boolean;
}

/** Lifecycle events, broadcast on the bus. */
/** `archive.stalled` and, with null, `archive.resumed`. */
export interface ArchiveStalled {
  readonly group: number;
  readonly node: string;
  readonly problem: string | null;
}
export interface LeaderChanged {
  readonly group: number;
  readonly node: string;
  readonly epoch: number;
}
export interface LeaderEnded {
  readonly group: number;
  readonly node: string;
  readonly reason: "fenced" | "released" | "abandoned";
}
export interface ReplicaHalted {
  readonly group: number;
  readonly node: string;
  readonly problem: string;
}
