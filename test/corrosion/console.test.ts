/** @module The query console against an agent. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { type FailureType, failureType } from "../../lib/corrosion/failures.ts";
import analyticsStore from "../../services/analytics/store.service.ts";
import type { ConsoleRunRecord, QueryPreset, QueryResult } from "../../services/corrosion/contract.ts";
import query from "../../services/corrosion/query.service.ts";
import { until } from "../helpers/until.ts";
import { TestedAgent } from "./agent.ts";
import { insert, newMessage } from "./messages.ts";
import { startNode, type TestNode } from "./node.ts";

const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

describe("The query console of this agent", function () {
  this.timeout(60_000);
  let agent: TestedAgent;
  let folder: string;
  let node: TestNode;
  const nodes: TestNode[] = [];

  async function start(timeoutMs: number, url: string | null = agent.url): Promise<TestNode> {
    const impatient = { ...query, settings: { ...query.settings, timeoutMs } };
    const started = await startNode(() => url, [impatient, analyticsStore], {
      FLEETPORT_ENV: "dev",
      DATA_DIR: folder,
    });
    nodes.push(started);
    return started;
  }

  before(async () => {
    agent = await TestedAgent.start();
    folder = mkdtempSync(join(tmpdir(), "fpq-"));
    node = await start(10_000);
  });
  after(async () => {
    await Promise.all(nodes.map((one) => one.stop()));
    await agent?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (params: object, on: TestNode = node) => on.call<QueryResult>("corrosion.query.run", params);

  async function refused(params: object, type: FailureType, message: RegExp, on?: TestNode): Promise<void> {
    await assert.rejects(run(params, on), (error: Error) => {
      assert.equal(failureType(error), type, error.message);
      assert.match(error.message, message);
      return true;
    });
  }

  it("runs every preset", async () => {
    const presets = await node.call<QueryPreset[]>("corrosion.query.presets");
    assert.deepEqual(
      presets.map(({ id }) => id),
      [
        "corro_members_all",
        "tracked_peers_all",
        "node_messages_all",
        "node_messages_latest",
        "active_regions",
        "messages_by_region",
        "cluster_info",
        "database_info",
      ],
    );
    for (const preset of presets) {
      const params = Object.fromEntries(
        preset.params.map(({ name, default: value }) => [name, value ?? "ams"]),
      );
      const result = await run({ preset: preset.id, params }).catch((error: Error) => {
        // Not every agent has this table; then it says so.
        if (preset.id !== "tracked_peers_all") throw error;
        assert.match(error.message, /no such table/);
        return null;
      });
      if (result) assert.ok(result.columns.length > 0, preset.id);
    }
  });

  it("finds the latest message of each node by its sequence, and messages by their region", async () => {
    const [first, last] = [
      newMessage({ timestamp: "9" }),
      newMessage({ timestamp: "1", message: "it's last" }),
    ];
    const other = newMessage({ node_id: `${first.node_id}-2`, region: `${first.region}'2` });
    await agent.client.transact([insert(last), insert(first), insert(other)].reverse());
    const ours = (result: QueryResult) =>
      result.rows.map((row) => row[0]).filter((pk) => [first.pk, last.pk, other.pk].includes(String(pk)));
    const latest = await run({ preset: "node_messages_latest", limit: 5000 });
    assert.deepEqual(ours(latest), [other.pk, last.pk]);
    const region = await run({ preset: "messages_by_region", params: { region: first.region } });
    assert.deepEqual(ours(region), [last.pk, first.pk]);
    assert.deepEqual(ours(await run({ preset: "messages_by_region", params: { region: other.region } })), [
      other.pk,
    ]);
  });

  it("counts only regions of the last minutes, not of the whole day", async () => {
    const ago = (seconds: number) => isoMicros(systemClock() - seconds * 1_000_000);
    const [older, newer] = [
      newMessage({ region: "suite-older", timestamp: ago(150) }),
      newMessage({ region: "suite-newer", timestamp: ago(30) }),
    ];
    await agent.client.transact([insert(older), insert(newer)]);
    const regions = async (minutes_ago: number) =>
      (await run({ preset: "active_regions", params: { minutes_ago } })).rows
        .map(([region]) => String(region))
        .filter((region) => /^suite-(older|newer)$/.test(region))
        .sort();
    assert.deepEqual(await regions(1), ["suite-newer"]);
    assert.deepEqual(await regions(3), ["suite-newer", "suite-older"]);
  });

  it("says of the database what the agent's API says", async () => {
    const { columns, rows } = await run({ preset: "database_info" });
    assert.deepEqual(columns, ["part", "name", "value"]);
    const value = (part: string, name: string) => rows.find((row) => row[0] === part && row[1] === name)?.[2];
    assert.ok(["ok", "quiet"].includes(String(value("health", "state"))));
    const [[count] = []] = (await run({ sql: "SELECT count(*) FROM node_messages" })).rows;
    assert.equal(value("rows", "node_messages"), count);
  });

  it("reads with parameters, and keeps integers, blobs and nulls apart", async () => {
    const result = await run({
      sql: "SELECT 9007199254740993 AS big, x'00ff' AS blob, NULL AS none, :text AS text, @n + 1 AS n -- ;",
      params: { text: "it's; DROP TABLE x", "@n": 1 },
      run_id: "mine",
    });
    assert.deepEqual(result.columns, ["big", "blob", "none", "text", "n"]);
    assert.deepEqual(result.rows, [["9007199254740993", { blob: "00ff" }, null, "it's; DROP TABLE x", 2]]);
    assert.deepEqual([result.run_id, result.row_count, result.truncated], ["mine", 1, false]);
    assert.ok(result.elapsed_ms > 0);
    assert.deepEqual((await run({ sql: "SELECT ?, ?", params: [null, true] })).rows, [[null, 1]]);
  });

  it("ends at the limit", async () => {
    const sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) SELECT i FROM n";
    const standard = await run({ sql });
    assert.deepEqual([standard.row_count, standard.truncated], [500, true]);
    const most = await run({ sql, limit: 5000 });
    assert.deepEqual([most.rows.length, most.truncated], [5000, true]);
    const exact = await run({ sql: "VALUES (1), (2)", limit: 2 });
    assert.deepEqual([exact.row_count, exact.truncated], [2, false]);
  });

  it("writes in mode write only", async () => {
    const row = newMessage();
    await agent.client.transact([insert(row)]);
    const sql = "UPDATE node_messages SET message = :text WHERE pk = :pk";
    const params = { text: "written", pk: row.pk };
    await refused({ sql, params }, "blocked_statement", /choose the mode write/);
    await refused({ sql: `WITH x AS (SELECT 1) ${sql}`, params }, "sql_error", /not readonly/);
    const done = await run({ sql, params, mode: "write" });
    assert.deepEqual([done.rows_affected, done.columns, done.rows], [1, [], []]);
    const { rows } = await run({ sql: "SELECT message FROM node_messages WHERE pk = ?", params: [row.pk] });
    assert.deepEqual(rows, [["written"]]);
  });

  it("refuses what is blocked, wrong, or too slow, each with its type", async () => {
    await refused(
      { sql: "DROP TABLE node_messages", mode: "write" },
      "blocked_statement",
      /^DROP is blocked/,
    );
    await refused({ sql: "SELECT 1; SELECT 2" }, "blocked_statement", /one statement/);
    await refused({ sql: "SELECT * FROM no_such_table" }, "sql_error", /no such table: no_such_table/);
    await refused({ sql: "SELECT ?", params: [] }, "sql_error", /Wrong number of parameters/);
    await refused({ sql: "SELECT 1", preset: "cluster_info" }, "invalid_request", /one of them/);
    await refused({ sql: "SELECT 1", limit: 5001 }, "invalid_request", /limit must be/);
    const hurried = await start(700);
    const began = performance.now();
    await refused({ sql: ENDLESS }, "timeout", /./, hurried);
    assert.ok(performance.now() - began < 5000);
    const lost = await start(1000, null);
    await refused({ sql: "SELECT 1" }, "agent_unavailable", /does not know where/, lost);
  });

  it("ends a run that its caller cancels", async () => {
    const running = refused({ sql: ENDLESS, run_id: "long" }, "cancelled", /cancelled/);
    await until("it runs", () => node.call("corrosion.query.cancel", { run_id: "long" }));
    await running;
    await assert.rejects(
      node.call("corrosion.query.cancel", { run_id: "long" }),
      (error) => failureType(error) === "not_found",
    );
  });

  it("keeps the last 100 runs, failed ones too, over a restart", async () => {
    for (let i = 0; i < 102; i += 1) await run({ sql: "SELECT :i AS i", params: { i } });
    await refused({ sql: "SELECT * FROM no_such_table" }, "sql_error", /no such table/);
    const history = () => node.call<ConsoleRunRecord[]>("corrosion.query.history");
    const records = await history();
    assert.equal(records.length, 100);
    assert.deepEqual([records[0]?.error?.includes("no such table"), records[0]?.row_count], [true, null]);
    assert.deepEqual(
      [records[1]?.sql, records[1]?.params, records[1]?.mode, records[1]?.row_count, records[1]?.error],
      ["SELECT :i AS i", { i: 101 }, "read", 1, null],
    );
    assert.match(records[1]?.at ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await node.stop();
    node = await start(10_000);
    assert.deepEqual(await history(), records);
  });
});
