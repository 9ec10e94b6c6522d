/** @module The log of a group in words: well, behind, missing copies, unreachable, not known. */
import assert from "node:assert/strict";
import { wordsOf } from "../../public/fleet/log-words.ts";
import type { EngineHealth } from "../../services/raft/engine/engine.ts";

const copy = (name: string, lag = 0) => ({ name, lag, current: lag === 0 });
const seen = (log: EngineHealth | null) =>
  wordsOf({ kind: "ok", at: 0, data: { group: 7, seen_by: "n1", log } });
const WELL = { leader: "a", replicas: [copy("a"), copy("b"), copy("c")], wanted: 3, bytes: 2048 };

describe("The log of a group", () => {
  it("is well while every copy that is wanted is there and current", () => {
    assert.deepEqual(seen(WELL), {
      tone: "good",
      word: "log is well",
      text: "3 of 3 copies, led by a, 2.0 KiB",
    });
  });

  it("is not when a copy is behind or missing, and names it", () => {
    const behind = seen({ ...WELL, replicas: [copy("a"), copy("b"), copy("c", 12)] });
    assert.deepEqual([behind.tone, behind.word], ["warn", "copies behind"]);
    assert.match(behind.text, /c is 12 entries behind$/);
    const missing = seen({ ...WELL, replicas: [copy("a")] });
    assert.deepEqual([missing.tone, missing.word], ["warn", "copies missing"]);
    assert.match(missing.text, /^1 of 3 copies/);
  });

  it("is unreachable, or not known, when nobody can say", () => {
    assert.equal(seen(null).tone, "bad");
    const error = new Error("the node cannot be reached");
    assert.equal(wordsOf({ kind: "error", error }).text, error.message);
    assert.equal(wordsOf({ kind: "loading" }).tone, "plain");
    const data = { group: 7, seen_by: "n1", log: WELL };
    assert.deepEqual(
      [
        wordsOf({ kind: "stale", data, at: 0, error }).tone,
        wordsOf({ kind: "stale", data, at: 0, error }).word,
      ],
      ["plain", "log was well"],
    );
  });
});
