/** @module The rows of the archive as the program sees them. Times are microseconds since 1970. */
import type { DispatchState } from "../../../lib/conversation/state.ts";
import type { JsonObject } from "../../../lib/json.ts";

/** A session's header as it is at `logIndex`. */
export interface SessionRow {
  readonly id: string;
  readonly user: string;
  readonly agent: string;
  readonly status: "active" | "archived";
  readonly metadata: JsonObject;
  readonly insertedAt: number;
  readonly updatedAt: number;
  readonly lastSeq: number;
  readonly dispatch: DispatchState;
  /** Sender and time of message `lastSeq`; null before the first message. */
  readonly lastSenderId: string | null;
  readonly lastActivityAt: number | null;
  /** Index of the last entry that changed this header: a row is only replaced by one with a higher index. */
  readonly logIndex: number;
}

export interface MessageRow {
  readonly id: string;
  readonly session: string;
  readonly seq: number;
  readonly sender: string;
  readonly recipient: string;
  readonly kind: string;
  readonly content: JsonObject;
  readonly metadata: JsonObject;
  readonly key: string | null;
  readonly insertedAt: number;
}

/** How far a participant has read; a row is only replaced by one with a higher seq. */
export interface CursorRow {
  readonly session: string;
  readonly participant: string;
  readonly lastSeq: number;
  readonly at: number;
}

/** What one group's log says up to an index. */
export interface ArchiveBatch {
  readonly group: number;
  readonly sessions: readonly SessionRow[];
  readonly messages: readonly MessageRow[];
  readonly cursors: readonly CursorRow[];
  /**
   * Everything up to this log index is in this batch or archived already. A batch that ends within an entry gives
   * the index before that entry.
   */
  readonly archivedIndex: number;
}
