/** @module A model of the archive: what the statements of the archive's room do with the rows of a group. */
import { MAX_KEYS } from "../../lib/conversation/state.ts";
import type {
  ArchiveBatch,
  ArchivedSession,
  Message,
  MessageRow,
  SessionRow,
} from "../../services/conversations/contract.ts";
import { messageView } from "../../services/raft/views.ts";
import { must } from "./naive-group.ts";

/** Snapshots that are kept. */
const KEEP = 3;

export class ArchiveModel {
  watermark = 0;
  readonly sessions = new Map<string, SessionRow>();
  readonly #messages = new Map<string, MessageRow[]>();
  readonly #cursors = new Map<string, number>();
  readonly #snapshots = new Map<number, Uint8Array>();

  /** One transaction: headers go by log index, messages stay as they are, cursors and the watermark only rise. */
  write({ sessions, messages, cursors, archivedIndex }: ArchiveBatch): void {
    for (const row of sessions) {
      const known = this.sessions.get(row.id);
      if (!known || known.logIndex < row.logIndex) this.sessions.set(row.id, row);
    }
    for (const row of messages) {
      const rows = this.#rows(row.session);
      const known = rows[row.seq];
      must(
        known === undefined || known.id === row.id,
        () => `the archive holds message ${known?.id} as ${row.session}/${row.seq}, and is given ${row.id}`,
      );
      rows[row.seq] ??= row;
    }
    for (const { session, lastSeq } of cursors) {
      this.#cursors.set(session, Math.max(lastSeq, this.cursor(session)));
    }
    this.watermark = Math.max(this.watermark, archivedIndex);
  }

  message(session: string, seq: number): MessageRow | undefined {
    return this.#messages.get(session)?.[seq];
  }

  cursor(session: string): number {
    return this.#cursors.get(session) ?? 0;
  }

  session(id: string): ArchivedSession | null {
    const header = this.sessions.get(id);
    if (!header) return null;
    const { logIndex: _, ...row } = header;
    const cursor = this.cursor(id);
    // What is above `lastSeq` belongs to a later header.
    const messages = this.#rows(id).filter(({ seq }) => seq <= header.lastSeq);
    return {
      ...row,
      cursor,
      unread: messages.filter(({ seq, sender }) => seq > cursor && sender !== row.user).map(({ seq }) => seq),
      keys: messages
        .flatMap(({ key, seq }): [string, number][] => (key === null ? [] : [[key, seq]]))
        .slice(-MAX_KEYS),
    };
  }

  /** Messages after+1 .. after+limit, as far as they are there without a hole. */
  page(session: string, after: number, limit: number): Message[] {
    const page: Message[] = [];
    for (let seq = after + 1; seq <= after + limit; seq++) {
      const row = this.message(session, seq);
      if (!row) break;
      page.push(messageView({ ...row, at: row.insertedAt }, seq));
    }
    return page;
  }

  saveSnapshot(index: number, data: Uint8Array): void {
    this.#snapshots.set(index, data);
    for (const old of this.snapshots().slice(KEEP)) this.#snapshots.delete(old);
  }

  /** Indexes, newest first. */
  snapshots(): number[] {
    return [...this.#snapshots.keys()].sort((a, b) => b - a);
  }

  snapshot(index: number): Uint8Array | null {
    return this.#snapshots.get(index) ?? null;
  }

  /** By seq; with holes while batches are under way, none of which `filter` visits. */
  #rows(session: string): MessageRow[] {
    let rows = this.#messages.get(session);
    if (!rows) {
      rows = [];
      this.#messages.set(session, rows);
    }
    return rows;
  }
}
