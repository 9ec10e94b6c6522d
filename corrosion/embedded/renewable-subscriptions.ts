/** @module The subscriptions of a running agent, which can be dropped and opened anew. */
import { setTimeout as delay } from "node:timers/promises";
import { type Log, reasonOf } from "./log.ts";
import type { ReaderPool } from "./processes/reader-pool.ts";
import { Readers } from "./processes/readers.ts";
import type { Writer } from "./processes/writer.ts";
import { openReader } from "./store/connection.ts";
import type { RunQuery, Subscriptions } from "./subscriptions/contract.ts";
import { openSubscriptions } from "./subscriptions/subscriptions.ts";

/** Queries of subscriptions that run at the same time. */
const QUERIES = 4;
const STOP_MS = 400;

export interface RenewableOptions {
  readonly dbPath: string;
  /** Where they are kept. */
  readonly folder: string;
  readonly writer: Writer;
  readonly pool: ReaderPool;
  readonly log: Log;
}

export interface RenewableSubscriptions {
  current(): Subscriptions;
  /** Ends all of them, because commits may have been missed. */
  renew(): void;
  /** Keeps them for the next start. What still runs its query after a while is ended, and the pool with it. */
  stop(): Promise<void>;
}

export function openRenewable({
  dbPath,
  folder,
  writer,
  pool,
  log,
}: RenewableOptions): RenewableSubscriptions {
  const readers = new Readers(pool, QUERIES);
  const query: RunQuery = async function* (sql, { limitMs, signal }) {
    yield* await readers.run("values", { sql, params: { kind: "none" } }, { limitMs, signal });
  };
  const reader = openReader(dbPath);
  const open = () => openSubscriptions({ folder, reader, tables: () => writer.tables, query, log });
  let current = open();
  const renewed = async () => {
    await current.close({ clean: false });
    current = open();
  };
  return {
    current: () => current,
    renew: () => {
      log.warn("commits may have been missed: all subscriptions start anew");
      renewed().catch((error: unknown) =>
        log.error("subscriptions cannot start", { reason: reasonOf(error) }),
      );
    },
    stop: async () => {
      const closed = current.close({ clean: true });
      await Promise.race([closed, delay(STOP_MS).then(() => pool.stop())]);
      await closed;
      reader.close();
    },
  };
}
