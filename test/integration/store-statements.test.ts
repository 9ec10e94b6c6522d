/** @module What a client may send in a transaction, how its values arrive, and what it is told when it fails. */
import assert from "node:assert/strict";
import { StatementFailed } from "../../corrosion/embedded/store/contract.ts";
import type { SqlValue, Statement } from "../../corrosion/embedded/values.ts";
import { type Agent, named, StoreFolder, statement } from "../helpers/stores.ts";

describe("a client's statement", () => {
  let folder: StoreFolder;
  let agent: Agent;

  beforeEach(() => {
    folder = new StoreFolder();
    agent = folder.agent("a");
    agent.store.applySchema(["CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a, b)"]);
  });
  afterEach(() => folder.remove());

  const fails = (message: string | RegExp, ...sql: (string | Statement)[]) =>
    assert.throws(
      () => agent.run(...sql),
      (error) => {
        assert.ok(error instanceof StatementFailed);
        if (typeof message === "string") assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      },
    );
  const stored = () => agent.rows("SELECT a, b FROM t ORDER BY id").map(({ a, b }) => [a, b]);

  it("that returns rows is told to be a query", () => {
    const message = "Execute returned results - did you mean to call query?";
    for (const sql of [
      "SELECT 1",
      "INSERT INTO t (id) VALUES (1) RETURNING id",
      "EXPLAIN DELETE FROM t",
      "VALUES (1)",
    ]) {
      fails(message, sql);
    }
    assert.deepEqual(stored(), []);
  });

  it("with too few or too many positional values is refused", () => {
    const sql = "INSERT INTO t (a, b) VALUES (?, ?)";
    const wrong = (got: number) => `Wrong number of parameters passed to query. Got ${got}, needed 2`;
    fails(wrong(1), statement(sql, 1n));
    fails(wrong(0), sql);
    fails(wrong(3), statement(sql, 1n, 2n, 3n));
    fails(wrong(3), statement(sql, 1n, 2n, 3n, 4n));
  });

  it("with a second statement is refused, whatever a string, comment or trigger holds", () => {
    fails("Multiple statements provided", "DELETE FROM t; DELETE FROM t");
    agent.run("DELETE FROM t WHERE a = ';' -- ; ;", "DELETE FROM t; /* ; */ ;");
    agent.run(
      "CREATE TABLE local (x)",
      "CREATE TRIGGER tr AFTER INSERT ON local BEGIN DELETE FROM local WHERE x = 1; DELETE FROM local WHERE x = 2; END;",
    );
  });

  it("that SQLite refuses is told SQLite's message", () => {
    agent.run("INSERT INTO t (id) VALUES (1)");
    fails("UNIQUE constraint failed: t.id", "INSERT INTO t (id) VALUES (1)");
    fails(/^no such table: nowhere/, "DELETE FROM nowhere");
    fails(/syntax error/, "DELETE FORM t");
    fails("the statement is empty", " -- nothing");
  });

  it("gets its values with their types", () => {
    const values: SqlValue[] = [
      1n,
      1,
      -(2n ** 63n),
      0.1,
      "text",
      "",
      Uint8Array.of(0, 255),
      Uint8Array.of(),
      null,
      "a\0b",
    ];
    for (const value of values) agent.run(statement("INSERT INTO t (a, b) VALUES (?, typeof(?1))", value));
    assert.deepEqual(
      stored().map(([a]) => a),
      values,
    );
    assert.deepEqual(
      stored().map(([, b]) => b),
      ["integer", "real", "integer", "real", "text", "text", "blob", "blob", "null", "text"],
    );
    fails(/does not fit into 64 bits/, statement("INSERT INTO t (a) VALUES (?)", 2n ** 63n));
  });

  it("takes named values, NULL where none is given, and refuses unknown names", () => {
    const sql = "INSERT INTO t (a, b) VALUES (:a, $b)";
    agent.run(named(sql, { ":a": 1n, $b: "x" }), named(sql, { $b: "y" }), named(sql, {}));
    assert.deepEqual(stored(), [
      [1n, "x"],
      [null, "y"],
      [null, null],
    ]);
    fails("Invalid parameter name: :c", named(sql, { ":c": 1n }));
    fails("Invalid parameter name: a", named(sql, { a: 1n }));
  });

  it("takes positional values for numbered and named parameters as SQLite numbers them", () => {
    agent.run(
      statement("INSERT INTO t (a, b) VALUES (?2, ?1)", "first", "second"),
      statement("INSERT INTO t (a, b) VALUES (@x, ?)", "named", "plain"),
      statement("INSERT INTO t (a, b) VALUES (:x, :x)", "twice"),
    );
    assert.deepEqual(stored(), [
      ["second", "first"],
      ["named", "plain"],
      ["twice", "twice"],
    ]);
  });

  it("counts the rows that it changed, none for DDL", () => {
    const { results } = agent.run(
      "INSERT INTO t (a) VALUES (1), (2)",
      "CREATE TABLE local (x)",
      "UPDATE t SET b = 1",
      "DELETE FROM t WHERE a = 1",
    );
    assert.deepEqual(
      results.map(({ rowsAffected }) => rowsAffected),
      [2, 0, 2, 1],
    );
  });

  it("takes double-quoted strings", () => {
    agent.run('INSERT INTO t (a) VALUES ("text")');
    assert.deepEqual(stored(), [["text", null]]);
  });

  it("may make tables of its own, which never replicate", () => {
    assert.equal(agent.run("CREATE TABLE local (x)", "INSERT INTO local VALUES (1)").version, null);
    assert.deepEqual(
      agent.store.tables().map(({ name }) => name),
      ["t"],
    );
    assert.deepEqual(agent.rows("SELECT x FROM local"), [{ x: 1n }]);
  });

  const harmful: [sql: string, message: RegExp][] = [
    ["COMMIT", /transaction control is the agent's own/],
    ["ROLLBACK", /transaction control/],
    ["BEGIN", /transaction control/],
    ["SAVEPOINT x", /transaction control/],
    ["ATTACH 'x.db' AS x", /ATTACH and DETACH are not allowed/],
    ["PRAGMA journal_mode = DELETE", /PRAGMA journal_mode is not allowed/],
    ["PRAGMA recursive_triggers = OFF", /PRAGMA recursive_triggers is not allowed/],
    ["DELETE FROM __corro_state", /__corro_state is the agent's own bookkeeping/],
    ["UPDATE t__crsql_clock SET col_version = 9", /t__crsql_clock is the agent's own/],
    ["INSERT INTO t__crsql_pks (id) VALUES (1)", /t__crsql_pks is the agent's own/],
    ["DELETE FROM crsql_db_versions", /crsql_db_versions is the agent's own/],
    ["CREATE TABLE __corro_mine (x)", /__corro_mine is the agent's own/],
    ["DROP TABLE __corro_members", /__corro_members is the agent's own/],
    ["DROP VIEW crsql_changes", /crsql_changes is the agent's own/],
    ["DROP TABLE t", /table t is replicated/],
    ["ALTER TABLE t ADD COLUMN c", /table t is replicated/],
    ["DROP TRIGGER t__crsql_utrig", /keeps track of what replicates/],
    ["CREATE UNIQUE INDEX IF NOT EXISTS x ON t (a)", /table t is replicated: a unique index/],
    ["CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", /table t is replicated/],
    ["CREATE TEMP TABLE t (id)", /temporary tables, views and triggers are not allowed/],
    [
      "INSERT INTO t (a) VALUES (crsql_track_delete('t', 1))",
      /crsql_track_delete is for the agent's own triggers/,
    ],
    ["VACUUM", /cannot VACUUM from within a transaction/],
  ];
  for (const [sql, message] of harmful) {
    it(`${sql} is refused, and the store goes on`, () => {
      fails(message, "INSERT INTO t (id) VALUES (5)", sql);
      assert.deepEqual(stored(), []);
      assert.equal(agent.run("INSERT INTO t (a, b) VALUES (1, 2)").version, 1n);
      assert.deepEqual(agent.clocks("t", 1n), ["a:1/1", "b:1/1"]);
    });
  }

  it("may ask the schema of a table in the middle of a write", () => {
    agent.run("INSERT INTO t (a) SELECT name FROM pragma_table_info('t')");
    assert.equal(stored().length, 3);
  });
});
