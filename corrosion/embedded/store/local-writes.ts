/** @module The writes of one local transaction: triggers report them, and at its end they become one version. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Change, Touched } from "../replication.ts";
import type { SqlValue } from "../values.ts";
import type { TRACKERS } from "./functions.ts";
import { packColumns } from "./pack.ts";
import { deleteRow, insertRow, type Mark, moveRow, RowClock, SENTINEL, updateRow } from "./row-clock.ts";
import type { TrackedTable } from "./tracked-table.ts";
import { keyText } from "./value-order.ts";

interface WrittenRow {
  readonly table: TrackedTable;
  readonly keys: readonly SqlValue[];
}

type Write =
  | (WrittenRow & { readonly kind: "insert" })
  | (WrittenRow & { readonly kind: "delete" })
  | (WrittenRow & {
      readonly kind: "update";
      readonly oldKeys: readonly SqlValue[];
      readonly moved: boolean;
      readonly changed: readonly string[];
    });

/** A row that the transaction wrote. */
interface Row {
  readonly table: TrackedTable;
  readonly keys: readonly SqlValue[];
  readonly key: bigint;
  readonly clock: RowClock;
}

export interface LocalVersion {
  readonly changes: readonly Change[];
  readonly touched: readonly Touched[];
}

export class LocalWrites {
  readonly #tableOf: (name: string) => TrackedTable;
  #writes: Write[] = [];
  /** Merged changes are no local writes. */
  paused = false;

  constructor(db: DatabaseSync, tableOf: (name: string) => TrackedTable) {
    this.#tableOf = tableOf;
    const define = (
      name: (typeof TRACKERS)[number],
      record: (table: TrackedTable, values: SqlValue[]) => Write | null,
    ) =>
      db.function(
        name,
        { useBigIntArguments: true, varargs: true },
        (table: SQLInputValue, ...values: SQLInputValue[]) => {
          if (this.paused) return null;
          const write = record(this.#tableOf(String(table)), values as SqlValue[]);
          if (write) this.#writes.push(write);
          return null;
        },
      );
    define("crsql_track_insert", (table, keys) => ({ kind: "insert", table, keys }));
    define("crsql_track_delete", (table, keys) => ({ kind: "delete", table, keys }));
    define("crsql_track_update", (table, values) => {
      const { keys, values: columns } = table.shape;
      const flags = values.slice(1 + 2 * keys.length);
      const changed = columns.filter((_, i) => flags[i] === 1n);
      const moved = values[0] === 1n;
      if (!moved && changed.length === 0) return null;
      const [fresh, old] = [
        values.slice(1, 1 + keys.length),
        values.slice(1 + keys.length, 1 + 2 * keys.length),
      ];
      return { kind: "update", table, keys: fresh, oldKeys: old, moved, changed };
    });
  }

  /** Forgets what was reported. */
  discard(): void {
    this.#writes = [];
  }

  /** As if the row had been inserted just now. */
  adopt(table: TrackedTable, keys: readonly SqlValue[]): void {
    this.#writes.push({ kind: "insert", table, keys });
  }

  /**
   * Stores the clocks of what was reported, and forgets it; null when no replicated value changed. To be called in
   * the transaction, behind its last statement.
   * @param mark Its version and time.
   */
  finish(mark: () => Pick<Mark, "dbVersion" | "ts">): LocalVersion | null {
    if (this.#writes.length === 0) return null;
    const rows = new RowsOfTransaction();
    for (const write of this.#writes) rows.take(write);
    this.#writes = [];
    return rows.store(mark());
  }
}

class RowsOfTransaction {
  readonly #rows = new Map<TrackedTable, Map<string, Row>>();

  take(write: Write): void {
    const { values } = write.table.shape;
    if (write.kind === "update" && write.moved) {
      // The old key comes first, so that its deletion has the lower seqs.
      const old = this.#row(write.table, write.oldKeys);
      moveRow(old.clock, this.#row(write.table, write.keys).clock, write.changed);
      return;
    }
    const { clock } = this.#row(write.table, write.keys);
    if (write.kind === "insert") insertRow(clock, values);
    else if (write.kind === "delete") deleteRow(clock);
    else updateRow(clock, write.changed);
  }

  #row(table: TrackedTable, keys: readonly SqlValue[]): Row {
    let rows = this.#rows.get(table);
    if (!rows) {
      rows = new Map();
      this.#rows.set(table, rows);
    }
    const text = keyText(keys);
    let row = rows.get(text);
    if (!row) {
      const { key, added } = table.ensureKey(keys);
      row = { table, keys, key, clock: added ? new RowClock() : table.clockOf(key) };
      rows.set(text, row);
    }
    return row;
  }

  /** Gives each clock that was written its seq, and stores all. */
  store({ dbVersion, ts }: Pick<Mark, "dbVersion" | "ts">): LocalVersion {
    const changes: Change[] = [];
    const touched: Touched[] = [];
    for (const { table, keys, key, clock } of [...this.#rows.values()].flatMap((rows) => [
      ...rows.values(),
    ])) {
      const pk = packColumns(keys);
      const values = clock.alive ? table.read(keys) : undefined;
      for (const cid of clock.written) {
        const colVersion = clock.get(cid)?.version ?? 0n;
        const val = cid === SENTINEL ? null : (values?.[cid] ?? null);
        const seq = changes.length;
        changes.push({ table: table.shape.name, pk, cid, val, colVersion, cl: clock.cl, seq });
        clock.mark(cid, { dbVersion, site: 0n, seq: BigInt(seq), ts });
      }
      table.storeClock(key, clock);
      touched.push({ table: table.shape.name, pk, cl: clock.cl });
    }
    return { changes, touched };
  }
}
