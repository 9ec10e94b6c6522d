/** @module What the dashboard makes of failures, long lists and times, apart from any browser. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { windowOf } from "../../public/components/window.ts";
import { errorOfAnswer, sentenceOf } from "../../public/data/api-error.ts";
import { failed } from "../../public/data/resource.ts";
import { ageText, countText, msText } from "../../public/data/wording.ts";

describe("A failed request", () => {
  it("has the node's own sentence and code, in the console's form", () => {
    const error = errorOfAnswer(409, { status: "error", code: "busy", error: "another job is under way" });
    assert.deepEqual([error.message, error.code, error.status], ["another job is under way", "busy", 409]);
  });

  it("has the time to try again, in the fleet's form", () => {
    const error = errorOfAnswer(503, {
      error: "no leader",
      code: "leader_unavailable",
      retry_after_ms: 1000,
    });
    assert.equal(error.retryAfterMs, 1000);
  });

  it("has a sentence for each field, whichever form names them", () => {
    const console = errorOfAnswer(400, {
      errors: { detail: "Bad Request" },
      fields: { hosts: "a:b has no port" },
    });
    assert.deepEqual([console.message, console.fields], ["a:b has no port", { hosts: "a:b has no port" }]);
    const fleet = errorOfAnswer(422, { errors: { name: ["is empty", "is too short"] } });
    assert.deepEqual(fleet.fields, { name: "is empty, is too short" });
    assert.equal(fleet.message, "name is empty, is too short");
    const two = errorOfAnswer(400, { fields: { count: "must be an integer", node: "must be a string" } });
    assert.equal(two.message, "count must be an integer; node must be a string");
  });

  it("says at least the status when the answer is none of the node's", () => {
    for (const body of [null, "<html>", 7, [], { error: 5 }, { errors: {} }]) {
      assert.match(errorOfAnswer(502, body).message, /status 502/);
    }
    assert.equal(errorOfAnswer(404, { errors: { detail: "Not Found" } }).message, "Not Found");
  });

  it("reads as a sentence", () => {
    assert.equal(sentenceOf(new Error("the disk is full")), "The disk is full.");
    assert.equal(sentenceOf("Why?"), "Why?");
  });
});

describe("A resource", () => {
  const error = new Error("gone");
  it("keeps its last good data with their age when a request fails, and is an error without any", () => {
    assert.deepEqual(failed({ kind: "ok", data: 1, at: 5 }, error), { kind: "stale", data: 1, at: 5, error });
    const later = new Error("still gone");
    assert.deepEqual(failed({ kind: "stale", data: 1, at: 5, error }, later), {
      kind: "stale",
      data: 1,
      at: 5,
      error: later,
    });
    assert.deepEqual(failed({ kind: "loading" }, error), { kind: "error", error });
  });
});

describe("The rows of a long list that are drawn", () => {
  it("are those in sight, never outside the list, and few, wherever it is scrolled to", () => {
    fc.assert(
      fc.property(
        fc.nat(20_000),
        fc.integer({ min: -500, max: 800_000 }),
        fc.integer({ min: 0, max: 2000 }),
        (count, scrollTop, height) => {
          const { from, to } = windowOf({ count, rowHeight: 36, scrollTop, height, overscan: 12 });
          assert.ok(from >= 0 && from <= to && to <= count, `${from}..${to} of ${count}`);
          assert.ok(to - from <= Math.ceil(height / 36) + 2 * 12 + 1);
          const first = Math.floor(Math.max(0, scrollTop) / 36);
          const last = Math.min(count, Math.ceil((Math.max(0, scrollTop) + height) / 36));
          if (first < count && height > 0) assert.ok(from <= first && to >= Math.min(last, first + 1));
        },
      ),
    );
  });

  it("are the last ones when a list has become shorter than it was scrolled", () => {
    const { from, to } = windowOf({
      count: 150,
      rowHeight: 36,
      scrollTop: 90_000,
      height: 360,
      overscan: 12,
    });
    assert.equal(to, 150);
    assert.ok(to - from >= 10);
  });
});

describe("The wording", () => {
  it("has ages, times and counts as people say them", () => {
    const ages = [0, 1999, 2000, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000].map(ageText);
    assert.deepEqual(ages, ["now", "now", "2 s", "59 s", "1 min", "59 min", "1 h", "1 d"]);
    assert.deepEqual(
      [msText(1.25), msText(12.6), msText(9999), msText(31_040), msText(null)],
      ["1.3 ms", "13 ms", "9999 ms", "31.0 s", "–"],
    );
    assert.deepEqual(
      [countText(1, "node"), countText(1234, "reply", "replies")],
      ["1 node", "1,234 replies"],
    );
  });
});
