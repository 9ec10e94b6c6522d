/** @module What the query console makes of what is written in it: requests, edits by Tab, cells, files. */
import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { viewOf } from "../../public/pages/query-console/cell-text.ts";
import {
  type Draft,
  EMPTY,
  fromHistory,
  MAX_PLACES,
  placesOf,
  presetOf,
  readDraft,
  withPreset,
} from "../../public/pages/query-console/draft.ts";
import { csvOf, fileNameOf, jsonOf } from "../../public/pages/query-console/export.ts";
import { outcomeText } from "../../public/pages/query-console/run-state.ts";
import { tabEdit } from "../../public/pages/query-console/tab-key.ts";
import { parseValue, typedAs } from "../../public/pages/query-console/values.ts";
import type { ConsoleCell, ConsoleRunRecord, QueryResult } from "../../services/corrosion/contract.ts";
import { PRESETS } from "../../services/corrosion/query/presets.ts";
import { readRun } from "../../services/corrosion/query/request.ts";

const preset = (id: string) => PRESETS.find((one) => one.id === id)!;
const REGIONS = preset("active_regions");
const DATABASE = preset("database_info");

function draft(sql: string, more: Partial<Draft> = {}): Draft {
  return { ...EMPTY, sql, ...more };
}

function bodyOf(given: Draft) {
  const read = readDraft(given);
  assert.equal(read.kind, "ready");
  return read.body;
}

function problemsOf(given: Draft) {
  const read = readDraft(given);
  assert.equal(read.kind, "refused");
  return read.problems;
}

const result = (columns: readonly string[], rows: readonly (readonly ConsoleCell[])[]): QueryResult => ({
  run_id: "r1",
  columns,
  rows,
  row_count: rows.length,
  truncated: false,
  elapsed_ms: 3.4,
});

function record(more: Partial<ConsoleRunRecord>): ConsoleRunRecord {
  return {
    id: 1,
    at: "2026-01-02T03:04:05.000001Z",
    preset: null,
    sql: "SELECT 1",
    params: null,
    mode: "read",
    row_count: 1,
    elapsed_ms: 1,
    error: null,
    ...more,
  };
}

