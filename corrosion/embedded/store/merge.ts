/** @module Who wins when a change comes from another agent: the rules of contract corrosion, section 8, and what they leave open. */
import { SENTINEL } from "./row-clock.ts";

/** What is here of the row and the column that the change is about. */
export interface Local {
  /** The row's causal length; 0 when it was never here. */
  readonly cl: bigint;
  /** Version of the column's clock; null without one. */
  readonly colVersion: bigint | null;
  /** For equal versions: how the change's value, then its site, compare with the ones here (positive: greater). */
  readonly compareValue: () => number;
  readonly compareSite: () => number;
}

export interface Incoming {
  readonly cid: string;
  readonly colVersion: bigint;
  readonly cl: bigint;
}

export type Decision =
  | { readonly kind: "ignore" }
  /** The row goes, its column clocks too; the sentinel takes the change's causal length. */
  | { readonly kind: "delete" }
  /** The sentinel takes the change's causal length, columns fall to 0, the row is there; then `column` is set. */
  | { readonly kind: "revive"; readonly column: boolean }
  /** A new row, without a value of its own yet. */
  | { readonly kind: "create" }
  /** The column takes the change's value and clock. */
  | { readonly kind: "set" }
  /** Nothing changes but whose the row's state is: of two that did the same, the sentinel is of the greater site. */
  | { readonly kind: "credit" };

const IGNORE: Decision = { kind: "ignore" };

export function decide(local: Local, change: Incoming): Decision {
  if (change.cl < local.cl) return IGNORE;
  const later = change.cl > local.cl;
  const column = change.cid !== SENTINEL;
  // Agents answer for what they hold: were it whatever each heard first, two of them could each call the version that
  // the other one holds overwritten, and a third one would get neither.
  if (!later && !column) return credited(local) ? { kind: "credit" } : IGNORE;
  if (change.cl % 2n === 0n) return later ? { kind: "delete" } : IGNORE;
  if (later) {
    if (local.cl !== 0n || change.cl !== 1n) return { kind: "revive", column };
    return { kind: column ? "set" : "create" };
  }
  return column && wins(local, change) ? { kind: "set" } : IGNORE;
}

function credited({ colVersion, compareSite }: Local): boolean {
  return colVersion !== null && compareSite() > 0;
}

function wins(local: Local, change: Incoming): boolean {
  if (local.colVersion === null || change.colVersion > local.colVersion) return true;
  if (change.colVersion < local.colVersion) return false;
  return (local.compareValue() || local.compareSite()) > 0;
}
