/** @module What a request to the console asks for, before any agent hears of it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CorrosionError, type FailureData } from "../../lib/corrosion/failures.ts";
import type { QueryRun } from "../../services/corrosion/contract.ts";
import { judge } from "../../services/corrosion/query/blocked.ts";
import { PRESETS } from "../../services/corrosion/query/presets.ts";
import { readRun } from "../../services/corrosion/query/request.ts";

/** Names of the fields that are wrong; the type of another refusal. */
function refusal(run: QueryRun): string[] | string {
  try {
    readRun(run);
  } catch (error) {
    assert.ok(error instanceof CorrosionError);
    assert.equal(error.code, 400);
    if (error.type !== "invalid_request") return error.type;
    return Object.keys((error.data as FailureData).fields ?? {});
  }
  return "none";
}

describe("A request to the console", () => {
  it("names its fields that are wrong", () => {
    const wrong: [QueryRun, string[]][] = [
      [{}, ["sql"]],
      [{ sql: "SELECT 1", preset: "cluster_info" }, ["sql"]],
      [{ preset: "no_such_preset" }, ["preset"]],
      [{ sql: "SELECT 1", limit: 0 }, ["limit"]],
      [{ sql: "SELECT 1", limit: 5001 }, ["limit"]],
      [{ sql: "SELECT 1", limit: 1.5 }, ["limit"]],
      [{ sql: "SELECT 1", mode: "both" as "read" }, ["mode"]],
      [{ preset: "cluster_info", mode: "write" }, ["mode"]],
      [{ sql: `SELECT '${"x".repeat(70_000)}'` }, ["sql"]],
      [{ sql: "SELECT :a", params: {} }, [":a"]],
      [{ sql: "SELECT :a, ?" }, [":a", "?"]],
      [{ sql: "SELECT 1", params: { a: 1 } }, ["a"]],
      [{ sql: "SELECT ?", params: [Number.NaN] }, ["params[0]"]],
      [{ sql: "SELECT :a", params: { a: {} as never } }, ["a"]],
      [{ sql: "SELECT ?, ?, ?", params: [2 ** 53, 2 ** 53 - 1, -(2 ** 60)] }, ["params[0]", "params[2]"]],
      [{ preset: "active_regions", params: { minutes_ago: 0 } }, ["minutes_ago"]],
      [{ preset: "active_regions", params: { minutes_ago: "5" } }, ["minutes_ago"]],
      [{ preset: "active_regions", params: { minutes_ago: 1.5, more: 1 } }, ["more", "minutes_ago"]],
      [{ preset: "messages_by_region" }, ["region"]],
      [{ preset: "messages_by_region", params: { region: 1 } }, ["region"]],
    ];
    for (const [run, fields] of wrong)
      assert.deepEqual(refusal(run), fields, JSON.stringify(run).slice(0, 200));
    assert.equal(refusal({ sql: "DROP TABLE t" }), "blocked_statement");
  });

  it("takes null for a field that is absent", () => {
    const nothing = { preset: null, params: null, mode: null, limit: null };
    const request = readRun({ ...nothing, sql: "SELECT 1" } as never);
    assert.deepEqual([request.sql, request.mode, request.limit], ["SELECT 1", "read", 500]);
    assert.equal(
      readRun({ preset: "cluster_info", sql: null, params: null } as never).preset?.id,
      "cluster_info",
    );
    assert.deepEqual(refusal({ sql: null } as never), ["sql"]);
  });

  it("is taken or refused with the fields that are wrong, whatever stands in them", () => {
    const text = fc.oneof(
      fc.constantFrom("SELECT :a", "SELECT ?", "cluster_info", "active_regions"),
      fc.string(),
    );
    const optionalText = fc.option(text, { nil: undefined });
    const anything = fc.record({
      preset: fc.oneof(optionalText, fc.constant(null)),
      sql: fc.oneof(optionalText, fc.constant(null)),
      params: fc.jsonValue(),
      mode: fc.oneof(fc.constantFrom("read", "write", undefined, null), fc.string()),
      limit: fc.oneof(fc.constantFrom(undefined, null, 1, 5000), fc.double()),
    });
    fc.assert(
      fc.property(anything, (run) => {
        const outcome = refusal(run as never);
        assert.ok(typeof outcome === "string" || outcome.length > 0);
      }),
      { numRuns: 2000 },
    );
    for (const params of [5, true, "ab"]) {
      assert.deepEqual(refusal({ sql: "SELECT 1", params } as never), ["params"]);
    }
  });

  it("binds names with the prefix that they have in the statement, comments and strings aside", () => {
    const { statement } = readRun({
      sql: "SELECT :a, @b, $c, ':d' -- :e",
      params: { a: 1, b: null as never, $c: "x" },
    });
    assert.deepEqual(statement?.[1], { ":a": 1, "@b": null, $c: "x" });
    assert.deepEqual(readRun({ sql: "SELECT ?", params: [true] }).statement?.[1], [true]);
    assert.deepEqual(readRun({ sql: "SELECT ?, ?", params: [1e300, 0.5] }).statement?.[1], [1e300, 0.5]);
  });

  it("has its defaults, also those of a preset", () => {
    const request = readRun({ preset: "active_regions" });
    assert.deepEqual(
      [request.mode, request.limit, request.statement?.[1]],
      ["read", 500, { ":minutes_ago": 60 }],
    );
    assert.equal(readRun({ preset: "database_info" }).statement, null);
  });

  it("never meets a preset that the console itself would block", () => {
    for (const { id, sql } of PRESETS) if (sql !== null) assert.equal(judge(sql, "read").kind, "allowed", id);
  });
});
