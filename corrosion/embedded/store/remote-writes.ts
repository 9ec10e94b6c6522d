/** @module A version of another agent, applied to the tables inside one transaction (contract corrosion, section 8). */
import type { Change, Touched } from "../replication.ts";
import type { SqlValue } from "../values.ts";
import { decide } from "./merge.ts";
import { MalformedKey, unpackColumns } from "./pack.ts";
import { type Mark, RowClock, SENTINEL } from "./row-clock.ts";
import type { TrackedTable } from "./tracked-table.ts";
import { compareValues, keyText } from "./value-order.ts";

/** A change cannot be applied here; the message says why. */
export class ChangeRefused extends Error {
  override name = "ChangeRefused";
}

export interface RemoteVersion {
  readonly dbVersion: bigint;
  /** Ordinal of the origin. */
  readonly site: bigint;
  readonly ts: string;
}

export interface RemoteEnvironment {
  /** Null when there is no such table. */
  readonly tableOf: (name: string) => TrackedTable | null;
  /** Compares the ids of the sites with these ordinals, bytewise. */
  readonly compareSites: (a: bigint, b: bigint) => number;
}

/** A row of the version, and what is to become of it. */
interface Row {
  readonly table: TrackedTable;
  readonly keys: readonly SqlValue[];
  readonly pk: Uint8Array;
  readonly key: bigint;
  readonly clock: RowClock;
  /** The row goes before anything else happens to it. */
  wipe: boolean;
  create: boolean;
  /** Whether anything of it changes that a reader could see. */
  touched: boolean;
  readonly sets: Map<string, SqlValue>;
}

/**
 * Applies all changes of a version that win. Returns the rows that it changed. Throws `ChangeRefused`, or what SQLite
 * throws, and the transaction must then be rolled back.
 */
export function applyVersion(
  { tableOf, compareSites }: RemoteEnvironment,
  { dbVersion, site, ts }: RemoteVersion,
  changes: readonly Change[],
): Touched[] {
  const rows = new Map<string, Row>();
  for (const change of changes) {
    const row = rowOf(rows, tableOf, change);
    const mark = { dbVersion, site, seq: BigInt(change.seq), ts };
    applyChange(row, change, mark, compareSites);
  }
  return [...rows.values()]
    .filter(({ clock }) => clock.written.length > 0 || clock.dropped)
    .flatMap((row) => {
      const touched = store(row);
      return row.touched ? [touched] : [];
    });
}

function rowOf(rows: Map<string, Row>, tableOf: RemoteEnvironment["tableOf"], change: Change): Row {
  const table = tableOf(change.table);
  if (!table) throw new ChangeRefused(`no such table in the schema: ${change.table}`);
  if (change.cid !== SENTINEL && !table.replicates(change.cid)) {
    throw new ChangeRefused(`table ${change.table} has no column ${change.cid}`);
  }
  const keys = unpacked(change, table.shape.keys.length);
  const text = `${table.shape.name}\n${keyText(keys)}`;
  let row = rows.get(text);
  if (!row) {
    const { key, added } = table.ensureKey(keys);
    const clock = added ? new RowClock() : table.clockOf(key);
    row = {
      table,
      keys,
      pk: change.pk,
      key,
      clock,
      wipe: false,
      create: false,
      touched: false,
      sets: new Map(),
    };
    rows.set(text, row);
  }
  return row;
}

function unpacked({ table, pk }: Change, columns: number): SqlValue[] {
  let keys: SqlValue[];
  try {
    keys = unpackColumns(pk);
  } catch (error) {
    if (error instanceof MalformedKey) throw new ChangeRefused(`key of table ${table}: ${error.message}`);
    throw error;
  }
  if (keys.length !== columns || keys.includes(null)) {
    throw new ChangeRefused(`key of table ${table} does not have ${columns} values that are not NULL`);
  }
  return keys;
}

function applyChange(
  row: Row,
  change: Change,
  mark: Mark,
  compareSites: RemoteEnvironment["compareSites"],
): void {
  const { clock } = row;
  const { cid, val, colVersion, cl } = change;
  const here = clock.get(cid);
  const decision = decide(
    {
      cl: clock.cl,
      colVersion: here?.version ?? null,
      compareValue: () => compareValues(val, presentValue(row, cid)),
      compareSite: () => compareSites(mark.site, here?.mark?.site ?? 0n),
    },
    change,
  );
  if (decision.kind === "ignore") return;
  if (decision.kind === "credit") return clock.set(SENTINEL, cl, mark);
  row.touched = true;
  switch (decision.kind) {
    case "delete":
      clock.dropColumns();
      clock.set(SENTINEL, cl, mark);
      row.wipe = true;
      row.create = false;
      row.sets.clear();
      return;
    case "create":
      clock.set(SENTINEL, cl, mark);
      row.create = true;
      return;
    case "revive":
      clock.set(SENTINEL, cl, mark);
      clock.zeroColumns();
      row.create = true;
      if (!decision.column) return;
      clock.set(cid, colVersion, mark);
      row.sets.set(cid, val);
      return;
    case "set":
      clock.set(cid, colVersion, mark);
      row.sets.set(cid, val);
  }
}

function presentValue({ table, keys, sets, wipe }: Row, cid: string): SqlValue {
  const set = sets.get(cid);
  if (set !== undefined) return set;
  return wipe ? null : (table.read(keys)?.[cid] ?? null);
}

function store({ table, keys, pk, key, clock, wipe, create, sets }: Row): Touched {
  if (wipe) table.delete(keys);
  if (sets.size > 0) table.set(keys, sets);
  else if (create) table.create(keys);
  table.storeClock(key, clock);
  return { table: table.shape.name, pk, cl: clock.cl };
}
