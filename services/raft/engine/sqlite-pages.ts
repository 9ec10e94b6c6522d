/** @module Reading the log's SQLite file: ends of groups and pages of entries, on a connection of its own. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { LogEntry } from "./engine.ts";
import { Corrupt, Truncated, Unavailable } from "./errors.ts";
import { checksum, failureOf, indexOf, numberIn, openForReading, position } from "./sqlite-file.ts";

/** Limits of one page: what a read may take from the event loop at a time. */
const PAGE_BYTES = 1024 * 1024;
const PAGE_ROWS = 1000;

export interface GroupRow {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export class SqlitePages {
  readonly #file: string;
  readonly #reader: DatabaseSync;
  readonly #groupRow: StatementSync;
  readonly #rows: StatementSync;

  constructor(file: string) {
    this.#file = file;
    this.#reader = openForReading(file);
    this.#groupRow = this.#reader.prepare("SELECT first, last, bytes FROM groups WHERE grp = ?");
    this.#rows = this.#reader.prepare(
      `SELECT pos, crc, data FROM entries WHERE pos >= ? AND pos <= ? ORDER BY pos LIMIT ${PAGE_ROWS}`,
    );
  }

  /** The group's ends; undefined when it was not provisioned. Throws `Corrupt`, `Unavailable`. */
  groupRow(group: number): GroupRow | undefined {
    try {
      const row = this.#groupRow.get(group);
      if (!row) return undefined;
      return { first: numberIn(row, "first"), last: numberIn(row, "last"), bytes: numberIn(row, "bytes") };
    } catch (error) {
      throw this.#readError(error);
    }
  }

  /**
   * The next entries from..to, as many as one page takes; empty when the log ends before `from`.
   * Throws `Truncated`, `Corrupt`, `Unavailable`.
   */
  page(group: number, from: number, to: number): LogEntry[] {
    // The ends are read before the rows: what is committed in between only adds entries after `last`.
    const ends = this.groupRow(group);
    if (!ends) throw new Unavailable(`group ${group} was not provisioned in ${this.#file}`);
    if (from < ends.first) throw new Truncated(group, from, ends.first);
    const end = Math.min(to, ends.last);
    if (from > end) return [];
    const entries: LogEntry[] = [];
    let bytes = 0;
    try {
      for (const row of this.#rows.iterate(position(group, from), position(group, end))) {
        const index = indexOf(group, numberIn(row, "pos"));
        if (index !== from + entries.length) break;
        const data = row.data;
        if (!(data instanceof Uint8Array) || checksum(group, index, data) !== row.crc) {
          throw new Corrupt(
            `${this.#file}: entry ${index} of group ${group} does not match its checksum: restore the file from a copy`,
          );
        }
        entries.push({ index, data });
        bytes += data.length;
        if (bytes >= PAGE_BYTES) break;
      }
    } catch (error) {
      throw this.#readError(error);
    }
    if (entries.length === 0) {
      const first = this.groupRow(group)?.first ?? 1;
      if (from < first) throw new Truncated(group, from, first);
      throw new Corrupt(
        `${this.#file}: entry ${from} of group ${group} is missing: restore the file from a copy`,
      );
    }
    return entries;
  }

  #readError(error: unknown): unknown {
    if (error instanceof Truncated || error instanceof Corrupt || error instanceof Unavailable) return error;
    const failure = failureOf(error, this.#file);
    return failure.corrupt
      ? new Corrupt(failure.message, { cause: error })
      : new Unavailable(failure.message, { cause: error });
  }

  close(): void {
    this.#reader.close();
  }
}
