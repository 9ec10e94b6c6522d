/** @module Subscriptions of the embedded agent on a database file: joins, resumes, restarts and failures. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as fc from "fast-check";
import type { StartAt, SubscriptionTimes } from "../../corrosion/embedded/subscriptions/contract.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { World } from "../helpers/subscribed-store.ts";
import { SubscriptionClient } from "../helpers/subscription-client.ts";
import { until } from "../helpers/until.ts";

const SCHEMA = `
  CREATE TABLE tests (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT "", n INTEGER);
  CREATE TABLE notes (region TEXT NOT NULL, id INTEGER NOT NULL, test_id INTEGER, body TEXT, PRIMARY KEY (region, id));
`;
const ANEW: StartAt = { from: null, skipRows: false };
const from = (id: number | bigint): StartAt => ({ from: BigInt(id), skipRows: false });
const SKIP: StartAt = { from: null, skipRows: true };
const ALL = "SELECT id, text FROM tests";

describe("subscriptions of the embedded development agent", () => {
  let folder: string;
  let world: World;
  let opened: World | null = null;

  async function open(times: SubscriptionTimes = { batch: 5 }): Promise<World> {
    folder = await mkdtemp(join(tmpdir(), "fleet-subs-"));
    world = new World({ folder, schema: SCHEMA, times });
    opened = world;
    return world;
  }
  afterEach(() => closeWorld());

  async function closeWorld(): Promise<void> {
    await opened?.close();
    if (opened !== null) await rm(folder, { recursive: true, force: true });
    opened = null;
  }
  const subscribe = (sql: string, at: StartAt = ANEW, before?: SubscriptionClient): SubscriptionClient =>
    new SubscriptionClient(world.subscriptions.subscribe({ sql, params: { kind: "none" } }, at), before);
  const attach = (id: string, at: StartAt, before?: SubscriptionClient): SubscriptionClient =>
    new SubscriptionClient(world.subscriptions.attach(id, at), before);

  it("gives columns, rows and eoq 0 to the first reader, then what changes", async () => {
    await open();
    world.commit("INSERT INTO tests VALUES (1, 'one', 1), (2, 'two', 2)");
    const client = subscribe(ALL);
    assert.equal(await client.eoq(), 0);
    assert.deepEqual(client.columns, ["id", "text"]);
    world.commit("INSERT INTO tests VALUES (3, 'three', 3)");
    await until("inserted", () => client.changes.length === 1);
    world.commit("UPDATE tests SET text = 'TWO' WHERE id = 2");
    await until("updated", () => client.changes.length === 2);
    world.commit("DELETE FROM tests WHERE id = 1");
    await until("deleted", () => client.changes.length === 3);
    assert.deepEqual(client.changes, [
      'insert 3 [3,"three"] 1',
      'update 2 [2,"TWO"] 2',
      'delete 1 [1,"one"] 3',
    ]);
  });

  it("starts anew after commits that may have been missed, for who asks before the old ones have ended", async () => {
    await open();
    world.commit("INSERT INTO tests VALUES (1, 'one', 1)");
    const old = subscribe(ALL);
    await old.eoq();
    world.subscriptions.renew();
    const client = subscribe(ALL);
    await until("the old stream has ended", () => old.ended);
    assert.notEqual(client.id, old.id);
    await client.eoq();
    world.commit("INSERT INTO tests VALUES (2, 'two', 2)");
    await until("inserted", () => client.changes.length === 1);
    await until("the old one's files are gone", async () => (await readdir(world.folder)).length === 1);
    assert.deepEqual(await readdir(world.folder), [client.id]);
  });

  it("shares one subscription between byte-identical texts, and none between others", async () => {
    await open();
    const first = subscribe("SELECT id FROM tests");
    const same = world.subscriptions.subscribe(
      { sql: "SELECT id FROM tests", params: { kind: "none" } },
      SKIP,
    );
    const spaced = subscribe("SELECT  id FROM tests");
    assert.equal(same.id, first.id);
    assert.notEqual(spaced.id, first.id);
    const values = (id: bigint): string =>
      world.subscriptions.subscribe(
        { sql: "SELECT id FROM tests WHERE id = ?", params: { kind: "positional", values: [id] } },
        ANEW,
      ).id;
    assert.equal(values(1n), values(1n));
    assert.notEqual(values(1n), values(2n));
    assert.deepEqual(
      world.subscriptions.list().map(({ sql }) => sql),
      [
        "SELECT id FROM tests",
        "SELECT  id FROM tests",
        "SELECT id FROM tests WHERE id = 1",
        "SELECT id FROM tests WHERE id = 2",
      ],
    );
    const { original_query, last_change_id, path } = world.subscriptions.info({ id: first.id });
    assert.deepEqual([original_query, last_change_id], ["SELECT id FROM tests", 0]);
    assert.ok(path.startsWith(world.folder));
    assert.throws(() => world.subscriptions.info({ hash: "0" }), /unknown subscription hash or id/);
  });

  describe("asked to start somewhere", () => {
    beforeEach(async () => {
      await open();
      world.commit("INSERT INTO tests VALUES (1, 'one', 1)");
    });

    /** A reader that has seen two changes. */
    async function established(): Promise<SubscriptionClient> {
      const client = subscribe(ALL);
      await client.eoq();
      for (const count of [1, 2]) {
        world.commit(`UPDATE tests SET text = text || '${count}'`);
        await until("a change", () => client.changes.length === count);
      }
      return client;
    }

    it("refuses `from` for a new subscription, 0 too", async () => {
      for (const at of [from(0), from(5), { from: 0n, skipRows: true }]) {
        assert.throws(() => subscribe(ALL, at), {
          status: 400,
          message: "a `from` query param was supplied, but no existing subscription found",
        });
      }
      assert.deepEqual(await readdir(world.folder), []);
    });

    it("refuses an unknown id", () => {
      assert.throws(() => attach("2AE3AE57-0000-4000-8000-000000000000", ANEW), {
        status: 404,
        message: "could not find subscription with id 2ae3ae57-0000-4000-8000-000000000000",
      });
    });

    it("gives rows and the current change id to a later reader, with `from=0` as without", async () => {
      const first = await established();
      for (const join of [
        () => subscribe(ALL),
        () => subscribe(ALL, from(0)),
        () => attach(first.id.toUpperCase(), from(0)),
      ]) {
        const client = join();
        assert.equal(await client.eoq(), first.changes.length);
        assert.deepEqual(client.table(), ['[1,"one12"]']);
        assert.deepEqual(client.columns, ["id", "text"]);
        const count = first.changes.length;
        world.commit("UPDATE tests SET text = text || ''", "INSERT INTO tests (text) VALUES ('more')");
        await until("the next change", () => client.changes.length > 0);
        assert.equal(client.changes.length, 1);
        world.commit("DELETE FROM tests WHERE text = 'more'");
        await until("both changes", () => client.changes.length === 2 && first.changes.length === count + 2);
        client.close();
      }
    });

    it("follows tables that occur only in sub-queries", async () => {
      const sql = "SELECT id FROM tests WHERE id IN (SELECT test_id FROM notes)";
      const client = subscribe(sql);
      await client.eoq();
      world.commit("INSERT INTO notes VALUES ('eu', 1, 1, 'note')");
      await until("the row", () => client.changes.length === 1);
      world.commit("DELETE FROM notes");
      await until("no row", () => client.changes.length === 2);
      assert.deepEqual(client.changes, ["insert 1 [1] 1", "delete 1 [1] 2"]);
    });

    it("gives only new changes with skip_rows, for a new subscription too", async () => {
      const fresh = subscribe("SELECT text FROM tests", SKIP);
      const first = await established();
      const skipping = [attach(first.id, SKIP), attach(first.id, { from: 0n, skipRows: true })];
      world.commit("UPDATE tests SET text = 'x'");
      for (const client of skipping) {
        await until("a change", () => client.events.length > 0);
        assert.deepEqual(client.changes, ['update 1 [1,"x"] 3']);
        assert.equal(client.events.length, 1);
      }
      await until("the fresh one's change", () => fresh.changes.at(-1)?.startsWith('update 1 ["x"] '));
      assert.equal(fresh.changes.length, fresh.events.length);
    });

    it("gives the changes after N, without columns and eoq, then goes on", async () => {
      const first = await established();
      const resumed = attach(first.id, from(1));
      await until("the missed change", () => resumed.changes.length === 1);
      world.commit("DELETE FROM tests");
      await until("the next change", () => resumed.changes.length === 2);
      assert.deepEqual(resumed.changes, ['update 1 [1,"one12"] 2', 'delete 1 [1,"one12"] 3'].map(String));
      assert.equal(resumed.events.length, 2);
    });

    it("takes N in the future, and gives what comes with ids below it", async () => {
      const first = await established();
      const early = attach(first.id, from(2n ** 63n));
      world.commit("DELETE FROM tests");
      await until("a change", () => early.changes.length === 1);
      assert.deepEqual(early.changes, ['delete 1 [1,"one12"] 3']);
    });
  });

  it("tells a reader whose N is older than the kept history, which is about 500 changes", async () => {
    await open({ batch: 1, purge: 20 });
    const client = subscribe(ALL);
    await client.eoq();
    for (let total = 0; total < 600; total += 200) {
      world.commit(...Array.from({ length: 200 }, (_, i) => `INSERT INTO tests (id) VALUES (${total + i})`));
      await until("changes", () => client.changes.length === total + 200);
    }
    const late = await until("a purge", async () => {
      const reader = attach(client.id, from(0n + 1n));
      await until("an answer", () => reader.events.length > 0);
      return reader.error === undefined ? null : reader;
    });
    assert.equal(late.error, "subscription already deleted older changes, min change id: 101");
    assert.equal(late.events.length, 1);
    assert.ok(late.ended);
    const kept = attach(client.id, from(100));
    await until("all that is kept", () => kept.changes.length === 500);
  });

  it("goes on when old changes cannot be dropped, and drops them later", async () => {
    await open({ batch: 1, purge: 20 });
    const client = subscribe(ALL);
    await client.eoq();
    const { DatabaseSync } = await import("node:sqlite");
    const other = new DatabaseSync(world.subscriptions.info({ id: client.id }).path);
    other.exec("BEGIN IMMEDIATE");
    await until("it was tried", () => world.warnings.some((text) => text.includes("were not dropped")));
    other.exec("ROLLBACK");
    other.close();
    world.commit("INSERT INTO tests VALUES (1, 'one', 1)");
    await until("the row", () => client.changes.length === 1);
  });

  it("gives a row that left the WHERE clause and came back a new row id", async () => {
    await open();
    world.commit("INSERT INTO tests VALUES (1, 'a', 1), (2, 'b', 1)");
    const client = subscribe("SELECT id FROM tests WHERE n = 1");
    await client.eoq();
    for (const [count, n] of [
      [1, 2],
      [2, 1],
    ] as const) {
      world.commit(`UPDATE tests SET n = ${n} WHERE id = 2`);
      await until("a change", () => client.changes.length === count);
    }
    assert.deepEqual(client.changes, ["delete 2 [2] 1", "insert 3 [2] 2"]);
  });

  it("makes of one batch what is left of it: nothing of insert and delete, one of several updates", async () => {
    await open({ batch: 100 });
    world.commit("INSERT INTO tests VALUES (1, 'a', 1)");
    const client = subscribe(ALL);
    await client.eoq();
    world.commit("INSERT INTO tests VALUES (2, 'b', 1)");
    world.commit("UPDATE tests SET text = 'b1'");
    world.commit("UPDATE tests SET text = 'b2' WHERE id = 1");
    world.commit("DELETE FROM tests WHERE id = 2");
    await until("a change", () => client.changes.length > 0);
    world.commit("UPDATE tests SET n = 7");
    world.commit("INSERT INTO tests VALUES (9, 'end', 1)");
    await until("the last change", () => client.changes.at(-1)?.includes("end"));
    assert.deepEqual(client.changes, ['update 1 [1,"b2"] 1', 'insert 2 [9,"end"] 2']);
  });

  it("sees a row change again that had waited when another table asked for the whole query", async () => {
    await open();
    const client = subscribe("SELECT t.id, n.body FROM tests t LEFT JOIN notes n ON n.test_id = t.id");
    await client.eoq();
    world.commit("INSERT INTO tests VALUES (1, 'one', 1)");
    world.commit("INSERT INTO notes VALUES ('a', 1, 2, 'of another')");
    await until("the row", () => client.changes.length === 1);
    world.commit("DELETE FROM tests WHERE id = 1");
    await until("no row", () => client.changes.length === 2);
    assert.deepEqual(client.changes, ["insert 1 [1,null] 1", "delete 1 [1,null] 2"]);
  });

  it("does not wait for the batch's time when 1,000 keys wait", async () => {
    await open({ batch: 3_600_000 });
    const client = subscribe(ALL);
    await client.eoq();
    world.commit("INSERT INTO tests (id) VALUES (-1)");
    const insert = (n: number): string =>
      `INSERT INTO tests (id) SELECT value FROM json_each('${JSON.stringify(Array.from({ length: n }, (_, i) => i))}')`;
    world.commit(insert(999));
    await until("all changes", () => client.changes.length === 1_000);
  });

  it("tells real, text, blob, big and missing values as the API does", async () => {
    await open();
    const values = `SELECT 9223372036854775807, 1.0, 0.1, 1e16, 1e300, -0.00001, 1e-7, 9e999, x'00ff', 'ü"', NULL, text FROM tests`;
    const lines: string[] = [];
    world.commit("INSERT INTO tests VALUES (1, '', 1)");
    world.subscriptions
      .subscribe({ sql: values, params: { kind: "none" } }, ANEW)
      .follow({ write: async (text) => void lines.push(text), end() {} });
    await until("eoq", () => lines.length === 3);
    assert.equal(
      lines[1],
      '{"row":[1,[9223372036854775807,1.0,0.1,1e16,1e300,-0.00001,1e-7,null,[0,255],"ü\\"",null,""]]}\n',
    );
  });

  it("keeps ids, rows and history over a clean stop, and finds what was missed meanwhile", async () => {
    await open();
    world.commit("INSERT INTO tests VALUES (1, 'one', 1), (2, 'two', 1)");
    const before = subscribe(ALL);
    await before.eoq();
    world.commit("DELETE FROM tests WHERE id = 1");
    await until("a change", () => before.changes.length === 1);
    await world.restart(true);
    assert.ok(before.ended);
    assert.equal(before.error, undefined);
    world.commit("UPDATE tests SET text = 'TWO' WHERE id = 2");
    const resumed = attach(before.id, from(1), before);
    await until("what was missed", () => resumed.changes.length === 1);
    world.commit("INSERT INTO tests VALUES (1, 'again', 1)");
    await resumed.shows(() => world.rows(ALL));
    assert.deepEqual(resumed.changes, ['update 2 [2,"TWO"] 2', 'insert 3 [1,"again"] 3']);
    assert.equal(subscribe(ALL).id, before.id);
  });

  it("has forgotten a subscription after an unclean stop, and its files are gone", async () => {
    await open();
    const before = subscribe(ALL);
    await before.eoq();
    // The files of a process that was killed: never marked clean.
    const { path } = world.subscriptions.info({ id: before.id });
    await world.restart(true);
    const { DatabaseSync } = await import("node:sqlite");
    const state = new DatabaseSync(path);
    state.exec("UPDATE meta SET value = '0' WHERE name = 'clean'");
    state.close();
    assert.throws(() => attach(before.id, from(0)), { status: 404 });
    assert.throws(() => subscribe(ALL, from(0)), { status: 400 });
    assert.deepEqual(await readdir(world.folder), []);
  });

  it("drops a kept subscription whose statement means something else now", async () => {
    await open();
    const before = subscribe("SELECT * FROM tests");
    await before.eoq();
    await world.restart(true);
    world.store.applySchema([SCHEMA.replace("n INTEGER)", "n INTEGER, more TEXT)")]);
    assert.throws(() => attach(before.id, ANEW), { status: 404 });
    const after = subscribe("SELECT * FROM tests");
    await after.eoq();
    assert.deepEqual(after.columns, ["id", "text", "n", "more"]);
  });

  it("is deleted with its files when nobody has listened for the time allowed", async () => {
    await open({ batch: 5, idle: 50 });
    const client = subscribe(ALL);
    const other = attach(client.id, ANEW);
    await other.eoq();
    client.close();
    other.close();
    await until("deleted", async () => (await readdir(world.folder)).length === 0);
    assert.deepEqual(world.subscriptions.list(), []);
    assert.throws(() => attach(client.id, ANEW), { status: 404 });
  });

  it("cuts an initial query that takes too long, with an error line to everybody who waits", async () => {
    await open({ batch: 5, query: 50 });
    world.commit(
      `INSERT INTO tests (id) SELECT value FROM json_each('${JSON.stringify(Array.from({ length: 2_000 }, (_, i) => i))}')`,
    );
    const sql = "SELECT a.id FROM tests a, tests b, tests c";
    const clients = [subscribe(sql), subscribe(sql, SKIP)];
    for (const client of clients) {
      await until("an end", () => client.ended);
      assert.equal(client.error, "interrupted");
    }
    assert.deepEqual(
      clients.map(({ columns }) => columns),
      [["id"], undefined],
    );
    await until("its files are gone", async () => (await readdir(world.folder)).length === 0);
  });

  it("looks again after a failed look, and ends with the message when it goes on failing", async () => {
    await open();
    const client = subscribe(ALL);
    await client.eoq();
    world.failures.push(new Error("reader gone"), new Error("reader gone"));
    world.commit("INSERT INTO tests VALUES (1, 'one', 1)");
    await client.shows(() => world.rows(ALL));
    const accepted = world.subscriptions.attach(client.id, ANEW);
    world.failures.push(...["a", "b", "c"].map((text) => new Error(text)));
    world.commit("INSERT INTO tests VALUES (2, 'two', 1)");
    await until("an end", () => client.ended);
    assert.equal(client.error, "c");
    const late = new SubscriptionClient(accepted);
    assert.deepEqual([late.error, late.ended], ["c", true]);
    assert.throws(() => attach(client.id, ANEW), { status: 404 });
  });

  it("gives up on a reader that takes no rows while more than 1,024 changes come", async () => {
    await open();
    world.commit("INSERT INTO tests VALUES (-1, 'one', 1)");
    await subscribe(ALL).eoq();
    const slow = new SubscriptionClient(
      world.subscriptions.subscribe({ sql: ALL, params: { kind: "none" } }, ANEW),
      undefined,
      true,
    );
    world.commit(
      `INSERT INTO tests (id) SELECT value FROM json_each('${JSON.stringify(Array.from({ length: 1_100 }, (_, i) => i))}')`,
    );
    await until("an end", () => slow.ended);
    assert.equal(slow.error, "catching up too slowly, gave up after buffering 1024 events");
  });

  it("drops a reader that follows, silently, when it is more than 10,240 changes behind", async () => {
    await open();
    const fast = subscribe(ALL);
    const slow = subscribe(ALL);
    await Promise.all([fast.eoq(), slow.eoq()]);
    slow.pause();
    world.commit(
      `INSERT INTO tests (id) SELECT value FROM json_each('${JSON.stringify(Array.from({ length: 10_900 }, (_, i) => i))}')`,
    );
    await until("an end", () => slow.ended);
    assert.equal(slow.error, undefined);
    await fast.shows(() => world.rows(ALL));
  });

  it("brings 10,000 changes through without a gap, in a few seconds, and lets others work meanwhile", async () => {
    await open({ batch: 600 });
    const client = subscribe(ALL);
    await client.eoq();
    const began = performance.now();
    for (let i = 0; i < 10_000; i += 100) {
      world.commit(...Array.from({ length: 100 }, (_, j) => `INSERT INTO tests VALUES (${i + j}, 'x', 1)`));
      if (i % 1_000 === 0) await new Promise(setImmediate);
    }
    await until("all changes", () => client.changeId === 10_000);
    assert.deepEqual(client.table(), world.rows(ALL));
    assert.ok(performance.now() - began < 10_000 * loadShare(), `${performance.now() - began} ms`);
  });

  it("looks only at the changed keys of a large subscription", async () => {
    await open();
    world.commit(
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000) INSERT INTO tests SELECT i, 'x', i FROM c",
      "INSERT INTO notes VALUES ('a', 1, 5, 'five'), ('b', 1, 6, 'six')",
    );
    const sql = "SELECT t.id, n.body FROM tests t LEFT JOIN notes n ON n.test_id = t.id WHERE t.n > 0";
    const clients = [
      subscribe(ALL),
      subscribe("SELECT t.text FROM tests t JOIN notes n ON n.test_id = t.id"),
    ];
    for (const client of clients) await client.eoq();
    const queries = world.queries.length;
    const began = performance.now();
    for (let i = 0; i < 10; i++) {
      world.commit(`UPDATE tests SET text = 'y${i}' WHERE id = 5`);
      for (const client of clients) await until("seen", () => client.changeId === i + 1);
    }
    assert.ok(performance.now() - began < 3_000 * loadShare(), `${performance.now() - began} ms`);
    assert.ok(world.queries.slice(queries).every((text) => text.includes("IN ((5))")));
    const outer = subscribe(sql);
    await outer.eoq();
    world.commit("DELETE FROM notes WHERE test_id = 5");
    await until("the other side of the join is gone", () => outer.changeId === 2);
    const byType = outer.changes.map((change) => change.replace(/ \d+ /, " ")).sort();
    assert.deepEqual(byType, ['delete [5,"five"] 2', "insert [5,null] 1"]);
    assert.deepEqual(outer.table(), world.rows(sql));
  });

  describe("under random commits, joins, resumes and restarts", () => {
    const queries = [
      "SELECT id, text FROM tests",
      "SELECT text, n FROM tests WHERE n > 2 OR text LIKE '%a%' ORDER BY n",
      "SELECT t.id, n.body, n.region FROM tests t JOIN notes AS n ON n.test_id = t.id WHERE t.n < 5",
      "SELECT a.id, b.id FROM tests a, tests b WHERE a.n = b.n AND a.id < b.id",
      "SELECT t.id, n.body FROM tests t LEFT JOIN notes n ON n.test_id = t.id",
      "SELECT t.text FROM tests t LEFT JOIN notes n ON n.test_id = t.id WHERE n.id IS NULL",
      "SELECT n.body, t.n FROM tests t RIGHT JOIN notes n ON n.test_id = t.id",
      "SELECT id FROM tests WHERE EXISTS (SELECT 1 FROM notes WHERE notes.test_id = tests.id)",
      "SELECT id, (SELECT count(*) FROM notes m WHERE m.test_id = tests.id) FROM tests -- counted",
    ];
    const id = fc.integer({ min: 0, max: 6 });
    const word = fc.constantFrom("a", "b", "it''s", "");
    const statement = fc.oneof(
      fc
        .tuple(id, word, id)
        .map(([key, text, n]) => `INSERT OR REPLACE INTO tests VALUES (${key}, '${text}', ${n})`),
      fc.tuple(id, word).map(([key, text]) => `UPDATE tests SET text = '${text}' WHERE id = ${key}`),
      fc.tuple(id, id).map(([key, n]) => `UPDATE tests SET n = ${n} WHERE id >= ${key}`),
      fc.tuple(id, id).map(([key, to]) => `UPDATE OR REPLACE tests SET id = ${to} WHERE id = ${key}`),
      id.map((key) => `DELETE FROM tests WHERE id = ${key}`),
      fc
        .tuple(word, id, id)
        .map(
          ([region, key, test]) =>
            `INSERT OR REPLACE INTO notes VALUES ('${region}', ${key}, ${test}, 'n${key}')`,
        ),
      fc.tuple(id, id).map(([key, test]) => `UPDATE notes SET test_id = ${test} WHERE id = ${key}`),
      id.map((key) => `DELETE FROM notes WHERE id = ${key}`),
    );
    const query = fc.nat({ max: queries.length - 1 });
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc
          .array(statement, { minLength: 1, maxLength: 4 })
          .map((all) => ({ kind: "commit" as const, all })),
      },
      { weight: 3, arbitrary: query.map((which) => ({ kind: "join" as const, which })) },
      { weight: 3, arbitrary: fc.nat({ max: 20 }).map((which) => ({ kind: "resume" as const, which })) },
      { weight: 2, arbitrary: fc.nat({ max: 20 }).map((which) => ({ kind: "pause" as const, which })) },
      { weight: 3, arbitrary: fc.constantFrom(0, 1, 4).map((ms) => ({ kind: "wait" as const, ms })) },
      { weight: 4, arbitrary: fc.constant({ kind: "settle" as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
    );

    it("every reader's table is the query's result in the end, without a gap or a repeat", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          await open({ batch: 2 });
          world.commit(
            "INSERT INTO tests VALUES (0, 'a', 1), (1, 'b', 3), (2, 'a', 3)",
            "INSERT INTO notes VALUES ('a', 1, 1, 'n1'), ('b', 2, 4, 'n2')",
          );
          const clients: { client: SubscriptionClient; sql: string }[] = [];
          try {
            for (const action of steps) {
              const chosen =
                "which" in action ? clients[action.which % Math.max(1, clients.length)] : undefined;
              if (action.kind === "commit") world.commit(...action.all);
              else if (action.kind === "wait") await setTimeout(action.ms);
              else if (action.kind === "settle") await allShow(clients);
              else if (action.kind === "join") {
                const sql = queries[action.which]!;
                clients.push({ client: subscribe(sql), sql });
              } else if (action.kind === "pause") chosen?.client.pause();
              else if (action.kind === "restart") {
                for (const { client } of clients) client.resume();
                await Promise.all(clients.map(({ client }) => client.eoq()));
                await world.restart(true);
                for (const entry of clients) entry.client = resumed(entry.client);
              } else if (chosen !== undefined) {
                chosen.client.resume();
                await chosen.client.eoq();
                chosen.client.close();
                chosen.client = resumed(chosen.client);
              }
            }
            await allShow(clients);
          } finally {
            await closeWorld();
          }
        }),
        { numRuns: 60, endOnFailure: true },
      );
    });

    async function allShow(
      clients: readonly { readonly client: SubscriptionClient; readonly sql: string }[],
    ): Promise<void> {
      for (const { client, sql } of clients) {
        client.resume();
        await client.eoq();
        await client.shows(() => world.rows(sql), 5_000);
      }
    }

    function resumed(before: SubscriptionClient): SubscriptionClient {
      const { id, changeId } = before;
      return changeId ? attach(id, from(changeId), before) : attach(id, ANEW);
    }
  });
});
