/** @module Transactions of the writing connection: what is in memory follows what is stored, also when one fails. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { LocalWrites } from "./local-writes.ts";

/** A picture of some tables in memory. */
export interface Mirror {
  /** What it was told in the transaction is stored now. */
  committed(): void;
  /** What it was told in the transaction is not stored. */
  rolledBack(): void;
}

export class Transactions {
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #writes: LocalWrites;
  readonly #mirrors: readonly Mirror[];

  constructor(db: DatabaseSync, writes: LocalWrites, mirrors: readonly Mirror[]) {
    this.#db = db;
    this.#writes = writes;
    this.#mirrors = mirrors;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
  }

  /** Runs writes of this agent. A throw rolls all back and is passed on. */
  local<T>(run: () => T): T {
    return this.#run(run, false);
  }

  /** Runs writes whose rows are not this agent's own. A throw rolls all back and is passed on. */
  remote<T>(run: () => T): T {
    return this.#run(run, true);
  }

  #run<T>(run: () => T, remote: boolean): T {
    this.#begin.run();
    this.#writes.paused = remote;
    try {
      const result = run();
      this.#commit.run();
      for (const mirror of this.#mirrors) mirror.committed();
      return result;
    } catch (error) {
      // A conflict clause of a statement may have rolled back already.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#writes.discard();
      for (const mirror of this.#mirrors) mirror.rolledBack();
      throw error;
    } finally {
      this.#writes.paused = false;
    }
  }
}
