/** @module Which statements the console runs. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { bareName, isClosed, tokenize } from "../../lib/sql-tokens.ts";
import { judge, type Mode } from "../../services/corrosion/query/blocked.ts";

function reason(sql: string, mode: Mode = "read"): string | null {
  const verdict = judge(sql, mode);
  return verdict.kind === "blocked" ? verdict.reason : null;
}

const BLOCKED_VERBS = [
  "CREATE TABLE t (a)",
  "CREATE INDEX i ON t (a)",
  "DROP TABLE t",
  "ALTER TABLE t ADD COLUMN b",
  "VACUUM",
  "REINDEX",
  "ANALYZE",
  "BEGIN",
  "COMMIT",
  "END",
  "ROLLBACK",
  "SAVEPOINT s",
  "RELEASE s",
  "ATTACH 'x' AS y",
  "DETACH y",
];

const WRITES_TO_INTERNALS = [
  "INSERT INTO crsql_changes VALUES (1)",
  "INSERT OR IGNORE INTO main.crsql_changes (a) VALUES (1)",
  "INSERT INTO 'crsql_changes' VALUES (1)",
  'DELETE FROM "CRSQL_site_id"',
  "DELETE FROM main.[__corro_state]",
  "UPDATE OR REPLACE `t__crsql_clock` SET a = 1",
  "UPDATE main . sqlite_master SET sql = ''",
  "REPLACE INTO crsql_site_id VALUES (1)",
  "WITH x AS (SELECT 1) DELETE FROM crsql_changes",
  "WITH replace AS (SELECT 1) INSERT INTO crsql_changes SELECT * FROM replace",
];

const CALLS = [
  "SELECT load_extension('x')",
  "SELECT Load_Extension /* x */ ('x')",
  `SELECT "load_extension"('x')`,
  "SELECT crsql_as_crr('t')",
  "SELECT [crsql_finalize]()",
  "SELECT 1 WHERE 1 = (SELECT crsql_begin_alter('t'))",
  "VALUES (crsql_next_db_version())",
];

const READS = [
  "SELECT 1",
  "select ';' -- ; DROP TABLE t\n",
  "/* DROP */ WITH x AS (SELECT 1) SELECT * FROM x;",
  "VALUES (1), ('BEGIN')",
  'SELECT "drop", [vacuum], `attach` FROM t;; ;',
  "EXPLAIN QUERY PLAN SELECT 1",
  "EXPLAIN DELETE FROM t",
  "PRAGMA table_info(t)",
  "PRAGMA main.table_xinfo('t')",
  "PRAGMA user_version",
  "SELECT crsql_site_id(), hex(crsql_pack_columns(1)), crsql_db_version()",
  "SELECT * FROM crsql_changes WHERE \"table\" = 't'",
  "SELECT 1 --\r; VACUUM",
  "SELECT 'it''s -- no /* comment' AS a",
  "SELECT * FROM t WHERE a = 'load_extension(x)'",
  "\ufeffSELECT 1",
];

const WRITES = [
  "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 2",
  "insert or replace into t (a) values ('crsql_changes')",
  "REPLACE INTO t VALUES (1)",
  "UPDATE t SET a = 'DROP TABLE t; --'",
  "DELETE FROM t WHERE a IN (SELECT pk FROM crsql_changes)",
  "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
];

