/** @module What the conversations room offers on the bus: actions, their params and answers, live events. */

import type { SessionPosition } from "../../lib/conversation/session-order.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { ArchivedSession } from "./archive/read.ts";

export type { ArchivedMessages, ArchivedSession } from "./archive/read.ts";
export type { ArchiveBatch, CursorRow, MessageRow, SessionRow } from "./archive/rows.ts";
export type { JsonObject };

export interface Dispatch {
  readonly state: "idle" | "pending" | "inflight";
  readonly epoch: number;
  readonly last_sent_seq: number;
  readonly last_failure: {
    readonly dispatch_id: string;
    readonly reason: string;
    readonly at: string;
  } | null;
}

export interface Session {
  readonly id: string;
  readonly user_id: string;
  readonly agent_id: string;
  readonly status: "active" | "archived";
  readonly metadata: JsonObject;
  /** ISO-8601 UTC with six decimals, as all times. */
  readonly inserted_at: string;
  readonly updated_at: string;
  readonly last_seq: number;
  readonly dispatch: Dispatch;
}

export interface Message {
  readonly id: string;
  readonly session_id: string;
  readonly seq: number;
  readonly sender_id: string;
  readonly kind: string;
  readonly content: JsonObject;
  readonly metadata: JsonObject;
  readonly inserted_at: string;
}

/** `sessions.create` throws invalid_session, session_exists. */
export interface CreateSession {
  readonly user_id: string;
  readonly agent_id: string;
  readonly metadata?: JsonObject;
  readonly id?: string;
}
export interface CreatedSession {
  readonly session: Session;
  /** False when a session with this id and the same participants was there already. */
  readonly created: boolean;
}

/** `sessions.get` throws session_not_found. */
export interface GetSession {
  readonly id: string;
}

/** `sessions.list` throws invalid_parameter. Newest first. */
export interface ListSessions {
  readonly user_id: string;
  readonly status?: "active" | "archived";
  /** 1..50, default 50. */
  readonly limit?: number;
  /** `next_cursor` of the page before. */
  readonly cursor?: string;
}
export interface SessionPage {
  readonly sessions: readonly Session[];
  readonly next_cursor: string | null;
  /** True when the archive could not be asked, so that older sessions may be missing. */
  readonly partial: boolean;
}

/** `sessions.archive` throws session_not_found; idempotent; answers the `Session`. */
export type ArchiveSession = GetSession;

/** `sessions.read` throws session_not_found, not_participant, invalid_read. */
export interface ReadSession {
  readonly id: string;
  readonly user_id: string;
  /** Default 0. The cursor never goes back, nor beyond last_seq. */
  readonly last_seq?: number;
}
export interface ReadResult {
  readonly session: Session;
  readonly cursor: { readonly user_id: string; readonly last_seq: number; readonly unread_count: number };
}

/**
 * `sessions.messages.append` throws, in this order, invalid_message, content_too_large, backpressure,
 * leader_unavailable, session_not_found, not_participant, session_archived, expected_seq_conflict
 * (with last_seq), append_timeout (with may_have_committed).
 */
export interface AppendMessage {
  readonly session_id: string;
  /** Exactly one of `user_id` and `agent_id`. */
  readonly user_id?: string;
  readonly agent_id?: string;
  /** Default `text`. */
  readonly kind?: string;
  readonly content: JsonObject;
  readonly metadata?: JsonObject;
  readonly idempotency_key?: string;
  /** The last_seq that the caller believes the session has. */
  readonly expected_seq?: number;
}
export interface Appended {
  readonly message: Message;
  readonly deduped: boolean;
}

/** `sessions.messages.list` throws invalid_parameter, session_not_found. */
export interface ListMessages {
  readonly session_id: string;
  /** >= 0, default 0. */
  readonly after_seq?: number;
  /** 1..1000, default 50. */
  readonly limit?: number;
  /** 1..1000; alone. */
  readonly tail?: number;
  /** Page ends early before this many bytes of JSON; at most and by default 8 MiB. At least one message is answered. */
  readonly max_bytes?: number;
}
export interface MessagePage {
  readonly messages: readonly Message[];
  readonly last_seq: number;
  /** Later messages are there; for `tail`, earlier ones. */
  readonly has_more: boolean;
}

