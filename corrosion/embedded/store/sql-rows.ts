/** @module Rows as SQLite hands them out: the one place where they get the type that their statement promises. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SqlValue } from "../values.ts";

/** A statement whose rows have the columns of `Row`, with big integers. */
export class Query<Row extends Record<keyof Row, SqlValue>> {
  readonly #statement: StatementSync;

  constructor(db: DatabaseSync, sql: string) {
    this.#statement = db.prepare(sql);
    this.#statement.setReadBigInts(true);
  }

  all(...values: readonly SqlValue[]): Row[] {
    return this.#statement.all(...values) as unknown as Row[];
  }

  first(...values: readonly SqlValue[]): Row | undefined {
    return this.#statement.get(...values) as unknown as Row | undefined;
  }
}

/** A statement that writes; the rows that it changed. */
export class Change {
  readonly #statement: StatementSync;

  constructor(db: DatabaseSync, sql: string) {
    this.#statement = db.prepare(sql);
    this.#statement.setReadBigInts(true);
  }

  run(...values: readonly SqlValue[]): number {
    return Number(this.#statement.run(...values).changes);
  }

  /** The row id of what it inserted, null when it inserted nothing. */
  insert(...values: readonly SqlValue[]): bigint | null {
    const { changes, lastInsertRowid } = this.#statement.run(...values);
    return BigInt(changes) === 0n ? null : BigInt(lastInsertRowid);
  }
}
