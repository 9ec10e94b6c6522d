/** @module Brings a subscription's state to what its query says now, and tells what changed by that. */

import { cellsText } from "../json/cells.ts";
import type { SqlValue } from "../values.ts";
import { type Followed, type ResultRow, resultRow } from "./followed.ts";
import type { ChangeType } from "./lines.ts";
import { inSlices } from "./slices.ts";
import type { StateFile, StoredChange, StoredRow } from "./state-file.ts";

type Rows = AsyncIterable<readonly (readonly SqlValue[])[]>;

const PAGE = 1_000;

export interface Work {
  readonly state: StateFile;
  readonly followed: Followed;
  readonly rows: Rows;
  /** A query that ends early on it must not look like a smaller result. */
  readonly signal: AbortSignal;
}

/** Fills an empty state with the first result, which is no change. */
export async function fill({ state, followed, rows, signal }: Work): Promise<void> {
  const rest = inSlices();
  for await (const batch of rows) {
    // Small transactions: nobody sees the state yet, and a large one would be written in one go.
    state.begin();
    for (const row of batch) {
      const { keys, cells } = resultRow(followed, row);
      state.insert(keys, cellsText(cells));
      await rest();
    }
    state.commit();
  }
  signal.throwIfAborted();
}

/** Compares with the whole result. All or nothing; throws what the query throws. */
export async function compareWhole(work: Work): Promise<readonly StoredChange[]> {
  const { state, followed, rows, signal } = work;
  return inTransaction(state, async (change) => {
    const rest = inSlices();
    const lastBefore = state.lastRow();
    const before = state.count();
    const seen = new Set<number>();
    for await (const batch of rows) {
      for (const row of batch) {
        const { keys, cells } = resultRow(followed, row);
        const stored = state.find(keys);
        if (stored !== undefined) seen.add(stored.id);
        change.bring(stored, keys, cellsText(cells));
        await rest();
      }
    }
    signal.throwIfAborted();
    if (seen.size === before) return;
    for (let after = 0; ; ) {
      const page = state.page(after, lastBefore, PAGE);
      for (const stored of page) if (!seen.has(stored.id)) change.remove(stored);
      if (page.length < PAGE) return;
      after = page.at(-1)!.id;
      await rest();
    }
  });
}

/**
 * Compares only results in which one of these keys takes part; `work.rows` holds at least those, perhaps more,
 * perhaps some of them twice.
 */
export async function compareKeys(
  work: Work,
  candidates: readonly (readonly Uint8Array[])[],
): Promise<readonly StoredChange[]> {
  const { state, followed, rows, signal } = work;
  const rest = inSlices();
  const now = new Map<string, ResultRow>();
  for await (const batch of rows) {
    for (const row of batch) {
      const result = resultRow(followed, row);
      now.set(identity(result.keys), result);
    }
    await rest();
  }
  signal.throwIfAborted();
  return inTransaction(state, async (change) => {
    const gone = new Map<number, StoredRow>();
    for (const [source, keys] of candidates.entries()) {
      for (const key of keys) {
        for (const stored of state.having(source, key)) {
          if (!now.has(identity(stored.keys))) gone.set(stored.id, stored);
        }
        await rest();
      }
    }
    for (const stored of gone.values()) {
      change.remove(stored);
      await rest();
    }
    for (const { keys, cells } of now.values()) {
      change.bring(state.find(keys), keys, cellsText(cells));
      await rest();
    }
  });
}

interface Changing {
  bring(stored: StoredRow | undefined, keys: readonly Uint8Array[], cells: string): void;
  remove(stored: StoredRow): void;
}

async function inTransaction(
  state: StateFile,
  work: (change: Changing) => Promise<void>,
): Promise<readonly StoredChange[]> {
  const changes: StoredChange[] = [];
  const record = (type: ChangeType, id: number, cells: string): void => {
    changes.push({ changeId: state.record(type, id, cells), type, id, cells });
  };
  state.begin();
  try {
    await work({
      bring(stored, keys, cells) {
        if (stored === undefined) record("insert", state.insert(keys, cells), cells);
        else if (stored.cells !== cells) {
          state.update(stored.id, cells);
          record("update", stored.id, cells);
        }
      },
      remove(stored) {
        state.remove(stored.id);
        record("delete", stored.id, stored.cells);
      },
    });
    state.commit();
  } catch (error) {
    state.rollback();
    throw error;
  }
  return changes;
}

/** Packed keys tell their own length, but for the empty one. */
function identity(keys: readonly Uint8Array[]): string {
  return keys.map((key) => `${key.length}:${Buffer.from(key).toString("latin1")}`).join("");
}
