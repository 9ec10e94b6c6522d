/** @module What no archive could store, or would change, is refused with words. */
import assert from "node:assert/strict";
import { unstorable } from "../../services/conversations/validation.ts";

describe("a JSON value", () => {
  const cases: [string, string, string | null][] = [
    ["plain values", '{"a":[1,-2.5,true,null,"x",{"b":{}}]}', null],
    ["a number that no double holds", '{"a":[1e400]}', "a number that is too large"],
    ["U+0000 in a text", '{"a":"\\u0000"}', "the character U+0000"],
    ["U+0000 in a key", '{"\\u0000":1}', "the character U+0000"],
    ["a lone surrogate", '{"a":["\\ud800"]}', "a lone surrogate"],
    ["an emoji", '{"a":"\\ud83d\\ude00"}', null],
    ["200 levels of nesting", `${"[".repeat(200)}${"]".repeat(200)}`, null],
    ["201 levels of nesting", `${"[".repeat(201)}${"]".repeat(201)}`, "more than 200 levels of nesting"],
  ];
  for (const [what, json, expected] of cases) {
    it(`with ${what} is ${expected === null ? "taken" : "refused"}`, () => {
      assert.equal(unstorable(JSON.parse(json)), expected);
    });
  }
});