describe("The console", () => {
  it("runs what reads in mode read, and what writes in mode write", () => {
    for (const sql of READS) assert.equal(reason(sql), null, sql);
    for (const sql of WRITES) assert.equal(reason(sql, "write"), null, sql);
  });

  it("blocks DDL, maintenance, transaction control and ATTACH in both modes", () => {
    for (const sql of BLOCKED_VERBS) {
      const verb = sql.split(" ")[0] ?? "";
      for (const mode of ["read", "write"] as const) {
        assert.match(reason(sql, mode) ?? "", new RegExp(`^${verb} is blocked`), sql);
      }
    }
  });

  it("blocks functions that do more than read, however they are spelled", () => {
    for (const sql of CALLS) assert.match(reason(sql) ?? "", /\(\) is blocked/, sql);
    assert.match(reason("INSERT INTO t SELECT load_extension('x')", "write") ?? "", /load_extension/);
  });

  it("blocks writes to the tables that are the agent's own, however they are quoted", () => {
    for (const sql of WRITES_TO_INTERNALS)
      assert.match(reason(sql, "write") ?? "", /is blocked: it is the/, sql);
  });

  it("blocks PRAGMAs that set or do something", () => {
    for (const sql of [
      "PRAGMA user_version = 5",
      "PRAGMA user_version(5)",
      "PRAGMA main.journal_mode = DELETE",
      "PRAGMA wal_checkpoint",
      "PRAGMA wal_checkpoint(TRUNCATE)",
      "PRAGMA optimize",
      "PRAGMA writable_schema",
      "PRAGMA /* table_info(t) */ writable_schema = 1",
      "PRAGMA",
    ]) {
      assert.match(reason(sql) ?? "", /PRAGMA.* is blocked/, sql);
    }
    assert.match(reason("PRAGMA table_info(t)", "write") ?? "", /choose the mode read/);
  });

  it("wants the right mode", () => {
    for (const sql of WRITES.filter((sql) => !/^WITH/.test(sql))) {
      assert.match(reason(sql) ?? "", /choose the mode write/, sql);
    }
    assert.match(reason("SELECT 1", "write") ?? "", /choose the mode read/);
    assert.match(reason("EXPLAIN SELECT 1", "write") ?? "", /choose the mode read/);
  });

  it("blocks a second statement, wherever comments and quotes stand", () => {
    for (const sql of [
      "SELECT 1; SELECT 2",
      "SELECT 1;DROP TABLE t",
      "SELECT ';' ; /* a */ DROP TABLE t",
      "SELECT 1 -- ;\n; VACUUM",
      "SELECT 1 --\r; VACUUM\n; VACUUM",
      "SELECT 'a'';' ; VACUUM --'",
      "SELECT 1 /* /* */ ; VACUUM /* */",
      'SELECT "a;" ; VACUUM',
      ";; SELECT 1",
    ]) {
      assert.equal(reason(sql), "Only one statement runs at a time.", sql);
    }
  });

  it("finds the verb behind comments and in any case", () => {
    for (const sql of [
      "/* SELECT 1 */ dRoP TABLE t",
      "--SELECT 1\n drop TABLE t",
      "\t\n\f/**/--\nDROP TABLE t",
    ]) {
      assert.match(reason(sql) ?? "", /^DROP is blocked/, sql);
    }
    assert.match(reason("EXPLAIN CREATE TABLE t (a)") ?? "", /^CREATE is blocked/);
  });

  it("blocks what is no statement, and what cannot be read to its end", () => {
    for (const sql of [
      "",
      "  ",
      "-- only a comment",
      "/* open",
      ";",
      "(SELECT 1)",
      "123",
      "HELLO",
      "\u00a0SELECT 1",
    ]) {
      assert.notEqual(reason(sql), null, sql);
    }
    for (const sql of ["SELECT 'a", 'SELECT "a', "SELECT `a", "SELECT [a"]) {
      assert.match(reason(sql) ?? "", /never closed/, sql);
    }
    assert.match(reason("SELECT 1 \0; DROP TABLE t") ?? "", /NUL/);
  });

  it("blocks every forbidden verb, wrapped in any comments and spaces, in any case", () => {
    const space = fc.stringMatching(/^(?:[ \t\n\r\f]|--[a-z';"]*\n|\/\*[a-z';"\n -]*\*\/)*$/);
    fc.assert(
      fc.property(
        space,
        fc.constantFrom(...BLOCKED_VERBS),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        space,
        (before, sql, upper, between) => {
          const [verb = "", ...rest] = sql.split(" ");
          const mixed = [...verb].map((c, i) => (upper[i] ? c.toUpperCase() : c.toLowerCase())).join("");
          const text = `${before}${mixed} ${between}${rest.join(" ")}`;
          assert.match(reason(text) ?? "", /is blocked/);
        },
      ),
    );
  });

  it("reads a string and a quoted name as one token, whatever they hold", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }).filter((text) => !text.includes("\0")),
        (text) => {
          const quoted = `'${text.replaceAll("'", "''")}'`;
          const tokens = tokenize(`z${quoted}y`);
          assert.deepEqual(
            tokens.map(({ kind }) => kind),
            ["word", "string", "word"],
          );
          assert.equal(bareName(tokens[1]!), text);
          assert.ok(tokens.every(isClosed));
          assert.ok(!tokenize(quoted.slice(0, -1)).every(isClosed));
          assert.equal(reason(`SELECT ${quoted}`), null);
          assert.match(reason(`SELECT ${quoted.slice(0, -1)}`) ?? "", /never closed/);
        },
      ),
    );
  });
});