describe("The query console's draft", () => {
  it("runs a preset by its name with its defaults, and everything that it sends is taken by the node", () => {
    const body = bodyOf(withPreset(EMPTY, REGIONS));
    assert.deepEqual(body, {
      mode: "read",
      limit: 500,
      preset: "active_regions",
      params: { minutes_ago: 60 },
    });
    for (const one of PRESETS) {
      const chosen = withPreset(EMPTY, one);
      const named = {
        ...chosen,
        values: { ...chosen.values, region: { type: "text", text: "ams" } } as const,
      };
      assert.equal(readRun(bodyOf(named) as Parameters<typeof readRun>[0]).preset?.id, one.id);
    }
  });

  it("sends a preset's statement as somebody's own once it is changed, and as the preset when it is changed back", () => {
    const chosen = withPreset(EMPTY, REGIONS);
    const changed = { ...chosen, sql: `${chosen.sql} -- mine` };
    assert.equal(presetOf(changed), null);
    // Its parameter is then one of the statement, and keeps no value of another name.
    assert.deepEqual(
      placesOf(changed).map(({ key }) => key),
      [":minutes_ago"],
    );
    assert.equal(presetOf({ ...changed, sql: chosen.sql }), REGIONS);
  });

  it("is read again when a preset is chosen, for presets only read", () => {
    const chosen = withPreset(draft("DELETE FROM t", { mode: "write" }), DATABASE);
    assert.equal(chosen.mode, "read");
    assert.equal(presetOf({ ...chosen, mode: "write" }), null);
    assert.match(problemsOf({ ...chosen, mode: "write" }).sql ?? "", /no statement/);
  });

  it("asks for no statement where a preset has none, and for one where there is nothing but a comment", () => {
    assert.equal(bodyOf(withPreset(EMPTY, DATABASE)).preset, "database_info");
    assert.match(problemsOf(draft(" -- nothing\n/* at all */")).sql ?? "", /no statement/);
  });

  it("finds parameters past strings and comments, each name once", () => {
    const sql = "SELECT ':no', /* :nor */ :a, $b, @c, :a -- :none";
    assert.deepEqual(
      placesOf(draft(sql)).map(({ key }) => key),
      [":a", "$b", "@c"],
    );
  });

  it("gives values by position where a plain ? stands, by name elsewhere", () => {
    const values = {
      "?1": { type: "integer", text: "1" },
      ":a": { type: "text", text: "x" },
      "?3": { type: "null", text: "ignored" },
    } as const;
    assert.deepEqual(bodyOf(draft("SELECT ?, :a, ?", { values })).params, [1, "x", null]);
    assert.deepEqual(bodyOf(draft("SELECT ?3", { values })).params, { "?3": null });
    assert.equal(bodyOf(draft("SELECT 1")).params, undefined);
  });

  it("names every value and limit that cannot be taken", () => {
    const values = { ":a": { type: "integer", text: "1.5" }, ":b": { type: "real", text: "" } } as const;
    const { limit, sql, values: wrong } = problemsOf(draft("SELECT :a, :b, :c", { values, limit: "5001" }));
    assert.equal(sql, null);
    assert.match(limit ?? "", /1 to 5,000/);
    assert.deepEqual(Object.keys(wrong), [":a", ":b"]);
    for (const given of ["0", "", "1.5", "-1", "1e3", "many"])
      assert.notEqual(problemsOf(draft("SELECT 1", { limit: given })).limit, null, given);
    assert.equal(bodyOf(draft("SELECT 1", { limit: "5000" })).limit, 5000);
  });

  it("refuses a preset's value below its least one", () => {
    const chosen = withPreset(EMPTY, REGIONS);
    const low = { ...chosen, values: { minutes_ago: { type: "integer", text: "0" } } as const };
    assert.deepEqual(problemsOf(low).values, { minutes_ago: "At least 1." });
  });

  it("takes at most so many parameters as a person could fill in", () => {
    const sql = (count: number) => `SELECT ${Array.from({ length: count }, () => "?").join()}`;
    assert.equal(readDraft(draft(sql(MAX_PLACES))).kind, "ready");
    assert.match(problemsOf(draft(sql(MAX_PLACES + 1))).sql ?? "", /at most 50/);
  });

  it("comes back from the history as the same request", () => {
    const given = [
      bodyOf(withPreset(EMPTY, REGIONS)),
      bodyOf(draft("SELECT :a, $b", { values: { ":a": { type: "real", text: "1.5" } } })),
      bodyOf(draft("SELECT ?, ?2, ?", { values: { "?2": { type: "boolean", text: "true" } } })),
      bodyOf(draft("DELETE FROM t WHERE pk = ?2", { mode: "write" })),
    ];
    for (const body of given) {
      const run = record({
        preset: body.preset ?? null,
        sql: body.sql ?? REGIONS.sql!,
        params: body.params,
        mode: body.mode!,
      });
      assert.deepEqual(bodyOf(fromHistory(EMPTY, run, PRESETS)), body);
    }
  });

  it("comes back with values that others gave without the sign of their names, or as a list for names", () => {
    const named = fromHistory(EMPTY, record({ sql: "SELECT :a, @b", params: { a: 1, "@b": "x" } }), PRESETS);
    assert.deepEqual(bodyOf(named).params, { ":a": 1, "@b": "x" });
    const listed = fromHistory(EMPTY, record({ sql: "SELECT :a, @b", params: [1, "x"] }), PRESETS);
    assert.deepEqual(bodyOf(listed).params, { ":a": 1, "@b": "x" });
  });

  it("comes back as a statement where its preset is no more", () => {
    const back = fromHistory(EMPTY, record({ preset: "gone", sql: "SELECT 2" }), PRESETS);
    assert.equal(bodyOf(back).sql, "SELECT 2");
  });
});

describe("A value of the query console", () => {
  it("has the type that was chosen for it", () => {
    const value = (type: Parameters<typeof parseValue>[0]["type"], text: string) => {
      const parsed = parseValue({ type, text });
      return parsed.kind === "ok" ? parsed.value : undefined;
    };
    assert.equal(value("text", " 12 "), " 12 ");
    assert.equal(value("integer", " -12 "), -12);
    assert.equal(value("real", "1e3"), 1000);
    assert.equal(value("boolean", "true"), true);
    assert.equal(value("boolean", ""), false);
    assert.equal(value("null", "12"), null);
    for (const text of ["", "1.0", "0x10", "9007199254740993", "one"])
      assert.equal(value("integer", text), undefined, text);
    for (const text of [" ", "1,5", "Infinity", "NaN"]) assert.equal(value("real", text), undefined, text);
  });

  it("is the same after it was shown as it would be typed", () => {
    const scalar = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.string(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
    );
    fc.assert(
      fc.property(scalar, (given) => {
        assert.deepEqual(parseValue(typedAs(given)), { kind: "ok", value: given });
      }),
    );
  });
});

