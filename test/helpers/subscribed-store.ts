/** @module A database file with subscriptions on it; writes go through one connection, as in an agent. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import type { Touched } from "../../corrosion/embedded/replication.ts";
import type { ReplicatedTable } from "../../corrosion/embedded/store/contract.ts";
import type {
  RunQuery,
  Subscriptions,
  SubscriptionTimes,
} from "../../corrosion/embedded/subscriptions/contract.ts";
import { packKey } from "../../corrosion/embedded/subscriptions/packed-key.ts";
import { openSubscriptions } from "../../corrosion/embedded/subscriptions/subscriptions.ts";
import type { SqlValue } from "../../corrosion/embedded/values.ts";

const OPTIONS = { enableDoubleQuotedStringLiterals: true };
const BATCH_ROWS = 200;

export interface WorldOptions {
  readonly folder: string;
  readonly schema: string;
  readonly tables: readonly ReplicatedTable[];
  readonly times?: SubscriptionTimes;
}

export class World {
  readonly folder: string;
  readonly queries: string[] = [];
  /** Thrown by the next queries, one each. */
  readonly failures: Error[] = [];
  readonly #options: WorldOptions;
  readonly #writer: DatabaseSync;
  readonly #reader: DatabaseSync;
  #touched: Touched[] = [];
  #subscriptions: Subscriptions | null = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.folder = join(options.folder, "subs");
    const path = join(options.folder, "db.sqlite");
    this.#writer = new DatabaseSync(path, OPTIONS);
    this.#writer.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; ${options.schema}`);
    this.#writer.function("touch", { varargs: true, useBigIntArguments: true }, (table, ...key) => {
      this.#touched.push({ table: String(table), pk: packKey(key as SqlValue[]), cl: 1n });
      return null;
    });
    for (const { name, keys } of options.tables) {
      const call = (row: string): string => `touch('${name}', ${keys.map((key) => `${row}."${key}"`)})`;
      for (const [event, rows] of [
        ["INSERT", ["new"]],
        ["UPDATE", ["old", "new"]],
        ["DELETE", ["old"]],
      ] as const) {
        this.#writer.exec(`CREATE TEMP TRIGGER "${name}_${event}" AFTER ${event} ON main."${name}" BEGIN
          SELECT ${rows.map(call)}; END`);
      }
    }
    this.#reader = new DatabaseSync(path, { ...OPTIONS, readOnly: true });
  }

  /** Opened on first use, and again after `restart`. */
  get subscriptions(): Subscriptions {
    this.#subscriptions ??= openSubscriptions({
      folder: this.folder,
      reader: this.#reader,
      tables: () => this.#options.tables,
      query: this.query,
      log: { info() {}, warn() {}, error: (message, fields) => assertNever(message, fields) },
      ...(this.#options.times !== undefined && { times: this.#options.times }),
    });
    return this.#subscriptions;
  }

  /** One transaction; subscriptions hear of it after the commit. */
  commit(...statements: readonly string[]): void {
    this.#touched = [];
    this.#writer.exec(["BEGIN", ...statements, "COMMIT"].join(";\n"));
    this.#subscriptions?.committed({ touched: this.#touched });
  }

  /** A commit of which subscriptions are not told. */
  commitUnheard(...statements: readonly string[]): void {
    this.#writer.exec(statements.join(";\n"));
  }

  /** What a query says now, one text a row, sorted. */
  rows(sql: string): string[] {
    const statement = this.#writer.prepare(sql);
    statement.setReturnArrays(true);
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
    this.#reader.close();
    this.#writer.close();
  }

  readonly query: RunQuery = (sql, { limitMs, signal }) => this.#run(sql, limitMs, signal);

  async *#run(sql: string, limitMs: number, signal: AbortSignal): AsyncGenerator<SqlValue[][]> {
    const db = new DatabaseSync(join(this.#options.folder, "db.sqlite"), { ...OPTIONS, readOnly: true });
    try {
      this.queries.push(sql);
      await setImmediate();
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      const deadline = performance.now() + limitMs;
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      statement.setReadBigInts(true);
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

function assertNever(message: string, fields?: object): never {
  throw new Error(`logged as an error: ${message} ${JSON.stringify(fields)}`);
}
