/** @module The clocks of one row in memory: what local writes and merges do to them (contract corrosion, section 8). */

/** The column that stands for the row itself. */
export const SENTINEL = "-1";

/** Which version of which site wrote a clock last. */
export interface Mark {
  readonly dbVersion: bigint;
  /** Ordinal of the site, 0 is this one. */
  readonly site: bigint;
  readonly seq: bigint;
  readonly ts: string;
}

export interface Clock {
  readonly version: bigint;
  /** Null: of the local transaction under way, which has no number yet. */
  readonly mark: Mark | null;
}

export class RowClock {
  #sentinel: Clock | null;
  readonly #columns: Map<string, Clock>;
  readonly #written = new Set<string>();
  #dropped = false;

  constructor(stored: ReadonlyMap<string, Clock> = new Map()) {
    this.#columns = new Map(stored);
    this.#sentinel = this.#columns.get(SENTINEL) ?? null;
    this.#columns.delete(SENTINEL);
  }

  /** Causal length: odd is alive, even is deleted, 0 was never there. */
  get cl(): bigint {
    return this.#sentinel?.version ?? (this.#columns.size > 0 ? 1n : 0n);
  }

  get alive(): boolean {
    return this.cl % 2n === 1n;
  }

  /** Clocks that differ from what is stored, in the order in which they were last written. */
  get written(): readonly string[] {
    return [...this.#written];
  }

  /** Whether stored column clocks are gone. */
  get dropped(): boolean {
    return this.#dropped;
  }

  get(cid: string): Clock | null {
    return cid === SENTINEL ? this.#sentinel : (this.#columns.get(cid) ?? null);
  }

  set(cid: string, version: bigint, mark: Mark | null): void {
    if (cid === SENTINEL) this.#sentinel = { version, mark };
    else this.#columns.set(cid, { version, mark });
    this.#written.delete(cid);
    this.#written.add(cid);
  }

  /** Says which version a clock that was written belongs to. */
  mark(cid: string, mark: Mark): void {
    const clock = this.get(cid);
    if (clock && cid === SENTINEL) this.#sentinel = { version: clock.version, mark };
    else if (clock) this.#columns.set(cid, { version: clock.version, mark });
  }

  dropColumns(): void {
    for (const cid of this.#columns.keys()) this.#written.delete(cid);
    this.#columns.clear();
    this.#dropped = true;
  }

  /** The columns lose to whatever comes; their values and marks stay. */
  zeroColumns(): void {
    for (const [cid, { mark }] of this.#columns) this.set(cid, 0n, mark);
  }

  get columns(): ReadonlyMap<string, Clock> {
    return this.#columns;
  }
}

/** A row was inserted. `columns` are those that replicate, without the key. */
export function insertRow(row: RowClock, columns: readonly string[]): void {
  const sentinel = row.get(SENTINEL);
  if (sentinel) row.set(SENTINEL, nextOdd(sentinel.version), null);
  else if (columns.length === 0) row.set(SENTINEL, 1n, null);
  for (const column of columns) row.set(column, (row.get(column)?.version ?? 0n) + 1n, null);
}

/** Values of a row really changed. */
export function updateRow(row: RowClock, changed: readonly string[]): void {
  for (const column of changed) row.set(column, (row.get(column)?.version ?? 0n) + 1n, null);
}

export function deleteRow(row: RowClock): void {
  const sentinel = row.get(SENTINEL);
  row.dropColumns();
  row.set(SENTINEL, sentinel ? nextEven(sentinel.version) : 2n, null);
}

/** The key of a row changed; so did, perhaps, values. `from` and `to` may be the same. */
export function moveRow(from: RowClock, to: RowClock, changed: readonly string[]): void {
  const moved = [...from.columns].map(([cid, { version }]) => [cid, version + 1n] as const);
  deleteRow(from);
  const sentinel = to.get(SENTINEL);
  to.set(SENTINEL, sentinel ? nextOdd(sentinel.version) : 1n, null);
  for (const [cid, version] of moved) to.set(cid, version, null);
  updateRow(to, changed);
}

function nextOdd(version: bigint): bigint {
  return version % 2n === 0n ? version + 1n : version + 2n;
}

function nextEven(version: bigint): bigint {
  return version % 2n === 0n ? version + 2n : version + 1n;
}
