/** @module Sets of versions as inclusive ranges: ascending, and with at least one version between any two. */
import type { Range } from "../replication.ts";

/** Any ranges as a set. */
export function setOf(ranges: readonly Range[]): readonly Range[] {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const set: Range[] = [];
  for (const range of sorted) {
    const last = set.at(-1);
    if (last === undefined || range.start > last.end + 1n) set.push(range);
    else if (range.end > last.end) set[set.length - 1] = { start: last.start, end: range.end };
  }
  return set;
}

/** What is in the first set and not in the second. */
export function without(set: readonly Range[], other: readonly Range[]): readonly Range[] {
  const left: Range[] = [];
  let i = 0;
  for (const range of set) {
    let { start } = range;
    while (i < other.length && other[i]!.end < start) i++;
    for (let j = i; j < other.length && other[j]!.start <= range.end; j++) {
      if (other[j]!.start > start) left.push({ start, end: other[j]!.start - 1n });
      start = other[j]!.end + 1n;
    }
    if (start <= range.end) left.push({ start, end: range.end });
  }
  return left;
}

/** What is in both sets. */
export function within(set: readonly Range[], other: readonly Range[]): readonly Range[] {
  return without(set, without(set, other));
}

/** The part of a set up to and including `head`. */
export function upTo(set: readonly Range[], head: bigint): readonly Range[] {
  return set
    .filter(({ start }) => start <= head)
    .map((range) => (range.end <= head ? range : { start: range.start, end: head }));
}

/** The lowest versions of a set, at most `count`. */
export function lowest(set: readonly Range[], count: number): readonly Range[] {
  const taken: Range[] = [];
  let left = BigInt(count);
  for (const { start, end } of set) {
    if (left <= 0n) break;
    const last = start + left - 1n;
    taken.push({ start, end: last < end ? last : end });
    left -= taken.at(-1)!.end - start + 1n;
  }
  return taken;
}

/** How many versions a set has. */
export function size(set: readonly Range[]): bigint {
  return set.reduce((sum, { start, end }) => sum + end - start + 1n, 0n);
}
