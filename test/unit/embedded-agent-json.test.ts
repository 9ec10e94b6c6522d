/** @module JSON as the embedded agent reads and writes it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  cellsText,
  cellText,
  jsonText,
  prettyJsonText,
  realText,
} from "../../corrosion/embedded/json/cells.ts";
import { parseWithSource } from "../../corrosion/embedded/json/source.ts";
import { readStatement, readStatements, WrongShape } from "../../corrosion/embedded/json/statements.ts";

describe("JSON of the embedded agent", () => {
  it("tells integers from reals by their spelling, and keeps 64 bits", () => {
    assert.deepEqual(parseWithSource("[1, 1.0, 1e2, -0, 9223372036854775807, -9223372036854775808]"), [
      1n,
      1,
      100,
      -0,
      9223372036854775807n,
      -9223372036854775808n,
    ]);
  });

  it("reads integers outside of 64 bits as reals", () => {
    assert.deepEqual(parseWithSource("[9223372036854775808, -9223372036854775809]"), [2 ** 63, -(2 ** 63)]);
  });

  it("refuses numbers that no double holds", () => {
    assert.throws(() => parseWithSource("1e400"), SyntaxError);
    assert.throws(() => parseWithSource("9".repeat(400)), SyntaxError);
  });

  it("writes reals so that they look real", () => {
    const spelled: [number, string][] = [
      [1, "1.0"],
      [0, "0.0"],
      [-0, "-0.0"],
      [0.1, "0.1"],
      [-2.5, "-2.5"],
      [1e15, "1000000000000000.0"],
      [1e16, "1e16"],
      [1.5e300, "1.5e300"],
      [0.00001, "0.00001"],
      [0.000001, "1e-6"],
      [5e-8, "5e-8"],
      [Number.POSITIVE_INFINITY, "null"],
      [Number.NaN, "null"],
    ];
    for (const [value, text] of spelled) assert.equal(realText(value), text);
  });

  it("writes every finite real so that reading it gives the same real back", () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        const read = parseWithSource(realText(value));
        return typeof read === "number" && Object.is(read, value);
      }),
    );
  });

  it("writes every 64-bit integer, text and blob so that they come back", () => {
    const value = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(fc.array(value), (values) => {
        assert.deepEqual(parseWithSource(cellsText(values)), values);
      }),
    );
    assert.equal(cellText(new Uint8Array([0, 255])), "[0,255]");
    assert.equal(cellText(null), "null");
  });

  it("writes trees with bare 64-bit integers, on one line, and on several with members by name", () => {
    const tree = { ts: 7413000000000000001n, list: [1, "a"], none: null, empty: [], table: {} };
    const line = `{"ts":7413000000000000001,"list":[1,"a"],"none":null,"empty":[],"table":{}}`;
    assert.equal(jsonText(tree), line);
    assert.equal(
      prettyJsonText(tree),
      `{\n  "empty": [],\n  "list": [\n    1,\n    "a"\n  ],\n  "none": null,\n  "table": {},\n  "ts": 7413000000000000001\n}`,
    );
  });
});

describe("a client's statements", () => {
  const read = (text: string) => readStatement(parseWithSource(text));

  it("come in all forms of the contract", () => {
    const none = { sql: "SELECT 1", params: { kind: "none" } };
    assert.deepEqual(read(`"SELECT 1"`), none);
    assert.deepEqual(read(`{"query":"SELECT 1"}`), none);
    assert.deepEqual(read(`{"query":"SELECT 1","params":null,"more":1}`), none);
    const positional = { sql: "SELECT ?", params: { kind: "positional", values: [1n] } };
    assert.deepEqual(read(`["SELECT ?",[1]]`), positional);
    assert.deepEqual(read(`{"query":"SELECT ?","params":[1]}`), positional);
    assert.deepEqual(read(`{"query":"SELECT ?","params":[1],"named_params":{":a":2}}`), positional);
    const named = { sql: "SELECT :a", params: { kind: "named", values: new Map([[":a", 1]]) } };
    assert.deepEqual(read(`["SELECT :a",{":a":1.0}]`), named);
    assert.deepEqual(read(`{"query":"SELECT :a","named_params":{":a":1.0}}`), named);
  });

  it("take null, booleans as 1 and 0, text, and arrays of bytes as blobs", () => {
    const { params } = read(`["…",[null,true,false,"x",[],[0,255],1.5]]`);
    assert.equal(params.kind, "positional");
    const blobs = [new Uint8Array([]), new Uint8Array([0, 255])];
    assert.deepEqual(params.kind === "positional" && params.values, [null, 1n, 0n, "x", ...blobs, 1.5]);
  });

  it("that have any other form are refused with the contract's message", () => {
    const wrong = [
      `["sql"]`,
      `["sql",1]`,
      `["sql",null]`,
      `["sql",[1],2]`,
      `{"sql":"SELECT 1"}`,
      `1`,
      `null`,
      `true`,
      `[]`,
      `["sql",[{}]]`,
      `["sql",[[256]]]`,
      `["sql",[[-1]]]`,
      `["sql",[["a"]]]`,
      `["sql",[[1.0]]]`,
      `["sql",{":a":{}}]`,
      `{"query":1}`,
      `{"query":"x","params":{}}`,
      `{"query":"x","named_params":[]}`,
    ];
    for (const text of wrong) {
      assert.throws(
        () => read(text),
        (error) =>
          error instanceof WrongShape &&
          error.message === "data did not match any variant of untagged enum Statement",
        text,
      );
    }
  });

  it("of a transaction are an array; the message names the one that is wrong", () => {
    assert.deepEqual(readStatements(parseWithSource(`[]`)), []);
    assert.throws(() => readStatements(parseWithSource(`"x"`)), /expected a sequence/);
    assert.throws(
      () => readStatements(parseWithSource(`["ok",1]`)),
      /\[1\]: data did not match any variant of untagged enum Statement/,
    );
  });
});