/** `sessions.heads`: what sockets ask every few seconds of the sessions that they show. At most 1000 ids a call. */
export interface GetHeads {
  readonly ids: readonly string[];
}
export interface Heads {
  /** Sessions whose group answered; an id that is missing here could not be asked, null is an unknown session. */
  readonly heads: { readonly [id: string]: { readonly last_seq: number; readonly epoch: number } | null };
}

/** What the leader publishes on `sessionSubject(id)` after a commit, at most once and unordered across leaders. */
export interface SessionMessages {
  readonly type: "messages";
  readonly session_id: string;
  /** Leader epoch of the group: when it rises, publications of the former leader may have been lost. */
  readonly epoch: number;
  /** Ascending and contiguous. */
  readonly messages: readonly Message[];
}

/*
 * `archive.*`: the node's own connections to Postgres; callers ask the service of their own node, so that nothing
 * crosses the bus. Every action but `archive.status` throws `archive_unavailable` when Postgres cannot be used now, or
 * when what is stored is not whole.
 */

/** `archive.status`: as far as the last call, or the last try to reach Postgres, tells. */
export interface ArchiveStatus {
  readonly available: boolean;
  /** Why it is not; null when it is. */
  readonly problem: string | null;
}

/** `archive.available` and `archive.unavailable`, broadcast on the bus when a node reaches or loses Postgres. */
export interface ArchiveChanged {
  readonly node: string;
  /** Why it is not available; absent when it is. */
  readonly problem?: string;
}

/** `archive.write` (`ArchiveBatch`): one transaction that may be repeated. */
export type ArchiveWritten =
  | { readonly kind: "written"; readonly conflicts: number }
  /** Postgres refuses a row: trying again does not help, a person must look. */
  | { readonly kind: "refused"; readonly problem: string };

/** `archive.watermark`: the log index up to which a group is archived, 0 when nothing is. */
export interface GetWatermark {
  readonly group: number;
}

/** `archive.session`: a session, and how much of its group the archive held when it was asked. */
export interface GetArchivedSession extends GetSession {
  readonly group: number;
}
export interface FoundSession {
  readonly session: ArchivedSession | null;
  /** See `archive.watermark`. */
  readonly watermark: number;
}

/** `archive.messages` answers `ArchivedMessages`: messages after+1 .. after+limit, all of which are archived. */
export interface GetArchivedMessages {
  readonly session: string;
  readonly after: number;
  readonly limit: number;
  readonly max_bytes: number;
}

/** `archive.userSessions`: archived headers of a user, newest first. */
export interface GetUserSessions {
  readonly user_id: string;
  readonly status?: Session["status"];
  /** Only those that come after this place in the order newest first. */
  readonly position?: SessionPosition;
  readonly limit: number;
}
export interface ArchivedUserSessions {
  readonly sessions: readonly Session[];
  /** Later ones are there. */
  readonly more: boolean;
}

/**
 * `archive.saveSnapshot`: stores it, reads it back, keeps the newest ones. Throws an error of another kind when these
 * bytes are no snapshot or did not come back as they were.
 */
export interface SaveSnapshot {
  readonly group: number;
  readonly index: number;
  readonly data: Uint8Array;
}

/** `archive.snapshots`: indexes of the group's snapshots, newest first. */
export interface ListSnapshots {
  readonly group: number;
}
export interface SnapshotIndexes {
  readonly indexes: readonly number[];
}

/** `archive.snapshot`: its bytes as they are stored; null when it is not there any more. */
export interface LoadSnapshot {
  readonly group: number;
  readonly index: number;
}
export interface LoadedSnapshot {
  readonly data: Uint8Array | null;
}
