/** @module Where a statement ends and which parameters it has. */
import assert from "node:assert/strict";
import { parameters, statements, tokenize } from "../../lib/sql-tokens.ts";

const texts = (sql: string) => statements(sql).map((statement) => statement.sql);

describe("the statements of a text", () => {
  const single = [
    "SELECT ';'",
    "SELECT 'it''s; fine'",
    'SELECT ";" FROM "a;""b"',
    "SELECT [a;b], `c;``d`",
    "SELECT 1 -- ; not here",
    "SELECT /* ; nor here */ 1",
    "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT CASE WHEN 1 THEN 2 END; END",
    "CREATE TEMP TRIGGER IF NOT EXISTS x AFTER INSERT ON t BEGIN DELETE FROM t; END",
    "SELECT x';'",
  ];
  for (const sql of single) it(`${sql} is one`, () => assert.equal(statements(`${sql};`).length, 1));

  it("a comment or a semicolon behind a statement is none of its own", () => {
    assert.deepEqual(texts(" SELECT 1 ; ; -- the end\n /* really */ "), ["SELECT 1"]);
  });

  it("what follows a trigger is a statement of its own", () => {
    const trigger = "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END";
    assert.deepEqual(texts(`${trigger}; DROP TABLE t`), [trigger, "DROP TABLE t"]);
  });

  it("BEGIN alone opens no body", () => assert.deepEqual(texts("BEGIN; COMMIT"), ["BEGIN", "COMMIT"]));

  it("a text without a statement has none", () => assert.deepEqual(texts(" -- nothing\n;;"), []));

  it("nothing that is not closed hangs", () => {
    for (const open of ["'a", '"a', "[a", "`a", "/* a", "x'0"])
      assert.ok(tokenize(`SELECT ${open}`).length >= 1);
  });
});

describe("the parameters of a statement", () => {
  const cases: [sql: string, names: (string | null)[]][] = [
    ["SELECT 1, '?', \":a\" -- ?", []],
    ["SELECT ?, ?", [null, null]],
    ["SELECT ?2, ?", [null, "?2", null]],
    ["SELECT :a, @b, $c, :a", [":a", "@b", "$c"]],
    ["SELECT ?1, ?1", ["?1"]],
    ["SELECT a->>'$.x', b->'c' FROM t WHERE d=:d", [":d"]],
    ["SELECT $a::b(c)", ["$a::b(c)"]],
    ["SELECT 1.5e-3, 0xFF, .5 + ?", [null]],
  ];
  for (const [sql, names] of cases) {
    it(sql, () => {
      const [first] = statements(sql);
      assert.deepEqual(parameters(first?.tokens ?? []), { count: names.length, names });
    });
  }
});
