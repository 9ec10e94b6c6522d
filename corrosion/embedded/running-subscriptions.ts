/** @module The subscriptions of a running agent: on its readers, and ended in time when it stops. */
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "./log.ts";
import type { ReaderPool } from "./processes/reader-pool.ts";
import { Readers } from "./processes/readers.ts";
import type { Writer } from "./processes/writer.ts";
import { openReader } from "./store/connection.ts";
import type { RunQuery, Subscriptions } from "./subscriptions/contract.ts";
import { openSubscriptions } from "./subscriptions/subscriptions.ts";

/** Queries of subscriptions that run at the same time. */
const QUERIES = 4;
const STOP_MS = 400;

export interface RunningSubscriptionsOptions {
  readonly dbPath: string;
  /** Where they are kept. */
  readonly folder: string;
  readonly writer: Writer;
  readonly pool: ReaderPool;
  readonly log: Log;
}

export interface RunningSubscriptions {
  readonly subscriptions: Subscriptions;
  /** Keeps them for the next start. What still runs its query after a while is ended, and the pool with it. */
  readonly stop: () => Promise<void>;
}

/** Throws when the folder or the database cannot be used. */
export function openRunningSubscriptions({
  dbPath,
  folder,
  writer,
  pool,
  log,
}: RunningSubscriptionsOptions): RunningSubscriptions {
  const readers = new Readers(pool, QUERIES);
  const query: RunQuery = async function* (sql, { limitMs, signal }) {
    yield* await readers.run("values", { sql, params: { kind: "none" } }, { limitMs, signal });
  };
  const reader = openReader(dbPath);
  const subscriptions = openSubscriptions({ folder, reader, tables: () => writer.tables, query, log });
  const stop = async () => {
    const closed = subscriptions.close({ clean: true });
    await Promise.race([closed, delay(STOP_MS).then(() => pool.stop())]);
    await closed;
    reader.close();
  };
  return { subscriptions, stop };
}
