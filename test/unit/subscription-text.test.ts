/** @module The text of subscriptions: hash, expansion, what may be followed and what is refused. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SubscriptionRefused } from "../../corrosion/embedded/subscriptions/contract.ts";
import { expand } from "../../corrosion/embedded/subscriptions/expansion.ts";
import { type Followed, follow } from "../../corrosion/embedded/subscriptions/followed.ts";
import { seahash } from "../../corrosion/embedded/subscriptions/seahash.ts";
import { aggregatesOf } from "../../corrosion/embedded/subscriptions/unfollowable.ts";
import type { Params, SqlValue } from "../../corrosion/embedded/values.ts";

const TABLES = [
  { name: "tests", keys: ["id"], columns: ["id", "text"] },
  { name: "ids", keys: ["id"], columns: ["id"] },
  { name: "machines", keys: ["region", "id"], columns: ["region", "id", "name", "test_id"] },
  { name: "Order", keys: ["left key"], columns: ["left key", "value"] },
];

const none: Params = { kind: "none" };
const positional = (...values: SqlValue[]): Params => ({ kind: "positional", values });

function openSchema(): DatabaseSync {
  const db = new DatabaseSync(":memory:", { enableDoubleQuotedStringLiterals: true });
  db.exec(`
    CREATE TABLE tests (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT "");
    CREATE TABLE machines (region TEXT NOT NULL, id INTEGER NOT NULL, name TEXT, test_id INTEGER, PRIMARY KEY (region, id));
    CREATE TABLE "Order" ("left key" BLOB NOT NULL PRIMARY KEY, value);
    CREATE TABLE __corro_members (actor_id BLOB PRIMARY KEY, address TEXT);
    CREATE TABLE ids (id INTEGER NOT NULL PRIMARY KEY);
    CREATE VIEW seen AS SELECT * FROM tests;
  `);
  return db;
}

describe("the text of a subscription", () => {
  let db: DatabaseSync;
  before(() => {
    db = openSchema();
  });
  after(() => db.close());

  const followed = (sql: string, params: Params = none): Followed =>
    follow(db, TABLES, aggregatesOf(db), expand(db, { sql, params }));
  const refusal = (sql: string, params: Params = none): string => {
    try {
      followed(sql, params);
    } catch (error) {
      if (error instanceof SubscriptionRefused) return `${error.status} ${error.message}`;
      throw error;
    }
    return "accepted";
  };

  it("is hashed with seahash, as big-endian hex", () => {
    assert.equal(seahash("select * from tests"), "2ae3ae574c3252c6");
    assert.equal(seahash("to be or not to be"), 1988685042348123509n.toString(16));
    assert.match(seahash(""), /^[0-9a-f]{16}$/);
  });

  it("has its parameters written into it, and is otherwise as it was sent", () => {
    const text = "select  *  from tests where text = ? and id > ?2 -- ü";
    assert.equal(
      expand(db, { sql: text, params: positional("it's", 5n) }),
      "select  *  from tests where text = 'it''s' and id > 5 -- ü",
    );
    assert.equal(
      expand(db, {
        sql: "SELECT ?1 FROM tests WHERE id = :id AND text = ?",
        params: positional("a", 2n, "c"),
      }),
      "SELECT 'a' FROM tests WHERE id = 2 AND text = 'c'",
    );
    const named: Params = {
      kind: "named",
      values: new Map<string, SqlValue>([
        [":id", 7n],
        [":unknown", 1n],
      ]),
    };
    assert.equal(
      expand(db, { sql: "SELECT id FROM tests WHERE id = :id AND text = $text", params: named }),
      "SELECT id FROM tests WHERE id = 7 AND text = NULL",
    );
  });

  it("needs as many positional parameters as it has", () => {
    const sql = "SELECT id FROM tests WHERE id = ? OR id = ?";
    assert.equal(
      refusal(sql, positional(1n)),
      "400 Wrong number of parameters passed to query. Got 1, needed 2",
    );
    assert.equal(
      refusal(sql, positional(1n, 2n, 3n)),
      "400 Wrong number of parameters passed to query. Got 3, needed 2",
    );
    assert.equal(refusal(sql, positional(1n, 2n)), "accepted");
  });

  const refused: readonly (readonly [what: string, sql: string, answer: string | RegExp])[] = [
    ["nothing", "", "500 could not expand sql statement"],
    ["only a comment", "  -- nothing", "500 could not expand sql statement"],
    ["what SQLite cannot prepare", "SELECT x FROM tests", "400 no such column: x"],
    ["two statements", "SELECT id FROM tests; SELECT id FROM tests", "400 Multiple statements provided"],
    [
      "two statements of which the second is broken",
      "SELECT id FROM tests; SELEC",
      "400 Multiple statements provided",
    ],
    ["INSERT", "INSERT INTO tests (id) VALUES (1)", "400 unsupported statement"],
    ["UPDATE", "UPDATE tests SET text = ''", "400 unsupported statement"],
    [
      "WITH before a DELETE",
      "WITH a AS (SELECT 1 AS b) DELETE FROM tests WHERE id IN (SELECT b FROM a)",
      "400 unsupported statement",
    ],
    ["EXPLAIN", "EXPLAIN SELECT id FROM tests", "400 one statement is required for matching"],
    ["SELECT without a table", "SELECT 1", "400 at least 1 table is required in FROM / JOIN clause"],
    [
      "IS DISTINCT FROM without a table",
      "SELECT 1 IS NOT DISTINCT FROM 2",
      "400 at least 1 table is required in FROM / JOIN clause",
    ],
    ["VALUES", "VALUES (1)", "400 at least 1 table is required in FROM / JOIN clause"],
    ["a view", "SELECT * FROM seen", "400 table not found in schema: seen"],
    [
      "a view in a sub-query",
      "SELECT id FROM tests WHERE id IN (SELECT id FROM seen)",
      "400 table not found in schema: seen",
    ],
    ["a CTE", "WITH a AS (SELECT 1 AS b) SELECT b FROM a", "400 table not found in schema: a"],
    [
      "an internal table",
      "SELECT address FROM __corro_members",
      "400 table not found in schema: __corro_members",
    ],
    [
      "an internal table in a JOIN",
      "SELECT id FROM tests JOIN __corro_members",
      "400 table not found in schema: __corro_members",
    ],
    [
      "a table function",
      "SELECT value FROM tests, json_each(tests.text)",
      "400 table not found in schema: json_each",
    ],
    ["IN with a table", "SELECT id FROM tests WHERE id IN ids", "400 expression is not supported: id IN ids"],
    ...[
      ["aggregates (count)", "SELECT count(*) FROM tests"],
      ["aggregates (max)", "SELECT 1 + max(id) FROM tests"],
      ["aggregates (sum)", 'SELECT "sum"(id) FROM tests'],
      ["GROUP BY", "SELECT text FROM tests GROUP BY text"],
      ["DISTINCT", "SELECT DISTINCT text FROM tests"],
      ["LIMIT", "SELECT id FROM tests LIMIT 1"],
      ["compound SELECT", "SELECT id FROM tests UNION ALL SELECT id FROM machines"],
      ["sub-queries in FROM", "SELECT id FROM (SELECT id FROM tests)"],
      ["joins in brackets", "SELECT 1 FROM tests JOIN (machines JOIN 'Order')"],
      ["aggregates (lag)", "SELECT lag(id) OVER (ORDER BY id) FROM tests"],
      ["window functions", "SELECT id FROM tests WINDOW w AS (ORDER BY id)"],
    ].map(([what, sql]): [string, string, RegExp] => [
      what!,
      sql!,
      new RegExp(
        `^400 the embedded development agent does not follow ${what!.replace(/[()]/g, "\\$&")} in subscriptions, `,
      ),
    ]),
  ];
  for (const [what, sql, answer] of refused) {
    it(`is refused with ${what}`, () => {
      if (typeof answer === "string") assert.equal(refusal(sql), answer);
      else assert.match(refusal(sql), answer);
    });
  }

  const accepted: readonly (readonly [what: string, sql: string, sources: string])[] = [
    ["a closing semicolon and comments", "/* a */ SELECT id -- FROM x\nFROM tests; -- end ;", "tests tests"],
    ["other case", "select ID from TESTS", "tests TESTS"],
    ["the schema's name", "SELECT id FROM main.tests t", "tests t"],
    [
      "quoted names and aliases",
      'SELECT `left key`, [o].value FROM "Order" AS "o" WHERE o."value" > 1',
      "Order o",
    ],
    ["words that are strings", "SELECT 'FROM x LIMIT 1' FROM tests WHERE text <> 'GROUP BY'", "tests tests"],
    [
      "joins",
      "SELECT t.id FROM tests t JOIN machines AS m ON m.test_id = t.id LEFT OUTER JOIN 'Order' ON value = text",
      "tests t, machines m, Order Order",
    ],
    [
      "comma joins",
      'SELECT t.id FROM tests t, machines NOT INDEXED, "Order" o WHERE t.id = test_id',
      "tests t, machines machines, Order o",
    ],
    [
      "RIGHT JOIN",
      "SELECT m.id FROM tests RIGHT JOIN machines m ON m.test_id = tests.id",
      "tests tests, machines m",
    ],
    ["scalar max", "SELECT max(id, 5) FROM tests", "tests tests"],
    [
      "aggregates in a sub-query",
      "SELECT (SELECT count(*) FROM machines m WHERE m.test_id = tests.id) FROM tests",
      "tests tests",
    ],
    [
      "LIMIT and DISTINCT in a sub-query",
      "SELECT id FROM tests WHERE id IN (SELECT DISTINCT test_id FROM machines LIMIT 5)",
      "tests tests",
    ],
    ["ORDER BY", "SELECT id FROM tests WHERE id > 1 OR id < 0 ORDER BY 1 DESC", "tests tests"],
    ["IS DISTINCT FROM", "SELECT id IS DISTINCT FROM 5 FROM tests", "tests tests"],
    [
      "CASE and IN with a list",
      "SELECT CASE WHEN id IN (1, 2) THEN text ELSE max(id, 3) END FROM tests",
      "tests tests",
    ],
  ];
  for (const [what, sql, sources] of accepted) {
    it(`may have ${what}`, () => {
      const { sources: found } = followed(sql);
      const text = (source: (typeof found)[number]): string => `${source.table.name} ${source.alias}`;
      assert.equal(found.map(text).join(", "), sources);
    });
  }

  it("names the tables of which any change asks for the whole query", () => {
    const whole = (sql: string): string => [...followed(sql).wholeTables].sort().join(" ");
    assert.equal(whole("SELECT id FROM tests"), "");
    assert.equal(whole("SELECT t.id FROM tests t JOIN machines m ON m.test_id = t.id"), "");
    assert.equal(whole("SELECT t.id FROM tests t LEFT JOIN machines m ON m.test_id = t.id"), "machines");
    assert.equal(
      whole("SELECT t.id FROM tests t RIGHT JOIN machines m ON m.test_id = t.id"),
      "machines tests",
    );
    assert.equal(
      whole("SELECT (SELECT max(m.name) FROM machines m WHERE m.test_id = tests.id) FROM tests"),
      "machines",
    );
    assert.equal(
      whole("SELECT id FROM tests WHERE EXISTS (SELECT 1 FROM main.[Order], tests x)"),
      "order tests",
    );
  });

  it("keeps its columns' names while the keys of all tables are selected behind them", () => {
    const { columns, whole } = followed(
      'SELECT t.*, m.name AS "the name" FROM tests t JOIN machines m WHERE m.id = t.id ORDER BY 1',
    );
    assert.deepEqual(columns, ["id", "text", "the name"]);
    assert.deepEqual(
      db
        .prepare(whole)
        .columns()
        .map((column) => column.column),
      ["id", "text", "name", "id", "region", "id"],
    );
  });
});
