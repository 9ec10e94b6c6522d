/** @module Sets of versions as ranges, compared with plain sets of numbers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Range } from "../../corrosion/embedded/replication.ts";
import { RangeSet } from "../../corrosion/embedded/store/range-set.ts";

const MOST = 24;
const numbersOf = ({ start, end }: Range) =>
  Array.from({ length: Math.max(0, Number(end - start) + 1) }, (_, i) => start + BigInt(i));
const step = fc.record({ add: fc.boolean(), at: fc.nat(MOST), length: fc.nat(6) });

describe("a set of ranges", () => {
  it("holds what a set of numbers would, never touching ranges, and tells which rows change", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const set = new RangeSet();
        const plain = new Set<bigint>();
        const rows = new Map<bigint, bigint>();
        for (const { add, at, length } of steps) {
          const range = { start: BigInt(at), end: BigInt(at + length) };
          const { removed, added } = add ? set.add(range) : set.remove(range);
          for (const number of numbersOf(range)) add ? plain.add(number) : plain.delete(number);
          for (const { start } of removed) assert.ok(rows.delete(start));
          for (const { start, end } of added) rows.set(start, end);
          assert.deepEqual(
            set.ranges.flatMap(numbersOf),
            [...plain].sort((a, b) => Number(a - b)),
          );
          assert.deepEqual(
            new Map(set.ranges.map(({ start, end }) => [start, end])),
            new Map([...rows].sort((a, b) => Number(a[0] - b[0]))),
          );
          for (const [i, next] of set.ranges.slice(1).entries()) {
            assert.ok(next.start > (set.ranges[i]?.end ?? 0n) + 1n, "ranges do not touch");
          }
          const whole = { start: 0n, end: BigInt(MOST) };
          assert.deepEqual(
            set.missing(whole).flatMap(numbersOf),
            numbersOf(whole).filter((n) => !plain.has(n)),
          );
          assert.equal(
            set.covers(range),
            numbersOf(range).every((n) => plain.has(n)),
          );
        }
      }),
    );
  });
});
