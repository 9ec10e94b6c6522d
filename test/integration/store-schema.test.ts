/** @module What a schema may say and how it may change, message by message (contract corrosion, section 9). */
import assert from "node:assert/strict";
import { SchemaRefused } from "../../corrosion/embedded/store/contract.ts";
import { type Agent, exchange, StoreFolder } from "../helpers/stores.ts";

const BASE = "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a TEXT NOT NULL DEFAULT '', b)";

describe("a schema", () => {
  let folder: StoreFolder;
  let agent: Agent;

  beforeEach(() => {
    folder = new StoreFolder();
    agent = folder.agent("a");
  });
  afterEach(() => folder.remove());

  const schema = () =>
    agent.rows("SELECT tbl_name, type, name, sql, source FROM __corro_schema ORDER BY 1, 2, 3");
  const refuses = (message: string | RegExp, ...files: string[]) => {
    const before = schema();
    assert.throws(
      () => agent.store.applySchema(files),
      (error) => {
        assert.ok(error instanceof SchemaRefused, String(error));
        if (typeof message === "string") assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      },
    );
    assert.deepEqual(schema(), before);
  };

  const NO_KEY =
    "Table t has no primary key or primary key is nullable. CRRs must have a non nullable primary key";
  const rules: [title: string, sql: string, message: string | RegExp][] = [
    ["INSERT", "INSERT INTO t VALUES (1)", "unsupported command: INSERT INTO t VALUES (1)"],
    ["a view", "CREATE VIEW v AS SELECT 1", "unsupported command: CREATE VIEW v AS SELECT 1"],
    ["DROP", "DROP TABLE t", "unsupported command: DROP TABLE t"],
    [
      "a trigger",
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
      /^unsupported command: CREATE TRIGGER/,
    ],
    ["a virtual table", "CREATE VIRTUAL TABLE v USING fts5(a)", /^unsupported command: /],
    [
      "a temporary table",
      "CREATE TEMP TABLE t (id NOT NULL PRIMARY KEY)",
      /^temporary tables are not supported: /,
    ],
    ["AS SELECT", "CREATE TABLE t AS SELECT 1", /^tables made by AS SELECT are not supported: /],
    ["a unique index", `${BASE}; CREATE UNIQUE INDEX x ON t (a)`, "unique indexes are not supported: x"],
    [
      "UNIQUE on a column",
      "CREATE TABLE t (id NOT NULL PRIMARY KEY, a UNIQUE)",
      /^unique indexes are not supported: /,
    ],
    [
      "UNIQUE on a table",
      "CREATE TABLE t (id NOT NULL PRIMARY KEY, a, UNIQUE (a))",
      /^unique indexes are not supported: /,
    ],
    [
      "an index on an unknown table",
      "CREATE INDEX i ON u (a)",
      "missing table for index (table: 'u', index: 'i')",
    ],
    [
      "NOT NULL without DEFAULT",
      "CREATE TABLE t (id NOT NULL PRIMARY KEY, c TEXT NOT NULL)",
      "not nullable column 'c' on table 't' needs a default value for forward schema compatibility",
    ],
    [
      "REFERENCES on a column",
      "CREATE TABLE t (id NOT NULL PRIMARY KEY, c REFERENCES u (id))",
      "foreign keys are not supported (table: 't', column: 'c')",
    ],
    [
      "REFERENCES on a table",
      "CREATE TABLE t (id NOT NULL PRIMARY KEY, c, FOREIGN KEY (c) REFERENCES u (id))",
      "foreign keys are not supported (table: 't', column: 'c')",
    ],
    ["no key", "CREATE TABLE t (a)", NO_KEY],
    ["a nullable key", "CREATE TABLE t (id TEXT PRIMARY KEY, a)", NO_KEY],
    ["a nullable integer key", "CREATE TABLE t (id INTEGER PRIMARY KEY, a)", NO_KEY],
    ["a partly nullable key", "CREATE TABLE t (a NOT NULL, b, PRIMARY KEY (a, b))", NO_KEY],
    [
      "an expression in the key",
      "CREATE TABLE t (a NOT NULL, PRIMARY KEY (a + 1))",
      /expressions prohibited in PRIMARY KEY/,
    ],
    [
      "a key without bytewise order",
      "CREATE TABLE t (a TEXT COLLATE NOCASE NOT NULL PRIMARY KEY)",
      /^key column 'a' of table 't' has the collation NOCASE/,
    ],
    ["a name of the agent's own", "CREATE TABLE __corro_t (a NOT NULL PRIMARY KEY)", /the agent's own$/],
    ["what SQLite cannot read", "CREATE TABLE t (id NOT NULL PRIMARY KEY,, a)", /syntax error/],
    ["two tables of one name", `${BASE}; CREATE TABLE T (id NOT NULL PRIMARY KEY)`, /defined twice/],
  ];
  for (const [title, sql, message] of rules) {
    it(`with ${title} is refused, and nothing of it is kept`, () => {
      refuses(message, "CREATE TABLE before (id NOT NULL PRIMARY KEY)", sql);
      assert.deepEqual(agent.store.tables(), []);
    });
  }

  const changes: [title: string, sql: string, message: string | RegExp][] = [
    [
      "removing a column",
      "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a TEXT NOT NULL DEFAULT '')",
      "won't remove column without the destructive flag set (table: 't', column: 'b')",
    ],
    [
      "changing a column's type",
      BASE.replace("a TEXT", "a BLOB"),
      "won't change column without the destructive flag set (table: 't', column: 'a')",
    ],
    [
      "changing a default",
      BASE.replace("DEFAULT ''", "DEFAULT 'x'"),
      "won't change column without the destructive flag set (table: 't', column: 'a')",
    ],
    [
      "adding to the key",
      "CREATE TABLE t (id INTEGER NOT NULL, a TEXT NOT NULL DEFAULT '', b, c NOT NULL, PRIMARY KEY (id, c))",
      "can't add a primary key (table: 't', columns: 'c')",
    ],
    [
      "changing the key",
      "CREATE TABLE t (id INTEGER NOT NULL, a TEXT NOT NULL DEFAULT '', b, PRIMARY KEY (id, a))",
      "can't modify primary keys (table: 't')",
    ],
    [
      "a new NOT NULL column without DEFAULT",
      `${BASE.slice(0, -1)}, c NOT NULL)`,
      /^not nullable column 'c' on table 't' needs a default/,
    ],
  ];
  for (const [title, sql, message] of changes) {
    it(`does not take ${title}, nor anything else of the same files`, () => {
      agent.store.applySchema([BASE]);
      agent.run("INSERT INTO t (id, a, b) VALUES (1, 'x', 'y')");
      refuses(message, "CREATE TABLE other (id NOT NULL PRIMARY KEY)", sql);
      assert.deepEqual(
        agent.store.tables().map(({ name }) => name),
        ["t"],
      );
      agent.run("UPDATE t SET b = 'z'");
      assert.deepEqual(agent.clocks("t", 1n), ["a:1/1", "b:2/1"]);
    });
  }

  it("may use WITHOUT ROWID, CHECK, generated columns, composite keys, STRICT, quotes and double-quoted strings", () => {
    agent.store.applySchema([
      `CREATE TABLE IF NOT EXISTS "odd ""name" (
        x INTEGER NOT NULL, "group" TEXT NOT NULL, /* a comment, with a comma */ v TEXT DEFAULT "", -- and another
        w INTEGER DEFAULT (1 + 2) CHECK (w > 0), [sum] INTEGER AS (x + w), PRIMARY KEY ("group", x), CHECK (x > 0)
      ) WITHOUT ROWID, STRICT`,
      'CREATE INDEX "odd index" ON "odd ""name" (v) WHERE v <> \'\'',
    ]);
    const [table] = agent.store.tables();
    assert.deepEqual(table, {
      name: 'odd "name',
      keys: ["group", "x"],
      columns: ["x", "group", "v", "w", "sum"],
    });
    agent.run(`INSERT INTO "odd ""name" (x, "group") VALUES (1, 'g')`);
    assert.deepEqual(agent.clocks('odd "name', "g", 1n), ["v:1/1", "w:1/1"]);
    assert.deepEqual(agent.rows("SELECT val FROM crsql_changes WHERE cid = 'v'"), [{ val: "" }]);
  });

  it("that says the same in other words changes nothing", () => {
    agent.store.applySchema([BASE]);
    const before = agent.rows("PRAGMA schema_version");
    agent.store.applySchema([
      "create table IF NOT EXISTS t (\n id INTEGER not null primary key, -- the key\n a TEXT NOT NULL default '',b )",
    ]);
    assert.deepEqual(agent.rows("PRAGMA schema_version"), before);
  });

  it("tells what it is in __corro_schema, as SQLite keeps it", () => {
    agent.store.applySchema([BASE, "CREATE INDEX t_a ON t (a)"]);
    assert.deepEqual(schema(), [
      { tbl_name: "t", type: "index", name: "t_a", sql: "CREATE INDEX t_a ON t (a)", source: "api" },
      { tbl_name: "t", type: "table", name: "t", sql: BASE, source: "api" },
    ]);
  });

  it("keeps a table that the files leave out", () => {
    agent.store.applySchema([BASE]);
    agent.store.applySchema(["CREATE TABLE u (id NOT NULL PRIMARY KEY)"]);
    agent.run("INSERT INTO t (id) VALUES (1)", "INSERT INTO u VALUES (1)");
    assert.equal(agent.committed[0]?.touched.length, 2);
  });

  it("gains a column that existing rows have and that replicates", () => {
    const other = folder.agent("b");
    for (const { store } of [agent, other]) store.applySchema([BASE]);
    agent.run("INSERT INTO t (id) VALUES (1)");
    exchange(agent, other);
    const wider = `${BASE.slice(0, -1)}, c INTEGER NOT NULL DEFAULT 7)`;
    for (const { store } of [agent, other]) store.applySchema([wider]);
    assert.deepEqual(agent.rows("SELECT c FROM t"), [{ c: 7n }]);
    agent.run("UPDATE t SET c = 8");
    agent.run("INSERT INTO t (id) VALUES (2)");
    exchange(agent, other);
    assert.deepEqual(other.rows("SELECT id, c FROM t"), [
      { id: 1n, c: 8n },
      { id: 2n, c: 7n },
    ]);
    assert.deepEqual(other.clocks("t", 2n), ["a:1/1", "b:1/1", "c:1/1"]);
    agent.store.applySchema([wider]);
  });

  it("gains, changes and loses plain indexes, and leaves those of others alone", () => {
    agent.store.applySchema([`${BASE}; CREATE INDEX one ON t (a); CREATE INDEX two ON t (b)`]);
    agent.run("CREATE INDEX local ON t (a, b)");
    agent.store.applySchema([
      `${BASE}; CREATE INDEX two ON t (b DESC); CREATE INDEX three ON t (a) WHERE a <> ''`,
    ]);
    const indexes =
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 't' ORDER BY name";
    assert.deepEqual(agent.rows(indexes), [
      { name: "local", sql: "CREATE INDEX local ON t (a, b)" },
      { name: "three", sql: "CREATE INDEX three ON t (a) WHERE a <> ''" },
      { name: "two", sql: "CREATE INDEX two ON t (b DESC)" },
    ]);
    assert.deepEqual(
      schema().map(({ name }) => name),
      ["three", "two", "t"],
    );
  });

  it("adopts a plain table with the same columns, and its rows replicate", () => {
    agent.run(
      BASE,
      "INSERT INTO t (id, a, b) VALUES (1, 'x', 2), (2, 'y', NULL)",
      "CREATE INDEX t_a ON t (a)",
    );
    agent.store.applySchema([`${BASE}; CREATE INDEX t_a ON t (a)`]);
    assert.deepEqual(
      [agent.clocks("t", 1n), agent.clocks("t", 2n)],
      [
        ["a:1/1", "b:1/1"],
        ["a:1/1", "b:1/1"],
      ],
    );
    assert.equal(agent.committed.length, 1);
    const other = folder.agent("b");
    other.store.applySchema([BASE]);
    exchange(agent, other);
    assert.deepEqual(other.rows("SELECT * FROM t"), agent.rows("SELECT * FROM t"));
  });

  it("does not adopt a plain table with other columns or another key", () => {
    agent.run("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a)");
    refuses(/^existing schema for table 't' columns mismatched, expected: .*b, got: .*a$/, BASE);
    refuses(
      /^existing schema for table 't' primary keys mismatched, expected: a, got: id$/,
      "CREATE TABLE t (id INTEGER, a NOT NULL PRIMARY KEY)",
    );
  });

  it("is there again when the store is opened again, triggers too", () => {
    agent.store.applySchema([BASE]);
    agent.close();
    const again = folder.agent("a");
    assert.deepEqual(again.store.tables(), [{ name: "t", keys: ["id"], columns: ["id", "a", "b"] }]);
    assert.equal(again.run("INSERT INTO t (id) VALUES (1)").version, 1n);
  });
});
