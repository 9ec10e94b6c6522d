/** @module The events of several nodes as one run's, page by page: in the order of their keys, each once. */
import type { EventKey, EventPage, MessageEventRow } from "../contract.ts";

/** One node's events. */
export interface EventSource {
  readonly node_id: string;
  /** The page behind `after`, null for the first one. */
  readonly page: (after: EventKey | null) => Promise<EventPage>;
}

/**
 * Holds one page of each source. Of an event that several have, the one of its own node counts, else the one of the
 * first node. Throws what a source throws.
 */
export async function* mergeEvents(sources: readonly EventSource[]): AsyncGenerator<MessageEventRow[]> {
  const ordered = sources.toSorted((a, b) => (a.node_id < b.node_id ? -1 : 1));
  let cursors = ordered.map((source) => new Cursor(source));
  for (;;) {
    await Promise.all(cursors.map((cursor) => cursor.fill()));
    cursors = cursors.filter(({ row }) => row !== null);
    if (cursors.length === 0) return;
    const merged: MessageEventRow[] = [];
    // Whose page is over may have the next event on its next page.
    while (cursors.every(({ row }) => row !== null)) merged.push(takeFirst(cursors));
    yield merged;
  }
}

class Cursor {
  readonly source: EventSource;
  #rows: readonly MessageEventRow[] = [];
  #at = 0;
  #after: EventKey | null = null;
  #over = false;

  constructor(source: EventSource) {
    this.source = source;
  }

  /** Null at the end of a page. */
  get row(): MessageEventRow | null {
    return this.#rows[this.#at] ?? null;
  }

  next(): void {
    this.#at += 1;
  }

  /** Reads the next page when this one is over and there is one. */
  async fill(): Promise<void> {
    while (this.row === null && !this.#over) {
      const { next, rows } = await this.source.page(this.#after);
      this.#rows = rows;
      this.#at = 0;
      this.#after = next;
      this.#over = next === null;
    }
  }
}

/** All of them stand at an event. */
function takeFirst(cursors: readonly Cursor[]): MessageEventRow {
  let copies: Cursor[] = [];
  for (const cursor of cursors) {
    const order = copies.length === 0 ? -1 : compareKeys(cursor.row!, copies[0]!.row!);
    if (order < 0) copies = [cursor];
    else if (order === 0) copies.push(cursor);
  }
  const own = copies.find(({ row, source }) => row?.originating_node === source.node_id);
  const { row } = own ?? copies[0]!;
  for (const cursor of copies) cursor.next();
  return row!;
}

/** As the store orders them: by the bytes of the texts, a send before its acknowledgements. */
function compareKeys(a: EventKey, b: EventKey): number {
  return compareBytes(a.message_id, b.message_id) || compareBytes(a.target_node ?? "", b.target_node ?? "");
}

function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
