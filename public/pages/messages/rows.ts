/** @module The list of messages as events change it: each key once, the highest sequence first, bounded. */
import type { MessageRow, MessageUpdate } from "../../../services/corrosion/contract.ts";

/** Rows that the page keeps. */
export const KEPT = 500;

/** The rows after an event; the same list when it changes nothing. */
export function rowsAfter(rows: readonly MessageRow[], update: MessageUpdate): readonly MessageRow[] {
  switch (update.type) {
    case "initial_row":
    case "new_message":
      return withRow(rows, update.row);
    case "message_change":
      return update.change === "DELETE" ? without(rows, update.row.pk) : withRow(rows, update.row);
    default:
      return rows;
  }
}

/** How many rows of `live` are not among those that are shown. */
export function newerThan(shown: readonly MessageRow[], live: readonly MessageRow[]): number {
  if (shown === live) return 0;
  const known = new Set(shown.map(({ pk }) => pk));
  return live.filter(({ pk }) => !known.has(pk)).length;
}

function withRow(rows: readonly MessageRow[], row: MessageRow): readonly MessageRow[] {
  const known = rows.find(({ pk }) => pk === row.pk);
  if (known !== undefined && isSame(known, row)) return rows;
  const others = known === undefined ? rows : without(rows, row.pk);
  const place = placeOf(others, row);
  if (place >= KEPT) return others;
  return [...others.slice(0, place), row, ...others.slice(place, KEPT - 1)];
}

function without(rows: readonly MessageRow[], pk: string): readonly MessageRow[] {
  return rows.some((row) => row.pk === pk) ? rows.filter((row) => row.pk !== pk) : rows;
}

/** How many rows stand before it. The lists are in order, and nearly everything that comes is the newest. */
function placeOf(rows: readonly MessageRow[], row: MessageRow): number {
  const place = rows.findIndex((other) => isBefore(row, other));
  return place === -1 ? rows.length : place;
}

/** As the node orders them: two nodes may have sent in the same millisecond. */
function isBefore(a: MessageRow, b: MessageRow): boolean {
  return a.sequence === b.sequence ? a.pk > b.pk : a.sequence > b.sequence;
}

function isSame(a: MessageRow, b: MessageRow): boolean {
  return (
    a.sequence === b.sequence &&
    a.message === b.message &&
    a.node_id === b.node_id &&
    a.timestamp === b.timestamp &&
    a.region === b.region &&
    a.originating_endpoint === b.originating_endpoint
  );
}
