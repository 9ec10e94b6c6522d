/** @module The log of a group in words: well, behind, missing copies, unreachable, not known. */
import assert from "node:assert/strict";
import { wordsOf } from "../../public/fleet/log-words.ts";
import type { EngineHealth } from "../../services/raft/engine/engine.ts";

const copy = (name: string, lag = 0) => ({ name, lag, current: lag === 0 });
const seen = (log: EngineHealth | null, servers = true) =>
  wordsOf({ kind: "ok", at: 0, data: { group: 7, seen_by: "n1", log } }, servers);
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

  it("has nobody to lead it, or a copy that is not current without being behind", () => {
    assert.deepEqual(
      [seen({ ...WELL, leader: null }).tone, seen({ ...WELL, leader: null }).word],
      ["bad", "log without leader"],
    );
    const off = seen({ ...WELL, replicas: [copy("a"), copy("b"), { ...copy("c"), current: false }] });
    assert.equal(off.tone, "warn");
    assert.match(off.text, /c is not current$/);
  });

  it("of an engine without servers is its one copy, and nobody leads it", () => {
    const one = { leader: null, replicas: [copy("log.sqlite")], wanted: 1, bytes: 10 };
    assert.deepEqual(seen(one, false), { tone: "good", word: "log is well", text: "1 of 1 copy, 10 B" });
    const failed = seen({ ...one, replicas: [{ ...copy("log.sqlite"), current: false }] }, false);
    assert.deepEqual([failed.tone, failed.word], ["bad", "log failed"]);
  });

  it("is unreachable, or not known, when nobody can say", () => {
    assert.deepEqual([seen(null).tone, seen(null).word], ["bad", "log unreachable"]);
    const nobody = wordsOf({ kind: "ok", at: 0, data: { group: 7, seen_by: null, log: null } }, true);
    assert.deepEqual([nobody.tone, nobody.word], ["warn", "log not known"]);
    const error = new Error("the node cannot be reached");
    assert.equal(wordsOf({ kind: "error", error }, true).text, error.message);
    assert.equal(wordsOf({ kind: "loading" }, true).tone, "plain");
    const stale = wordsOf(
      { kind: "stale", data: { group: 7, seen_by: "n1", log: WELL }, at: 0, error },
      true,
    );
    assert.deepEqual([stale.tone, stale.word], ["plain", "log was well"]);
  });
});
