/** @module A database file with subscriptions on it; writes go through one connection, as in an agent. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { openReader } from "../../corrosion/embedded/store/connection.ts";
import type { Store } from "../../corrosion/embedded/store/contract.ts";
import { openStore } from "../../corrosion/embedded/store/store.ts";
import type {
  RunQuery,
  Subscriptions,
  SubscriptionsLog,
  SubscriptionTimes,
  Updates,
} from "../../corrosion/embedded/subscriptions/contract.ts";
import { openSubscriptions } from "../../corrosion/embedded/subscriptions/subscriptions.ts";
import { openUpdates } from "../../corrosion/embedded/subscriptions/updates.ts";
import type { SqlValue } from "../../corrosion/embedded/values.ts";

const BATCH_ROWS = 200;

export interface WorldOptions {
  readonly folder: string;
  readonly schema: string;
  readonly times: SubscriptionTimes;
}

export class World {
  readonly folder: string;
  readonly store: Store;
  readonly queries: string[] = [];
  readonly warnings: string[] = [];
  /** Thrown by the next queries, one each. */
  readonly failures: Error[] = [];
  readonly #path: string;
  readonly #times: SubscriptionTimes;
  readonly #reader: DatabaseSync;
  readonly #updates: Updates;
  #subscriptions: Subscriptions | null = null;
  /** What is an error to the log is one to the test. */
  readonly #log: SubscriptionsLog = {
    info() {},
    warn: (message) => this.warnings.push(message),
    error(message, fields) {
      throw new Error(`logged as an error: ${message} ${JSON.stringify(fields)}`);
    },
  };

  constructor({ folder, schema, times }: WorldOptions) {
    this.folder = join(folder, "subs");
    this.#path = join(folder, "db.sqlite");
    this.#times = times;
    this.store = openStore({ path: this.#path });
    this.store.applySchema([schema]);
    this.store.onCommitted((committed) => {
      this.#subscriptions?.committed(committed);
      this.#updates.committed(committed);
    });
    this.#reader = openReader(this.#path);
    this.#updates = openUpdates({ tables: () => this.store.tables(), log: this.#log, times });
  }

  get updates(): Updates {
    return this.#updates;
  }

  /** Opened on first use, and again after `restart`. */
  get subscriptions(): Subscriptions {
    this.#subscriptions ??= openSubscriptions({
      folder: this.folder,
      reader: this.#reader,
      tables: () => this.store.tables(),
      query: this.query,
      log: this.#log,
      times: this.#times,
    });
    return this.#subscriptions;
  }

  /** One transaction. */
  commit(...statements: readonly string[]): void {
    this.store.transact(statements.map((sql) => ({ sql, params: { kind: "none" } })));
  }

  /** What a query says now, one text a row, sorted. */
  rows(sql: string): string[] {
    const statement = this.#reader.prepare(sql);
    statement.setReturnArrays(true);
    statement.setReadBigInts(false);
    return statement
      .all()
      .map((row) => JSON.stringify(row))
      .sort();
  }

  async restart(clean: boolean): Promise<void> {
    await this.#subscriptions?.close({ clean });
    this.#subscriptions = null;
  }

  async close(): Promise<void> {
    await this.restart(false);
    this.#updates.close();
    this.#reader.close();
    this.store.close();
  }

  readonly query: RunQuery = (sql, { limitMs, signal }) => this.#run(sql, limitMs, signal);

  async *#run(sql: string, limitMs: number, signal: AbortSignal): AsyncGenerator<SqlValue[][]> {
    const db = openReader(this.#path);
    try {
      this.queries.push(sql);
      await setImmediate();
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      const deadline = performance.now() + limitMs;
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      let batch: SqlValue[][] = [];
      for (const row of statement.iterate()) {
        batch.push(row as unknown as SqlValue[]);
        if (batch.length < BATCH_ROWS) continue;
        yield batch;
        batch = [];
        await setImmediate();
        if (signal.aborted) return;
        if (performance.now() > deadline) throw new Error("interrupted");
      }
      yield batch;
    } finally {
      db.close();
    }
  }
}
