/** @module A set of whole numbers as ascending inclusive ranges that never touch, and what a change does to its rows. */
import type { Range } from "../replication.ts";

/** The ranges that a change took away and those that stand in their place, for a table that has a row for each. */
export interface RangeChange {
  readonly removed: readonly Range[];
  readonly added: readonly Range[];
}

const NOTHING: RangeChange = { removed: [], added: [] };

export class RangeSet {
  readonly #ranges: Range[] = [];

  constructor(ranges: Iterable<Range> = []) {
    for (const range of ranges) this.add(range);
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  get last(): bigint | null {
    return this.#ranges.at(-1)?.end ?? null;
  }

  /** Whether all numbers of the range are in the set. */
  covers(range: Range): boolean {
    const found = this.#ranges[this.#firstEndingAt(range.start)];
    return found !== undefined && found.start <= range.start && found.end >= range.end;
  }

  /** Ranges that would touch become one. */
  add(range: Range): RangeChange {
    if (range.end < range.start || this.covers(range)) return NOTHING;
    const from = this.#firstEndingAt(range.start - 1n);
    let to = from;
    let { start, end } = range;
    for (
      let near = this.#ranges[to];
      near !== undefined && near.start <= end + 1n;
      near = this.#ranges[++to]
    ) {
      if (near.start < start) start = near.start;
      if (near.end > end) end = near.end;
    }
    const added = [{ start, end }];
    return { removed: this.#ranges.splice(from, to - from, ...added), added };
  }

  remove(range: Range): RangeChange {
    const from = this.#firstEndingAt(range.start);
    let to = from;
    const added: Range[] = [];
    for (
      let near = this.#ranges[to];
      near !== undefined && near.start <= range.end;
      near = this.#ranges[++to]
    ) {
      if (near.start < range.start) added.push({ start: near.start, end: range.start - 1n });
      if (near.end > range.end) added.push({ start: range.end + 1n, end: near.end });
    }
    if (to === from) return NOTHING;
    return { removed: this.#ranges.splice(from, to - from, ...added), added };
  }

  /** The parts of the range that are not in the set. */
  missing(range: Range): Range[] {
    const rest = new RangeSet([range]);
    for (const held of this.#ranges) rest.remove(held);
    return [...rest.ranges];
  }

  /** Index of the first range that ends at `value` or behind it. */
  #firstEndingAt(value: bigint): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = this.#ranges[middle];
      if (range !== undefined && range.end < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
