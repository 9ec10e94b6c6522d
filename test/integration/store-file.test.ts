/** @module The file of a store: what survives a killed process, whose it is, what is no store, backups, readers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { openReader } from "../../corrosion/embedded/store/connection.ts";
import { type StoredMember, StoreUnusable } from "../../corrosion/embedded/store/contract.ts";
import { backupStore, restoreStore } from "../../corrosion/embedded/store/identity.ts";
import { openStore } from "../../corrosion/embedded/store/store.ts";
import { Agent, exchange, StoreFolder } from "../helpers/stores.ts";
import { until } from "../helpers/until.ts";

const WRITER = fileURLToPath(new URL("../helpers/store-writer.ts", import.meta.url));
const PAIR = "CREATE TABLE pair (id TEXT NOT NULL PRIMARY KEY, half INTEGER)";
const SCHEMA = "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a)";

describe("a store's file", () => {
  let folder: StoreFolder;
  beforeEach(() => {
    folder = new StoreFolder();
  });
  afterEach(() => folder.remove());

  const agent = (name: string) => {
    const opened = folder.agent(name);
    opened.store.applySchema([SCHEMA]);
    return opened;
  };

  it("has everything acknowledged, and no half of a transaction, after kill -9 of the writing process", async () => {
    let acknowledged = 0;
    for (let life = 0; life < 3; life += 1) {
      const child = spawn(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        WRITER,
        folder.file("k"),
        PAIR,
      ]);
      let [output, errors] = ["", ""];
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        errors += text;
      });
      const closed = once(child, "close");
      await until(
        `the writer has written\n${errors}`,
        () => output.split("\n").length > 200 || child.exitCode !== null,
      );
      child.kill("SIGKILL");
      await closed;
      acknowledged = Number(output.slice(0, output.lastIndexOf("\n")).split("\n").at(-1));
      const after = folder.agent("k");
      const [head] = after.rows("SELECT crsql_db_version() AS version, (SELECT count(*) FROM pair) AS rows");
      assert.ok(Number(head?.version) >= acknowledged, `${head?.version} of ${acknowledged} acknowledged`);
      // One transaction may have been committed and not yet printed.
      assert.ok(Number(head?.version) <= acknowledged + 1);
      assert.equal(head?.rows, 2n * BigInt(String(head?.version)));
      assert.deepEqual(
        after.rows("SELECT count(*) AS n FROM (SELECT half FROM pair GROUP BY half HAVING count(*) % 2)"),
        [{ n: 0n }],
      );
      assert.deepEqual(
        after.rows("SELECT count(DISTINCT db_version) AS versions, count(*) AS changes FROM crsql_changes"),
        [{ versions: head?.version, changes: head?.rows }],
      );
      assert.equal(after.store.held(after.id, BigInt(acknowledged), 1e6).kind, "chunks");
      after.close();
    }
    assert.ok(acknowledged > 500);
  });

  it("says what it is, and keeps its actor id", () => {
    const first = folder.agent("a");
    assert.deepEqual(first.rows("SELECT value FROM __corro_state WHERE key = 'agent'"), [
      { value: "embedded development agent" },
    ]);
    assert.deepEqual(first.rows("SELECT lower(hex(site_id)) AS id, ordinal FROM crsql_site_id"), [
      { id: first.id, ordinal: 0n },
    ]);
    assert.match(first.id, /^[0-9a-f]{32}$/);
    first.close();
    assert.equal(folder.agent("a").id, first.id);
    assert.notEqual(folder.agent("b").id, first.id);
  });

  it("of something else is refused and left alone", () => {
    const path = folder.file("other");
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE __corro_state (key, value); CREATE TABLE mine (x)");
    other.close();
    writeFileSync(folder.file("text"), "this is no database, however long it may be ".repeat(50));
    for (const [name, message] of [
      ["other", /not a database of an embedded development agent/],
      ["text", /file is not a database/],
    ] as const) {
      const before = readFileSync(folder.file(name));
      assert.throws(
        () => openStore({ path: folder.file(name) }),
        (error) => error instanceof StoreUnusable && message.test(error.message),
      );
      assert.throws(() => openReader(folder.file(name)), StoreUnusable);
      assert.deepEqual(readFileSync(folder.file(name)), before);
    }
    for (const path of ["", ":memory:", "/nowhere/at/all.db"])
      assert.throws(() => openStore({ path }), StoreUnusable);
    assert.throws(() => openReader(folder.file("missing")), /there is no database at/);
    assert.ok(!existsSync(folder.file("missing")));
  });

  it("of an older layout is refused with a sentence", () => {
    folder.agent("a").close();
    const db = new DatabaseSync(folder.file("a"));
    db.exec("UPDATE __corro_state SET value = 99 WHERE key = 'schema_version'");
    db.close();
    assert.throws(
      () => openStore({ path: folder.file("a") }),
      /another release of the embedded development agent/,
    );
  });

  it("ends without a log behind it when the store is closed", () => {
    const first = agent("a");
    first.run("INSERT INTO t (id) VALUES (1)");
    first.close();
    assert.ok(!existsSync(`${folder.file("a")}-wal`) || statSync(`${folder.file("a")}-wal`).size === 0);
  });

  it("is read by connections that cannot write, with the functions of the agent", () => {
    const first = agent("a");
    first.run("INSERT INTO t (id) VALUES (1)");
    const reader = folder.reader("a");
    assert.throws(() => reader.exec("DELETE FROM t"), /readonly/);
    const row = reader
      .prepare(
        `SELECT lower(hex(crsql_site_id())) AS site, crsql_db_version() AS version, crsql_version() AS crsql,
          hex(crsql_pack_columns(1, 'abc', NULL, 1.5)) AS packed`,
      )
      .get();
    assert.deepEqual(
      { ...row },
      { site: first.id, version: 1n, crsql: 170_000n, packed: "0409010B0361626305023FF8000000000000" },
    );
    first.run("DELETE FROM t");
    assert.deepEqual({ ...reader.prepare("SELECT crsql_db_version() AS version").get() }, { version: 2n });
    assert.deepEqual(
      reader
        .prepare("SELECT * FROM crsql_changes")
        .columns()
        .map(({ name }) => name),
      ["table", "pk", "cid", "val", "col_version", "db_version", "site_id", "cl", "seq", "ts"],
    );
  });

  const contained: [selector: string, object: string, expected: bigint][] = [
    ["{}", '{"a":1}', 1n],
    ['{"a":1}', "{}", 0n],
    ['{"a":{"b":2}}', '{"a":{"b":2,"c":3},"d":4}', 1n],
    ['{"a":{"b":2}}', '{"a":{"b":3}}', 0n],
    ['{"a":[1,2]}', '{"a":[1,2]}', 1n],
    ['{"a":[1]}', '{"a":[1,2]}', 0n],
    ['[{"a":1}]', '[{"a":1,"b":2}]', 0n],
    ["1", "1", 1n],
    ["1", "1.0", 0n],
    ['{"a":null}', "{}", 0n],
    ['{"a":9007199254740993}', '{"a":9007199254740992}', 0n],
    ["{}", "[]", 0n],
  ];
  it("compares JSON as the real agent does", () => {
    agent("a");
    const query = folder.reader("a").prepare("SELECT corro_json_contains(?, ?) AS yes");
    for (const [selector, object, expected] of contained) {
      assert.equal(query.get(selector, object)?.yes, expected, `${selector} in ${object}`);
    }
    assert.throws(() => query.get("{", "{}"), /JSON/);
    assert.throws(() => query.get(1, "{}"), /two JSON texts/);
  });

  it("remembers members, self left out, for two days after they were last listed", () => {
    let now = Date.UTC(2026, 0, 1);
    const path = folder.file("m");
    const first = new Agent({ path, now: () => now });
    const member = (id: number, fields: Partial<StoredMember> = {}): StoredMember => ({
      actorId: String(id).padStart(32, "0"),
      address: `127.0.0.1:${8786 + id}`,
      state: "Alive",
      incarnation: 3,
      ts: 7_413_000_000_000_000_123n,
      rttMin: 2,
      ...fields,
    });
    first.store.writeMembers([
      member(1),
      member(2, { state: "Down", rttMin: null }),
      member(0, { actorId: first.id }),
    ]);
    assert.deepEqual(first.store.readMembers(), [member(1), member(2, { state: "Down", rttMin: null })]);
    assert.deepEqual(
      first.rows(
        "SELECT json_extract(foca_state, '$.state') AS state, json_extract(foca_state, '$.id.ts') AS ts, updated_at FROM __corro_members LIMIT 1",
      ),
      [{ state: "Alive", ts: 7_413_000_000_000_000_123n, updated_at: "2026-01-01 00:00:00.000+00:00" }],
    );
    now += 47 * 3600 * 1000;
    first.store.writeMembers([member(1, { state: "Suspect", rttMin: null })]);
    assert.deepEqual(
      first.store.readMembers().map(({ state, rttMin }) => [state, rttMin]),
      [
        ["Suspect", 2],
        ["Down", null],
      ],
    );
    now += 2 * 3600 * 1000;
    first.store.writeMembers([]);
    assert.deepEqual(
      first.store.readMembers().map(({ actorId }) => actorId),
      [member(1).actorId],
    );
    first.close();
  });

  it("keeps its cluster id", () => {
    const first = folder.agent("a");
    assert.equal(first.store.clusterId, 0);
    first.store.setClusterId(7);
    first.close();
    assert.equal(folder.agent("a").store.clusterId, 7);
  });

  describe("backed up", () => {
    const member: StoredMember = {
      actorId: "01".repeat(16),
      address: "127.0.0.1:1",
      state: "Alive",
      incarnation: 0,
      ts: 1n,
      rttMin: null,
    };
    let first: Agent;
    let other: Agent;

    beforeEach(() => {
      first = agent("a");
      other = agent("b");
      other.run("INSERT INTO t (id, a) VALUES (9, 'other')");
      first.run("INSERT INTO t (id, a) VALUES (1, 'x')");
      first.store.writeMembers([member]);
      exchange(other, first);
      first.store.backupTo(folder.file("backup"));
    });

    const rows = (of: Agent) => of.rows("SELECT * FROM t ORDER BY id");

    it("belongs to nobody: the own id is an origin as others are, members are gone, the source is as it was", () => {
      const copy = new DatabaseSync(folder.file("backup"), { readBigInts: true });
      const sites = copy
        .prepare("SELECT lower(hex(site_id)) AS id FROM crsql_site_id WHERE ordinal > 0 ORDER BY id")
        .all();
      assert.deepEqual(
        sites.map(({ id }) => id),
        [first.id, other.id].sort(),
      );
      assert.equal(copy.prepare("SELECT count(*) AS n FROM crsql_site_id WHERE ordinal = 0").get()?.n, 0n);
      assert.equal(copy.prepare("SELECT count(*) AS n FROM __corro_members").get()?.n, 0n);
      copy.close();
      assert.deepEqual(first.store.readMembers(), [member]);
      assert.throws(() => first.store.backupTo(folder.file("backup")), /exists already/);
      backupStore(folder.file("a"), folder.file("backup2"));
      assert.ok(existsSync(folder.file("backup2")));
    });

    it("can be restored as a new agent, which has all rows and writes versions of its own", () => {
      const id = restoreStore(folder.file("backup"), folder.file("c"), { kind: "new" });
      const restored = folder.agent("c");
      assert.equal(restored.id, id);
      assert.ok(![first.id, other.id].includes(id));
      assert.deepEqual(rows(restored), rows(first));
      assert.equal(restored.run("UPDATE t SET a = 'later' WHERE id = 1").version, 1n);
      exchange(restored, first);
      assert.deepEqual(rows(first), rows(restored));
      assert.deepEqual(restored.store.known().get(first.id), { head: 1n, need: [], partial: [] });
    });

    it("can be restored as the agent that it came from, whose versions go on", () => {
      first.run("INSERT INTO t (id) VALUES (2)");
      first.close();
      assert.equal(restoreStore(folder.file("backup"), folder.file("a"), { kind: "self" }), first.id);
      const restored = folder.agent("a");
      assert.equal(restored.id, first.id);
      assert.deepEqual(restored.rows("SELECT id FROM t ORDER BY id"), [{ id: 1n }, { id: 9n }]);
      assert.deepEqual(restored.rows("SELECT lower(hex(site_id)) AS id FROM crsql_changes WHERE val = 'x'"), [
        { id: first.id },
      ]);
      assert.equal(restored.run("DELETE FROM t WHERE id = 1").version, 2n);
    });

    it("can be restored as any agent that is named", () => {
      restoreStore(folder.file("backup"), folder.file("c"), { kind: "actor", actorId: other.id });
      const restored = folder.agent("c");
      assert.equal(restored.id, other.id);
      assert.equal(restored.run("DELETE FROM t WHERE id = 9").version, 2n);
    });

    it("is opened as an agent of its own when nobody restores it", () => {
      const opened = folder.agent("backup");
      assert.ok(![first.id, other.id].includes(opened.id));
      assert.equal(opened.run("DELETE FROM t").version, 1n);
    });

    it("is not restored from what is no backup, and the target stays", () => {
      writeFileSync(folder.file("text"), "no database ".repeat(100));
      assert.throws(
        () => restoreStore(folder.file("text"), folder.file("b"), { kind: "new" }),
        StoreUnusable,
      );
      assert.throws(
        () => restoreStore(folder.file("backup"), folder.file("none"), { kind: "self" }),
        /there is no database/,
      );
      assert.equal(other.rows("SELECT count(*) AS n FROM t")[0]?.n, 1n);
    });
  });

  it("takes a new identity: what it wrote is another origin's, and its versions start again", () => {
    const first = agent("a");
    const other = agent("b");
    first.run("INSERT INTO t (id, a) VALUES (1, 'x')");
    const old = first.id;
    const fresh = first.store.newIdentity();
    assert.equal(first.id, fresh);
    assert.notEqual(fresh, old);
    assert.equal(first.run("INSERT INTO t (id, a) VALUES (2, 'y')").version, 1n);
    exchange(first, other);
    assert.deepEqual(other.rows("SELECT * FROM t ORDER BY id"), first.rows("SELECT * FROM t ORDER BY id"));
    assert.deepEqual([...other.store.known().keys()].sort(), [old, fresh].sort());
    first.close();
    assert.equal(folder.agent("a").id, fresh);
  });
});
