/** @module Chunks of other agents: whole, in parts, again, too early, impossible. */
import assert from "node:assert/strict";
import type { Change, Chunk } from "../../corrosion/embedded/replication.ts";
import { packColumns } from "../../corrosion/embedded/store/pack.ts";
import { type Agent, exchange, StoreFolder, statement } from "../helpers/stores.ts";

const SCHEMA = "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a, b TEXT NOT NULL DEFAULT 'b')";
const ORIGIN = "00000000000000000000000000000009";

describe("a received chunk", () => {
  let folder: StoreFolder;
  let agent: Agent;

  beforeEach(() => {
    folder = new StoreFolder();
    agent = folder.agent("a");
    agent.store.applySchema([SCHEMA]);
  });
  afterEach(() => folder.remove());

  const change = (fields: Partial<Change> = {}): Change => ({
    table: "t",
    pk: packColumns([1n]),
    cid: "a",
    val: "x",
    colVersion: 1n,
    cl: 1n,
    seq: 0,
    ...fields,
  });
  const chunk = (version: bigint, changes: readonly Change[], fields: Partial<Chunk> = {}): Chunk => {
    const last = changes.at(-1)?.seq ?? 0;
    return { origin: ORIGIN, version, ts: 77n, startSeq: 0, endSeq: last, lastSeq: last, changes, ...fields };
  };
  const receive = (...chunks: Chunk[]) => agent.store.receive(chunks).map(({ kind }) => kind);
  const known = () => agent.store.known().get(ORIGIN);
  const rows = () => agent.rows("SELECT id, a, b FROM t ORDER BY id");
  const gaps = () =>
    agent.rows('SELECT lower(hex(actor_id)) AS actor, start, "end" FROM __corro_bookkeeping_gaps');
  const waiting = () =>
    agent.rows(
      "SELECT (SELECT count(*) FROM __corro_buffered_changes) + (SELECT count(*) FROM __corro_seq_bookkeeping) AS n",
    )[0]?.n;

  it("that is a whole version is applied; the winner keeps its origin's version, site, seq and time", () => {
    assert.deepEqual(receive(chunk(3n, [change({ seq: 0 }), change({ cid: "b", val: "y", seq: 4 })])), [
      "applied",
    ]);
    assert.deepEqual(rows(), [{ id: 1n, a: "x", b: "y" }]);
    assert.deepEqual(
      agent.rows(
        "SELECT cid, val, col_version, db_version, lower(hex(site_id)) AS site, cl, seq, ts FROM crsql_changes ORDER BY seq",
      ),
      [
        { cid: "a", val: "x", col_version: 1n, db_version: 3n, site: ORIGIN, cl: 1n, seq: 0n, ts: "77" },
        { cid: "b", val: "y", col_version: 1n, db_version: 3n, site: ORIGIN, cl: 1n, seq: 4n, ts: "77" },
      ],
    );
    assert.deepEqual(agent.committed, [
      {
        origin: ORIGIN,
        version: 3n,
        local: false,
        touched: [{ table: "t", pk: packColumns([1n]), cl: 1n }],
        chunks: [],
      },
    ]);
  });

  it("never raises the own version, and is known of its origin", () => {
    receive(chunk(9n, [change()]));
    assert.equal(agent.run("INSERT INTO t (id) VALUES (5)").version, 1n);
    assert.deepEqual(
      agent.rows(
        "SELECT lower(hex(site_id)) AS site, db_version FROM crsql_db_versions ORDER BY site = ?",
        ORIGIN,
      ),
      [
        { site: agent.id, db_version: 1n },
        { site: ORIGIN, db_version: 9n },
      ],
    );
    assert.deepEqual(agent.rows("SELECT crsql_db_version() AS v"), [{ v: 1n }]);
  });

  it("above the head leaves a gap, which closes as its versions come", () => {
    receive(chunk(5n, [change()]));
    assert.deepEqual(known(), { head: 5n, need: [{ start: 1n, end: 4n }], partial: [] });
    receive(chunk(2n, [change({ cid: "b", val: "y" })]));
    assert.deepEqual(gaps(), [
      { actor: ORIGIN, start: 1n, end: 1n },
      { actor: ORIGIN, start: 3n, end: 4n },
    ]);
    agent.store.receiveEmpty(ORIGIN, { start: 3n, end: 4n });
    receive(chunk(1n, [change({ pk: packColumns([2n]) })]));
    assert.deepEqual(known(), { head: 5n, need: [], partial: [] });
    assert.deepEqual(gaps(), []);
  });

  it("that came already changes nothing and is told to be a duplicate", () => {
    const version = chunk(1n, [change()]);
    assert.deepEqual(receive(version, version), ["applied", "duplicate"]);
    assert.equal(agent.committed.length, 1);
    assert.deepEqual(receive(chunk(1n, [change({ colVersion: 9n, val: "other" })])), ["duplicate"]);
    assert.deepEqual(rows(), [{ id: 1n, a: "x", b: "b" }]);
  });

  it("of the own origin is a duplicate, whatever it says", () => {
    assert.deepEqual(receive(chunk(1n, [change()], { origin: agent.id })), ["duplicate"]);
    assert.deepEqual(rows(), []);
  });

  it("that is a part waits, and the version becomes visible whole", () => {
    const [first, second, third] = [0, 1, 2].map((seq) =>
      chunk(4n, [change({ pk: packColumns([BigInt(seq)]), seq })], {
        startSeq: seq,
        endSeq: seq,
        lastSeq: 2,
      }),
    ) as [Chunk, Chunk, Chunk];
    assert.deepEqual(receive(third, first, third), ["buffered", "buffered", "duplicate"]);
    assert.deepEqual(rows(), []);
    assert.deepEqual(known(), {
      head: 4n,
      need: [{ start: 1n, end: 3n }],
      partial: [{ version: 4n, missing: [[1, 1]] }],
    });
    assert.deepEqual(
      agent.rows("SELECT start_seq, end_seq, last_seq, ts FROM __corro_seq_bookkeeping ORDER BY start_seq"),
      [
        { start_seq: 0n, end_seq: 0n, last_seq: 2n, ts: "77" },
        { start_seq: 2n, end_seq: 2n, last_seq: 2n, ts: "77" },
      ],
    );
    agent.close();
    agent = folder.agent("a");
    assert.deepEqual(known()?.partial, [{ version: 4n, missing: [[1, 1]] }]);
    assert.deepEqual(agent.store.held(ORIGIN, 4n, 1000), { kind: "unknown" });
    assert.deepEqual(receive(second), ["applied"]);
    assert.deepEqual(
      rows().map(({ id }) => id),
      [0n, 1n, 2n],
    );
    assert.equal(waiting(), 0n);
    assert.equal(agent.committed[0]?.touched.length, 3);
  });

  it("ends a version earlier when a peer says that its end was overwritten", () => {
    receive(chunk(1n, [change()], { lastSeq: 9 }));
    assert.deepEqual(known()?.partial, [{ version: 1n, missing: [[1, 9]] }]);
    assert.deepEqual(receive(chunk(1n, [change()], { startSeq: 0, endSeq: 0, lastSeq: 0 })), ["applied"]);
    assert.deepEqual(known(), { head: 1n, need: [], partial: [] });
    assert.equal(waiting(), 0n);
  });

  it("whose version was overwritten meanwhile is dropped from the buffer", () => {
    receive(chunk(1n, [change()], { lastSeq: 9 }));
    agent.store.receiveEmpty(ORIGIN, { start: 1n, end: 1n });
    assert.deepEqual(known(), { head: 1n, need: [], partial: [] });
    assert.equal(waiting(), 0n);
    assert.deepEqual(receive(chunk(1n, [change({ seq: 9 })], { startSeq: 1, lastSeq: 9 })), ["duplicate"]);
  });

  const refused: [title: string, change: Partial<Change>, message: RegExp][] = [
    ["an unknown table", { table: "u" }, /no such table in the schema: u/],
    ["an unknown column", { cid: "z" }, /table t has no column z/],
    ["a key column", { cid: "id" }, /table t has no column id/],
    ["NULL for NOT NULL", { cid: "b", val: null }, /NOT NULL constraint failed: t.b/],
    ["a key of another shape", { pk: packColumns([1n, 2n]) }, /does not have 1 values/],
    ["a malformed key", { pk: Uint8Array.of(1, 11, 9) }, /ends in the middle/],
    ["an integer beyond 64 bits", { val: 2n ** 70n }, /too large/],
    ["a key that its column does not take", { pk: packColumns(["text"]) }, /datatype mismatch/],
  ];
  for (const [title, fields, message] of refused) {
    it(`with ${title} is refused, its version stays a gap, and nothing of it is kept`, () => {
      const good = change({ pk: packColumns([7n]) });
      const bad = change({ ...fields, seq: 1 });
      receive(chunk(1n, [change()]));
      const [answer] = agent.store.receive([chunk(3n, [good, bad])]);
      assert.equal(answer?.kind, "refused");
      assert.match(answer?.kind === "refused" ? answer.message : "", message);
      assert.deepEqual(rows(), [{ id: 1n, a: "x", b: "b" }]);
      assert.deepEqual(known(), { head: 3n, need: [{ start: 2n, end: 3n }], partial: [] });
      assert.deepEqual(agent.rows("SELECT db_version FROM crsql_db_versions"), [{ db_version: 1n }]);
      const parts = [chunk(2n, [good], { lastSeq: 1 }), chunk(2n, [bad], { startSeq: 1 })];
      assert.deepEqual(receive(...parts), ["buffered", "refused"]);
      assert.equal(waiting(), 0n);
      assert.deepEqual(known(), { head: 3n, need: [{ start: 2n, end: 3n }], partial: [] });
      assert.deepEqual(agent.rows("SELECT count(*) AS n FROM t__crsql_pks"), [{ n: 1n }]);
      agent.close();
      agent = folder.agent("a");
      assert.deepEqual(known(), { head: 3n, need: [{ start: 2n, end: 3n }], partial: [] });
      assert.deepEqual(receive(chunk(2n, [good]), chunk(3n, [change({ pk: packColumns([8n]) })])), [
        "applied",
        "applied",
      ]);
    });
  }

  it("can be taken once the schema has what it needs", () => {
    const version = chunk(1n, [change({ cid: "c", val: 5n })]);
    assert.deepEqual(receive(version), ["refused"]);
    agent.store.applySchema([`${SCHEMA.slice(0, -1)}, c INTEGER)`]);
    assert.deepEqual(receive(version), ["applied"]);
    assert.deepEqual(agent.rows("SELECT c FROM t"), [{ c: 5n }]);
    assert.deepEqual(agent.rows("SELECT lower(hex(site_id)) AS site FROM crsql_changes"), [{ site: ORIGIN }]);
  });

  const impossible: Partial<Chunk>[] = [
    { origin: "nobody" },
    { version: 0n },
    { version: 2n ** 64n },
    { startSeq: -1 },
    { startSeq: 1, endSeq: 0, lastSeq: 0 },
    { endSeq: 2, lastSeq: 1 },
    { changes: [change({ seq: 5 })] },
    { changes: [change({ cl: 0n })] },
    { changes: [change({ colVersion: -1n })] },
  ];
  for (const fields of impossible) {
    const text = JSON.stringify(fields, (_key, value: unknown) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    it(`that cannot be (${text.slice(0, 70)}) is refused and leaves no trace`, () => {
      assert.deepEqual(receive(chunk(1n, [change()], fields)), ["refused"]);
      assert.equal(agent.store.known().size, 0);
    });
  }

  it("has an origin and versions that can be, heads and empty versions too", () => {
    const { store } = agent;
    assert.throws(() => store.noteHead("nobody", 1n), RangeError);
    assert.throws(() => store.noteHead(ORIGIN, 2n ** 63n), RangeError);
    assert.throws(() => store.receiveEmpty(ORIGIN, { start: 0n, end: 1n }), RangeError);
    assert.throws(() => store.receiveEmpty(ORIGIN, { start: 2n, end: 1n }), RangeError);
    assert.throws(() => store.receiveEmpty("nobody", { start: 1n, end: 1n }), RangeError);
    assert.equal(store.known().size, 0);
  });

  it("brings a new head, which becomes a gap and survives a restart", () => {
    agent.store.noteHead(ORIGIN, 4n);
    agent.store.noteHead(ORIGIN, 2n);
    agent.store.noteHead(agent.id, 9n);
    agent.close();
    agent = folder.agent("a");
    assert.deepEqual(
      [...agent.store.known()],
      [[ORIGIN, { head: 4n, need: [{ start: 1n, end: 4n }], partial: [] }]],
    );
    assert.deepEqual(agent.rows("SELECT * FROM crsql_db_versions"), []);
  });

  it("can be sent on by an agent that is not its origin, as far as it still stands", () => {
    receive(
      chunk(1n, [change({ seq: 0 }), change({ cid: "b", val: "y", seq: 1 })]),
      chunk(2n, [change({ pk: packColumns([2n]) })]),
    );
    assert.deepEqual(agent.store.held(ORIGIN, 1n, 1e6).kind, "chunks");
    agent.run("UPDATE t SET b = 'z' WHERE id = 1", "UPDATE t SET a = 0 WHERE id = 2");
    assert.deepEqual(agent.store.held(ORIGIN, 1n, 1e6), {
      kind: "chunks",
      chunks: [chunk(1n, [change({ seq: 0 })])],
    });
    assert.deepEqual(agent.store.held(ORIGIN, 2n, 1e6), { kind: "empty" });
    assert.deepEqual(agent.store.held(ORIGIN, 3n, 1e6), { kind: "unknown" });
    assert.deepEqual(agent.store.held("ff".repeat(16), 1n, 1e6), { kind: "unknown" });
  });

  it("is as large as the asker wants, and the whole covers every seq", () => {
    agent.run(statement("INSERT INTO t (id, a) VALUES (1, ?), (2, ?)", "x".repeat(1000), "y".repeat(1000)));
    const held = agent.store.held(agent.id, 1n, 1200);
    assert.ok(held.kind === "chunks");
    assert.deepEqual(
      held.chunks.map(({ startSeq, endSeq, lastSeq }) => [startSeq, endSeq, lastSeq]),
      [
        [0, 1, 3],
        [2, 3, 3],
      ],
    );
  });

  it("deletes a row, keeps it deleted, and brings it back with defaults for what did not come", () => {
    receive(chunk(1n, [change()]));
    receive(chunk(2n, [change({ cid: "-1", val: null, colVersion: 2n, cl: 2n })]));
    assert.deepEqual(rows(), []);
    receive(chunk(3n, [change({ val: "late", colVersion: 9n })]));
    assert.deepEqual(rows(), []);
    receive(
      chunk(4n, [
        change({ cid: "-1", val: null, colVersion: 3n, cl: 3n, seq: 0 }),
        change({ val: "new", cl: 3n, seq: 1 }),
      ]),
    );
    assert.deepEqual(rows(), [{ id: 1n, a: "new", b: "b" }]);
    assert.deepEqual(agent.clocks("t", 1n), ["-1:3/3", "a:1/3"]);
  });

  it("with a greater odd causal length drops the clocks of a living row to 0 and keeps its values", () => {
    agent.run("INSERT INTO t (id, a, b) VALUES (1, 'mine', 'kept')", "UPDATE t SET b = 'kept too'");
    receive(chunk(1n, [change({ val: "theirs", cl: 3n })]));
    assert.deepEqual(rows(), [{ id: 1n, a: "theirs", b: "kept too" }]);
    assert.deepEqual(agent.clocks("t", 1n), ["-1:3/3", "a:1/3", "b:0/3"]);
    assert.deepEqual(agent.store.held(agent.id, 1n, 1000), { kind: "empty" });
  });

  it("that deletes what a lower site deleted takes the credit, and tells nobody of a change", () => {
    const deleted = [change({ cid: "-1", val: null, colVersion: 2n, cl: 2n })];
    const lower = "00000000000000000000000000000001";
    receive(chunk(4n, deleted, { origin: lower }), chunk(3n, deleted), chunk(5n, deleted, { origin: lower }));
    assert.deepEqual(agent.rows("SELECT lower(hex(site_id)) AS site, db_version FROM crsql_changes"), [
      { site: ORIGIN, db_version: 3n },
    ]);
    assert.deepEqual(
      agent.committed.map(({ touched }) => touched.length),
      [1, 0, 0],
    );
  });

  it("of equal version and value goes to the greater site", () => {
    agent.run("INSERT INTO t (id, a) VALUES (1, 'x')");
    const [low, high] = ["00".repeat(16), "ff".repeat(16)];
    receive(chunk(1n, [change()], { origin: low }), chunk(1n, [change()], { origin: high }));
    assert.deepEqual(agent.rows("SELECT lower(hex(site_id)) AS site FROM crsql_changes WHERE cid = 'a'"), [
      { site: high },
    ]);
  });

  it("is applied after a row whose CHECK spans columns, as one write", () => {
    agent.store.applySchema([
      "CREATE TABLE c (id NOT NULL PRIMARY KEY, lo DEFAULT 0, hi DEFAULT 1, CHECK (lo < hi))",
    ]);
    const other = folder.agent("b");
    other.store.applySchema([
      "CREATE TABLE c (id NOT NULL PRIMARY KEY, lo DEFAULT 0, hi DEFAULT 1, CHECK (lo < hi))",
    ]);
    other.run("INSERT INTO c VALUES (1, 5, 6)");
    other.run("UPDATE c SET lo = 7, hi = 8");
    exchange(other, agent);
    assert.deepEqual(agent.rows("SELECT * FROM c"), [{ id: 1n, lo: 7n, hi: 8n }]);
  });
});
