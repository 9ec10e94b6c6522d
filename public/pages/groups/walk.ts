/** @module Walking through a grid with the keys. */

export interface Grid {
  readonly columns: number;
  readonly count: number;
}

/** The place that a key leads to from `at`, never outside of the grid; null: the key does not walk. */
export function stepFrom(at: number, key: string, { columns, count }: Grid): number | null {
  const next = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: at - (at % columns),
    End: Math.min(count - 1, at - (at % columns) + columns - 1),
    PageUp: at % columns,
    PageDown: lastInColumn(at % columns, { columns, count }),
  }[key];
  if (next === undefined) return null;
  return next < 0 || next >= count ? at : next;
}

function lastInColumn(column: number, { columns, count }: Grid): number {
  return column + Math.floor((count - 1 - column) / columns) * columns;
}
