/** @module Packed keys and the order of values, as the contract's examples and rules say. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MalformedKey, packColumns, unpackColumns } from "../../corrosion/embedded/store/pack.ts";
import { compareValues, keyText } from "../../corrosion/embedded/store/value-order.ts";
import type { SqlValue } from "../../corrosion/embedded/values.ts";

const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  integer,
  fc.bigInt({ min: -300n, max: 300n }),
  fc.double({ noNaN: true }),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
);

describe("packed keys", () => {
  const examples: [SqlValue, string][] = [
    [0n, "0101"],
    [1n, "010901"],
    [128n, "010980"],
    [256n, "01110100"],
    [-1n, "0141FFFFFFFFFFFFFFFF"],
    ["", "0103"],
    ["abc", "010B03616263"],
    [1.5, "01023FF8000000000000"],
    [null, "0105"],
    [Uint8Array.of(1, 2), "010C020102"],
    [2n ** 63n - 1n, "01417FFFFFFFFFFFFFFF"],
    [-(2n ** 63n), "01418000000000000000"],
  ];
  for (const [example, hex] of examples) {
    it(`${typeof example} ${String(example)} is ${hex}, and back`, () => {
      assert.equal(
        Buffer.from(packColumns([example]))
          .toString("hex")
          .toUpperCase(),
        hex,
      );
      assert.deepEqual(unpackColumns(Buffer.from(hex, "hex")), [example]);
    });
  }

  it("any values come back as they were, types included", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), (values) => {
        assert.deepEqual(unpackColumns(packColumns(values)), values);
      }),
    );
  });

  it("a key that is cut off anywhere, or has bytes behind its end, is malformed", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 3 }), fc.nat(), (values, cut) => {
        const whole = packColumns(values);
        assert.throws(() => unpackColumns(whole.subarray(0, cut % whole.length)), MalformedKey);
        assert.throws(() => unpackColumns(Uint8Array.of(...whole, 0)), MalformedKey);
      }),
    );
  });

  it("a value of an unknown type or with nine bytes of integer is malformed", () => {
    assert.throws(() => unpackColumns(Uint8Array.of(1, 6)), /unknown type 6/);
    assert.throws(() => unpackColumns(Uint8Array.of(1, 1 | (9 << 3), 1, 2, 3, 4, 5, 6, 7, 8, 9)), /9 bytes/);
  });
});

describe("the order of values", () => {
  it("goes by type first, so that 2 beats 2.5 and any number beats any text", () => {
    const descending: SqlValue[] = [
      2n,
      1n,
      -5n,
      2.5,
      -1.5,
      "b",
      "a",
      "",
      Uint8Array.of(9),
      Uint8Array.of(1, 2),
      null,
    ];
    for (const [i, greater] of descending.entries()) {
      for (const less of descending.slice(i + 1)) {
        assert.ok(compareValues(greater, less) > 0, `${greater} > ${less}`);
        assert.ok(compareValues(less, greater) < 0, `${less} < ${greater}`);
      }
      assert.equal(compareValues(greater, greater), 0);
    }
  });

  it("compares texts by their bytes, not by UTF-16", () => {
    assert.ok(compareValues("\u{1F600}", "\uFFFD") > 0);
  });

  it("is the same order seen from either side", () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        assert.equal(Math.sign(compareValues(a, b)), -Math.sign(compareValues(b, a)) + 0);
      }),
    );
  });

  it("two keys have one text exactly when SQLite holds them for equal", () => {
    assert.equal(keyText([1n, "a"]), keyText([1, "a"]));
    const different: SqlValue[][] = [
      [1n],
      ["1"],
      [1.5],
      [Uint8Array.of(0x31)],
      ["a", "b"],
      ["a,t1:b"],
      [null],
    ];
    assert.equal(new Set(different.map(keyText)).size, different.length);
  });
});
