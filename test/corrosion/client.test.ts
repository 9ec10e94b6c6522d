/** @module The client against an agent. */
import assert from "node:assert/strict";
import { AgentError, type AgentErrorKind } from "../../lib/corrosion/client/errors.ts";
import type { SubscriptionEvent } from "../../lib/corrosion/client/events.ts";
import type { AgentStream } from "../../lib/corrosion/client/http.ts";
import { TestedAgent } from "./agent.ts";
import { insert, newMessage, remove, update } from "./messages.ts";

const NUMBERS = (n: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n}) SELECT i, 'row ' || i AS text FROM n`;

async function refused(promise: Promise<unknown>, kind: AgentErrorKind, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof AgentError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  });
}

/** Reads until `count` events satisfy the wish, then closes the stream. */
async function take<E>(
  stream: AgentStream<E>,
  count: number,
  wanted: (event: E) => boolean = () => true,
): Promise<E[]> {
  const taken: E[] = [];
  for await (const event of stream.events) {
    if (wanted(event)) taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

describe("A client of this agent", function () {
  this.timeout(60_000);
  let agent: TestedAgent;

  before(async () => {
    agent = await TestedAgent.start();
  });
  after(async () => {
    await agent?.stop();
  });

  it("gets every value back with its type", async () => {
    const values = [
      null,
      1,
      -1,
      2n ** 53n + 1n,
      -(2n ** 63n),
      1.5,
      { real: 1 },
      1e300,
      "",
      "'; DROP TABLE x -- \u00e4\u{1f600}\n",
      Uint8Array.of(0, 255),
      new Uint8Array(),
    ];
    const places = values.map(() => "?").join(", ");
    const types = values.map((_, i) => `typeof(?${i + 1})`).join(", ");
    const { rows } = await agent.client.query([`SELECT ${places}`, values]);
    assert.deepEqual(rows, [
      values.map((value) =>
        typeof value === "object" && value !== null && "real" in value ? value.real : value,
      ),
    ]);
    const [names] = (await agent.client.query([`SELECT ${types}`, values])).rows;
    assert.deepEqual(names, [
      "null",
      "integer",
      "integer",
      "integer",
      "integer",
      "real",
      "real",
      "real",
      "text",
      "text",
      "blob",
      "blob",
    ]);
    const named = await agent.client.query(["SELECT :a || @b || $c AS x", { ":a": "1", "@b": "2", $c: "3" }]);
    assert.deepEqual(named, { columns: ["x"], rows: [["123"]], truncated: false });
  });

  it("reads long answers whole, or up to a limit", async () => {
    const whole = await agent.client.query(NUMBERS(20_000));
    assert.equal(whole.rows.length, 20_000);
    assert.deepEqual(whole.rows.at(-1), [20_000, "row 20000"]);
    const part = await agent.client.query(NUMBERS(1_000_000), { limit: 500 });
    assert.deepEqual([part.rows.length, part.truncated], [500, true]);
  });

  it("learns what is wrong with a statement", async () => {
    const { client } = agent;
    await refused(client.query("SELECT * FROM no_such_table"), "sql", /no such table: no_such_table/);
    await refused(client.query("DELETE FROM node_messages"), "sql", /not readonly/);
    await refused(client.query(["SELECT ?, ?", [1]]), "sql", /Wrong number of parameters/);
    await refused(client.query("SELECT abs(-9223372036854775808)"), "sql", /integer overflow/);
    await refused(client.transact(["SELECT 1"]), "sql", /Execute returned results/);
  });

  it("is answered in time, however long a statement would take", async () => {
    const began = performance.now();
    await refused(
      agent.client.query(`SELECT count(*) FROM (${NUMBERS(2_000_000_000)})`, { timeoutMs: 1000 }),
      "timeout",
      /./,
    );
    assert.ok(performance.now() - began < 5000);
    await agent.client.ping();
  });

  it("writes all statements or none", async () => {
    const { client } = agent;
    const [a, b] = [newMessage(), newMessage({ message: 'it\'s "quoted"' })];
    const done = await client.transact([insert(a), insert(b)]);
    assert.deepEqual(
      done.results.map(({ rowsAffected }) => rowsAffected),
      [1, 1],
    );
    assert.match(done.actorId, /^[0-9a-f]{32}$/);
    const next = await client.transact([update(a.pk, "changed")]);
    assert.equal(Number(next.version), Number(done.version) + 1);
    const c = newMessage();
    await refused(
      client.transact([insert(c), insert(b)]),
      "sql",
      /^UNIQUE constraint failed: node_messages.pk$/,
    );
    const { rows } = await client.query([
      "SELECT message FROM node_messages WHERE pk IN (?, ?, ?) ORDER BY pk",
      [a.pk, b.pk, c.pk],
    ]);
    assert.deepEqual(rows, [["changed"], ['it\'s "quoted"']]);
    const nothing = await client.transact([remove("no such key")]);
    assert.deepEqual([nothing.version, nothing.results[0]?.rowsAffected], [null, 0]);
  });

  it("hears of its health, and counts rows of tables", async () => {
    const health = await agent.client.health();
    assert.ok(["ok", "quiet"].includes(health.kind), JSON.stringify(health));
    const [counted] = (await agent.client.query("SELECT count(*) FROM node_messages")).rows;
    assert.deepEqual(
      [...(await agent.client.tableStats(["node_messages", "no_such_table"]))],
      [
        ["node_messages", counted?.[0]],
        ["no_such_table", null],
      ],
    );
  });

  it("follows a subscription, and goes on where it left it", async () => {
    const { client } = agent;
    const old = newMessage();
    const other = newMessage({ node_id: "other" });
    await client.transact([insert(old), insert(other)]);
    const sql = [
      "SELECT pk, message FROM node_messages WHERE node_id = ? AND pk >= ?",
      [old.node_id, old.pk],
    ] as const;
    const first = await client.subscribe(sql);
    assert.match(first.id, /^[0-9a-f-]{36}$/);
    assert.match(first.hash ?? "", /^[0-9a-f]{16}$/);
    const row = newMessage();
    const events: SubscriptionEvent[] = [];
    for await (const event of first.events) {
      events.push(event);
      // Not earlier, or the row may be one of the first.
      if (event.kind === "eoq") await client.transact([insert(row)]);
      if (event.kind === "change") break;
    }
    const kinds = events.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["columns", "row", "eoq", "change"]);
    const [columns, snapshot, eoq, change] = events as [
      SubscriptionEvent,
      SubscriptionEvent,
      SubscriptionEvent,
      SubscriptionEvent,
    ];
    assert.deepEqual(columns.kind === "columns" && columns.columns, ["pk", "message"]);
    assert.deepEqual(snapshot.kind === "row" && snapshot.cells, [old.pk, old.message]);
    assert.ok(eoq.kind === "eoq" && eoq.changeId !== null && change.kind === "change");
    assert.deepEqual(
      [change.change, change.cells, change.changeId],
      ["insert", [row.pk, row.message], eoq.changeId + 1],
    );

    const from = change.changeId;
    // Each in a batch of its own, or an insert and its delete would cancel out.
    const changes: unknown[] = [];
    const live = await client.resume(first.id, { from });
    const steps = [update(row.pk, "changed"), remove(row.pk)];
    await client.transact([steps[0] ?? ""]);
    for await (const event of live.events) {
      if (event.kind !== "change") continue;
      changes.push([event.change, event.cells, event.changeId]);
      if (changes.length === 2) break;
      await client.transact([steps[1] ?? ""]);
    }
    const expected = [
      ["update", [row.pk, "changed"], from + 1],
      ["delete", [row.pk, "changed"], from + 2],
    ];
    assert.deepEqual(changes, expected);
    const again = await take(await client.resume(first.id, { from }), 2);
    assert.deepEqual(
      again.map((event) => event.kind === "change" && [event.change, event.cells, event.changeId]),
      expected,
    );

    const skipping = await client.subscribe(sql, { skipRows: true });
    assert.equal(skipping.id, first.id, "the same text is the same subscription");
    skipping.close();
  });

  it("learns why a subscription is not opened", async () => {
    const { client } = agent;
    await refused(client.subscribe("SELECT 1"), "sql", /at least 1 table is required/);
    await refused(client.subscribe("SELECT * FROM __corro_members"), "sql", /table not found in schema/);
    await refused(client.subscribe("DELETE FROM node_messages"), "sql", /unsupported statement/);
    await refused(
      client.resume("12345678-1234-4234-8234-123456789abc", { from: 1 }),
      "unknown_subscription",
      /could not find subscription/,
    );
    await refused(client.updates("no_such_table"), "sql", /table not found in schema/);
  });

  it("follows the keys of a table", async () => {
    const { client } = agent;
    const stream = await client.updates("node_messages");
    const row = newMessage();
    await client.transact([insert(row)]);
    const ours = (event: { kind: string; key?: readonly unknown[] }) => event.key?.[0] === row.pk;
    const heard: unknown[] = [];
    for await (const event of stream.events) {
      if (!ours(event) || event.kind !== "notify") continue;
      heard.push([event.change, event.key]);
      if (heard.length === 2) break;
      await client.transact([remove(row.pk)]);
    }
    assert.deepEqual(heard, [
      ["update", [row.pk]],
      ["delete", [row.pk]],
    ]);
  });
});
