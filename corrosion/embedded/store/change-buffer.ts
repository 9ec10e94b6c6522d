/** @module Changes of versions that are not whole yet, as they wait in `__corro_buffered_changes`. */
import type { DatabaseSync } from "node:sqlite";
import type { ActorId, Change, Chunk } from "../replication.ts";
import type { SqlValue } from "../values.ts";
import { actorBytes } from "./actor-id.ts";
import { Query, Change as Statement } from "./sql-rows.ts";

export class ChangeBuffer {
  readonly #add: Statement;
  readonly #read: Query<{
    table: string;
    pk: Uint8Array;
    cid: string;
    val: SqlValue;
    col_version: bigint;
    seq: bigint;
    cl: bigint;
  }>;

  constructor(db: DatabaseSync) {
    this.#add = new Statement(
      db,
      `INSERT OR IGNORE INTO __corro_buffered_changes
          ("table", pk, cid, val, col_version, db_version, site_id, seq, cl, ts)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#read = new Query(
      db,
      `SELECT "table", pk, cid, val, col_version, seq, cl FROM __corro_buffered_changes
        WHERE site_id = ? AND db_version = ? ORDER BY seq`,
    );
  }

  add({ origin, version, ts, changes }: Chunk): void {
    const [site, time] = [actorBytes(origin), String(ts)];
    for (const { table, pk, cid, val, colVersion, seq, cl } of changes) {
      this.#add.run(table, pk, cid, val, colVersion, version, site, BigInt(seq), cl, time);
    }
  }

  /** What waits of a version, by seq. */
  read(origin: ActorId, version: bigint): Change[] {
    return this.#read.all(actorBytes(origin), version).map(({ col_version, seq, ...change }) => ({
      ...change,
      colVersion: col_version,
      seq: Number(seq),
    }));
  }
}
