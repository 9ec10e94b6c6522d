/** @module What a local write does to the clocks, row by row of the contract's table (corrosion, section 8). */
import assert from "node:assert/strict";
import { type Agent, StoreFolder, statement } from "../helpers/stores.ts";

const SCHEMA = `
  CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a, b TEXT NOT NULL DEFAULT 'b', g AS (a || b));
  CREATE TABLE pair (x TEXT NOT NULL, y INTEGER NOT NULL, v, PRIMARY KEY (y, x)) WITHOUT ROWID;
  CREATE TABLE bare (k NOT NULL PRIMARY KEY);
`;

describe("a local write", () => {
  let folder: StoreFolder;
  let agent: Agent;
  const clocks = (id: bigint) => agent.clocks("t", id);

  beforeEach(() => {
    folder = new StoreFolder();
    agent = folder.agent("a");
    agent.store.applySchema([SCHEMA]);
  });
  afterEach(() => folder.remove());

  it("INSERT gives each column that is neither key nor generated version 1, defaults too", () => {
    assert.equal(agent.run("INSERT INTO t (id) VALUES (1)").version, 1n);
    assert.deepEqual(clocks(1n), ["a:1/1", "b:1/1"]);
    assert.deepEqual(agent.rows("SELECT cid, val FROM crsql_changes ORDER BY seq"), [
      { cid: "a", val: null },
      { cid: "b", val: "b" },
    ]);
  });

  it("INSERT into a table of nothing but keys gives the sentinel 1", () => {
    agent.run("INSERT INTO bare VALUES ('x')");
    assert.deepEqual(agent.clocks("bare", "x"), ["-1:1/1"]);
  });

  it("UPDATE raises only the columns whose values really changed", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 5)");
    agent.run("UPDATE t SET a = 6, b = 'b'");
    assert.deepEqual(clocks(1n), ["a:2/1", "b:1/1"]);
  });

  it("a value of another type is another value, 1 and 1.0 too", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    agent.run("UPDATE t SET a = 1.0");
    agent.run("UPDATE t SET a = '1'");
    assert.deepEqual(clocks(1n), ["a:3/1", "b:1/1"]);
  });

  it("an update to the same values counts rows and makes no version", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    const { results, version } = agent.run("UPDATE t SET a = 1");
    assert.deepEqual([results[0]?.rowsAffected, version], [1, null]);
    assert.equal(agent.run("DELETE FROM t WHERE id = 9").version, null);
    assert.equal(agent.committed.length, 1);
    assert.equal(agent.run("UPDATE t SET a = 2").version, 2n);
  });

  it("UPSERT raises what it changed", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    agent.run("INSERT INTO t (id, a) VALUES (1, 2) ON CONFLICT DO UPDATE SET a = excluded.a");
    assert.deepEqual(clocks(1n), ["a:2/1", "b:1/1"]);
  });

  it("DELETE leaves an even sentinel and no columns, INSERT again an odd one and columns at 1", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    agent.run("UPDATE t SET a = 2");
    agent.run("DELETE FROM t");
    assert.deepEqual(clocks(1n), ["-1:2/2"]);
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    assert.deepEqual(clocks(1n), ["-1:3/3", "a:1/3", "b:1/3"]);
    agent.run("DELETE FROM t");
    assert.deepEqual(clocks(1n), ["-1:4/4"]);
  });

  it("INSERT OR REPLACE over a row deletes and inserts", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    agent.run("INSERT OR REPLACE INTO t (id, a) VALUES (1, 1)");
    assert.deepEqual(clocks(1n), ["-1:3/3", "a:1/3", "b:1/3"]);
  });

  it("UPDATE of the key deletes the old key; the new one has sentinel 1 and columns one higher", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1)");
    agent.run("UPDATE t SET id = 2");
    assert.deepEqual(clocks(1n), ["-1:2/2"]);
    assert.deepEqual(clocks(2n), ["-1:1/1", "a:2/1", "b:2/1"]);
    agent.run("UPDATE t SET id = 1");
    assert.deepEqual(clocks(1n), ["-1:3/3", "a:3/3", "b:3/3"]);
  });

  it("UPDATE OR REPLACE of the key deletes the row in its way", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 1), (2, 2)");
    agent.run("UPDATE OR REPLACE t SET id = 2 WHERE id = 1");
    assert.deepEqual(clocks(2n), ["-1:3/3", "a:2/3", "b:2/3"]);
  });

  it("a row that comes and goes in one transaction leaves a deleted one", () => {
    agent.run("INSERT INTO t (id) VALUES (1)", "DELETE FROM t");
    assert.deepEqual(clocks(1n), ["-1:2/2"]);
  });

  it("a transaction is one version, its seqs run from 0, and only what is last stands", () => {
    agent.run(
      "INSERT INTO t (id, a) VALUES (1, 1)",
      "UPDATE t SET a = 2",
      "INSERT INTO bare VALUES (7)",
      "UPDATE t SET a = 3",
    );
    const rows = agent.rows("SELECT cid, val, col_version, db_version, seq FROM crsql_changes ORDER BY seq");
    assert.deepEqual(rows, [
      { cid: "b", val: "b", col_version: 1n, db_version: 1n, seq: 0n },
      { cid: "a", val: 3n, col_version: 3n, db_version: 1n, seq: 1n },
      { cid: "-1", val: null, col_version: 1n, db_version: 1n, seq: 2n },
    ]);
    assert.equal(agent.committed.length, 1);
  });

  it("a transaction that fails leaves rows, clocks and the next version as they were", () => {
    agent.run("INSERT INTO t (id) VALUES (1)");
    for (const failing of [
      "INSERT INTO t (id) VALUES (2)",
      "INSERT OR ROLLBACK INTO t (id) VALUES (2)",
      "SELECT 1",
    ]) {
      assert.throws(() => agent.run("INSERT INTO t (id) VALUES (2)", "DELETE FROM t WHERE id = 1", failing));
    }
    assert.deepEqual(agent.rows("SELECT id FROM t"), [{ id: 1n }]);
    assert.deepEqual([clocks(1n), clocks(2n)], [["a:1/1", "b:1/1"], []]);
    assert.equal(agent.run("INSERT INTO t (id) VALUES (2)").version, 2n);
    assert.equal(agent.committed.length, 2);
  });

  it("composite keys are packed in key order, and text in an integer key stays text", () => {
    agent.run(statement("INSERT INTO pair (x, y, v) VALUES (?, ?, ?)", "k", "no number", 1n));
    assert.deepEqual(agent.clocks("pair", "no number", "k"), ["v:1/1"]);
    agent.run("UPDATE pair SET v = 2");
    assert.deepEqual(agent.clocks("pair", "no number", "k"), ["v:2/1"]);
  });

  it("the keys 1 and 1.0 are one row", () => {
    agent.run(statement("INSERT INTO bare VALUES (?)", 1n));
    agent.run(statement("DELETE FROM bare WHERE k = ?", 1));
    agent.run(statement("INSERT INTO bare VALUES (?)", 1));
    assert.deepEqual(agent.clocks("bare", 1n), ["-1:3/3"]);
  });

  it("a bulk write is one version and cut into chunks that cover its seqs without a hole", () => {
    agent.run(
      "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t (id, a) SELECT i, hex(zeroblob(50)) FROM n",
    );
    assert.ok(agent.chunks.length > 5);
    let next = 0;
    for (const { startSeq, endSeq, lastSeq, changes } of agent.chunks) {
      assert.equal(startSeq, next);
      assert.equal(lastSeq, 5999);
      assert.deepEqual(
        changes.map(({ seq }) => seq),
        Array.from({ length: endSeq - startSeq + 1 }, (_, i) => startSeq + i),
      );
      next = endSeq + 1;
    }
    assert.equal(next, 6000);
  });

  it("its time never goes back, whatever the wall clock does and over restarts", () => {
    let now = 1_000_000_500;
    const first = folder.agent("clock", { now: () => now });
    first.store.applySchema([SCHEMA]);
    first.run("INSERT INTO bare VALUES (1)");
    now -= 60_000;
    first.run("DELETE FROM bare");
    first.close();
    now -= 60_000;
    const second = folder.agent("clock", { now: () => now });
    second.run("INSERT INTO bare VALUES (1)");
    const times = [...first.chunks, ...second.chunks].map(({ ts }) => ts);
    assert.equal(times[0], (1_000_000n << 32n) | (1n << 31n));
    assert.equal(times[1], (times[0] ?? 0n) + 1n);
    const gap = (times[2] ?? 0n) - (times[1] ?? 0n);
    assert.ok(gap > 0n && gap < 1n << 31n, "a restart is at most half a second");
    assert.deepEqual(second.rows("SELECT DISTINCT ts FROM crsql_changes"), [{ ts: String(times[2]) }]);
  });
});