describe("The Tab key in the editor", () => {
  const tabbed = (text: string, from: number, to: number, back = false) => {
    const edit = tabEdit({ text, from, to }, back);
    if (edit === null) return null;
    return { text: text.slice(0, edit.from) + edit.insert + text.slice(edit.to), select: edit.select };
  };

  it("writes two spaces in the place of what is selected in a line", () => {
    assert.deepEqual(tabbed("ab", 1, 1), { text: "a  b", select: [3, 3] });
    assert.deepEqual(tabbed("abc", 1, 2), { text: "a  c", select: [3, 3] });
  });

  it("steps every selected line in, but not one that the selection only touches at its beginning", () => {
    assert.deepEqual(tabbed("a\nb\nc", 0, 4), { text: "  a\n  b\nc", select: [0, 7] });
  });

  it("steps a line back wherever the cursor is in it, and changes nothing where there is no step", () => {
    assert.deepEqual(tabbed("x\n  ab", 5, 5, true), { text: "x\nab", select: [3, 3] });
    assert.deepEqual(tabbed("  ab", 1, 1, true), { text: "ab", select: [0, 0] });
    assert.equal(tabbed("ab", 1, 1, true), null);
  });

  it("takes back with Shift what it did to lines without", () => {
    const line = fc.stringMatching(/^[a-z ]{0,6}$/);
    fc.assert(
      fc.property(fc.array(line, { minLength: 2, maxLength: 5 }), (lines) => {
        const text = lines.join("\n");
        const stepped = tabbed(text, 0, text.length);
        assert.ok(stepped);
        const [from, to] = stepped.select;
        assert.equal(tabbed(stepped.text, from, to, true)?.text, text);
      }),
    );
  });
});

describe("A result of the query console", () => {
  it("tells NULL, an empty text, a blob and a text that looks like them apart", () => {
    assert.deepEqual(
      [null, "", "NULL", 0, { blob: "" }, "x'00'", { blob: "00ff" }].map((cell) => viewOf(cell).kind),
      ["null", "empty", "text", "number", "blob", "text", "blob"],
    );
    assert.deepEqual(viewOf({ blob: "00ff" }), { kind: "blob", text: "x'00ff'", bytes: 2, whole: null });
  });

  it("shows of a long cell its beginning in one line", () => {
    const long = `one\n  two${"y".repeat(100_000)}`;
    const view = viewOf(long);
    assert.equal(view.kind, "text");
    assert.match(view.text, /^one ⏎ twoy+…$/);
    assert.ok(view.text.length < 250);
    assert.equal(view.whole, long);
    const digits = "ab".repeat(50_000);
    const blob = viewOf({ blob: digits });
    assert.equal(blob.kind, "blob");
    assert.ok(blob.text.length < 50 && blob.bytes === 50_000);
    assert.equal(blob.whole, digits);
  });

  it("has nothing more to show of a cell that fits", () => {
    const view = viewOf("short");
    assert.deepEqual(view, { kind: "text", text: "short", whole: null });
    assert.deepEqual(viewOf("a\nb"), { kind: "text", text: "a ⏎ b", whole: "a\nb" });
  });

  it("is the same table after its CSV is read, whatever its texts hold", () => {
    const text = fc.string({ unit: "binary" }).filter((value) => !/^[=+\-@\ufeff]/.test(value));
    const cell = fc.oneof(text, fc.integer());
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }), (rows) => {
        const file = csvOf(result(["a", "b,\r\n", 'c"'], rows));
        const read: string[][] = parse(file, { record_delimiter: "\r\n" });
        assert.deepEqual(read, [["a", "b,\r\n", 'c"'], ...rows.map((row) => row.map(String))]);
      }),
    );
  });

  it("has no formula in its CSV, be it in a cell or in a name of a column; negative numbers stay numbers", () => {
    const file = csvOf(
      result(
        ["=1+1", "n"],
        [
          ["=HYPERLINK(1)", -5],
          ["+1", null],
          ["@x", { blob: "0a" }],
        ],
      ),
    );
    assert.equal(file, "'=1+1,n\r\n'=HYPERLINK(1),-5\r\n'+1,\r\n'@x,x'0a'\r\n");
  });

  it("is whole as JSON: two columns of one name, NULL, blobs and great integers", () => {
    const rows: readonly (readonly ConsoleCell[])[] = [
      ["9007199254740993", null],
      [{ blob: "0a" }, ""],
    ];
    const at = new Date("2026-01-02T03:04:05.678Z");
    const body = { run_id: "r1", sql: "SELECT a, a", mode: "read", limit: 5 } as const;
    const file = JSON.parse(jsonOf(result(["a", "a"], rows), body, at));
    assert.deepEqual(file.rows, rows);
    assert.deepEqual(file.columns, ["a", "a"]);
    assert.deepEqual(file.request, { sql: "SELECT a, a", mode: "read", limit: 5 });
    assert.equal(file.exported_at, "2026-01-02T03:04:05.678Z");
  });

  it("goes to a file named after the preset and the time, never by a path", () => {
    const at = new Date("2026-01-02T03:04:05.678Z");
    assert.equal(fileNameOf({ preset: "cluster_info" }, at, "csv"), "cluster_info_20260102T030405Z.csv");
    assert.equal(fileNameOf({ sql: "SELECT 1" }, at, "json"), "query_20260102T030405Z.json");
    assert.equal(fileNameOf({ preset: "../../x" }, at, "csv"), "______x_20260102T030405Z.csv");
  });

  it("is told as rows, or as rows that were changed", () => {
    assert.equal(outcomeText(result(["a"], [[1]])), "1 row in 3.4 ms");
    assert.equal(outcomeText({ ...result([], []), rows_affected: 2 }), "2 rows affected in 3.4 ms");
  });
});
