/** @module The routes of experiments: their bodies, files and refusals, over a node's own store. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import aggregator from "../../services/analytics/aggregator.service.ts";
import type { Recorded } from "../../services/analytics/contract.ts";
import store from "../../services/analytics/store.service.ts";
import { ANALYTICS_ROUTES } from "../../services/gateway/routes/analytics.ts";
import { shortFolder } from "../helpers/agent-node.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";

const TOKEN = "s3cret";
const AT = 1_767_323_045_678_901;
const MICROS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const E = "/api/analytics/experiments";
const RUN = "/api/analytics/aggregation";

/** Two messages of node n, which two others acknowledged, the second one once. */
function recorded(id: string): Recorded {
  const base = {
    experiment_id: id,
    originating_node: "n",
    transaction_size_hint: 10,
    receipt_timestamp: null,
  };
  const sent = (message_id: string, at: number) =>
    ({
      ...base,
      message_id,
      target_node: null,
      event_type: "sent",
      region: "ams",
      event_timestamp: at,
    }) as const;
  const acked = (message_id: string, target_node: string, at: number) =>
    ({ ...base, message_id, target_node, event_type: "acked", region: "=1+1", event_timestamp: at }) as const;
  return {
    events: [
      sent("m1", AT),
      acked("m1", "a", AT + 10_000),
      acked("m1", "b", AT + 20_000),
      sent("m2", AT + 1_000_000),
      acked("m2", "a", AT + 1_030_000),
    ],
    experiments: [
      {
        id,
        status: "completed",
        owner_node: "n",
        transport: "gossip",
        message_count: 2,
        interval_ms: 1000,
        payload_bytes: 0,
        sent_count: 2,
        failed_count: 0,
        expected_nodes: ["a", "b", "n"],
        run_count: 1,
        started_at: AT - 500_000,
        ended_at: AT + 5_000_000,
        error: null,
      },
    ],
  };
}

describe("The routes of experiments", () => {
  let gate: TestGateway;
  const folder = shortFolder();
  before(async () => {
    gate = await startGateway({
      nodeId: "n",
      services: [store, aggregator],
      env: { DATA_DIR: join(folder, "data"), CONSOLE_TOKEN: TOKEN, ANALYTICS_CACHE_MS: "0" },
    });
    for (const id of ["one", "two"]) {
      await gate.broker.call("analytics.store.record", recorded(id), { nodeID: "n" });
    }
  });
  after(async () => {
    await gate?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function ask(target: string, body?: unknown, headers: Record<string, string> = bearer) {
    const [method = "", path = ""] = target.split(" ");
    const response = await fetch(gate.url + path, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : null };
  }
  const bearer = { authorization: `Bearer ${TOKEN}` };

  it("answer every report with its node, its time, its experiment, and who is in it and who is not", async () => {
    for (const kind of ["summary", "timing", "metrics", "events", "topology", "performance"]) {
      const { body, status } = await ask(`GET ${E}/one/${kind}`);
      assert.equal(status, 200, kind);
      assert.equal(body.node_id, "n");
      assert.equal(body.experiment_id, "one");
      assert.match(body.timestamp, MICROS);
      assert.deepEqual([body.nodes_reporting, body.nodes_missing], [["n"], ["a", "b"]], kind);
    }
    const { body } = await ask(`GET ${E}/one/summary?scope=local`);
    assert.deepEqual([body.send_count, body.ack_count, body.message_count, body.ack_rate], [2, 3, 5, 75]);
    assert.deepEqual([body.nodes_reporting, body.nodes_missing], [["n"], []]);
    const timing = (await ask(`GET ${E}/one/timing`)).body;
    assert.deepEqual(
      timing.timing_stats.map(({ avg_latency_ms }: { avg_latency_ms: number }) => avg_latency_ms),
      [15, 30],
    );
  });

  it("answer for an experiment that nobody knows with zeros and empty lists", async () => {
    const { body, status } = await ask(`GET ${E}/nobody/summary`);
    assert.equal(status, 200);
    assert.deepEqual(
      [body.message_count, body.send_count, body.ack_rate, body.experiment],
      [0, 0, null, null],
    );
    assert.deepEqual((await ask(`GET ${E}/nobody/events`)).body.message_events, []);
    assert.equal((await ask(`GET ${E}/nobody/export`)).status, 200);
    assert.deepEqual((await ask(`DELETE ${E}/nobody`)).body.deleted_on, ["n"]);
  });

  it("list experiments with their range of time", async () => {
    const { body } = await ask(`GET ${E}/list`);
    assert.equal(body.status, "success");
    assert.equal(body.count, 2);
    const [first] = body.experiments;
    assert.deepEqual(first.time_range, {
      start: "2026-01-02T03:04:05.678901Z",
      end: "2026-01-02T03:04:06.708901Z",
    });
    assert.deepEqual(
      [first.send_count, first.ack_count, first.transport, first.status],
      [2, 3, "gossip", "completed"],
    );
  });

  it("export an experiment as a file with its name and type, whole or in part", async () => {
    const json = await ask(`GET ${E}/one/export`);
    assert.equal(json.headers.get("content-disposition"), 'attachment; filename="experiment_one.json"');
    assert.match(json.headers.get("content-type") ?? "", /^application\/json/);
    assert.equal(json.body.metadata.exporter_version, "2.0.0");
    assert.equal(json.body.experiment.success_rate, 75);
    assert.equal(json.body.raw_events.length, 5);
    assert.deepEqual(
      [json.body.metadata.nodes_reporting, json.body.metadata.nodes_missing],
      [["n"], ["a", "b"]],
    );
    assert.equal(json.headers.get("x-nodes-missing"), "a,b");
    const local = await ask(`GET ${E}/one/export?scope=local`);
    assert.deepEqual([local.body.metadata.nodes_missing, local.headers.get("x-nodes-missing")], [[], null]);
    const small = await ask(`GET ${E}/one/export?include_raw_events=false&include_system_metrics=false`);
    assert.ok(!small.text.includes('"message_id"'));
    const csv = await ask(`GET ${E}/one/export?format=csv`);
    assert.equal(csv.headers.get("content-disposition"), 'attachment; filename="experiment_one.csv"');
    assert.match(csv.headers.get("content-type") ?? "", /^text\/csv/);
    assert.match(csv.text, /^section,key,field,value\r\n/);
    assert.ok(
      !csv.text.split(/[\r\n,"]/).some((cell) => cell.startsWith("=")),
      "nothing computes in a sheet",
    );
  });

  it("compare experiments as JSON and as CSV, and need some", async () => {
    const { body } = await ask(`GET ${E}/compare?ids=one,two,one`);
    assert.deepEqual(
      body.experiments.map(({ experiment_id }: { experiment_id: string }) => experiment_id),
      ["one", "two"],
    );
    assert.deepEqual(body.nodes_missing, ["a", "b"]);
    const csv = await ask(`GET ${E}/compare?ids=one,two&format=csv`);
    assert.equal(csv.headers.get("content-disposition"), 'attachment; filename="experiment_comparison.csv"');
    assert.equal(csv.text.trim().split("\r\n").length, 3);
    assert.equal(csv.headers.get("x-nodes-missing"), "a,b");
    const many = Array.from({ length: 21 }, (_, i) => i).join(",");
    for (const query of ["", "?ids=", "?ids=,%20,", `?ids=${many}`, "?ids=../x", "?ids=one&format=xml"]) {
      const refused = await ask(`GET ${E}/compare${query}`);
      assert.equal(refused.status, 400, query);
      assert.deepEqual(Object.keys(refused.body), ["error"], query);
    }
  });

  it("refuse ids that are none in every route, reads with a plain error", async () => {
    const hostile = [
      "%2e%2e%2f%2e%2e%2fetc",
      ".hidden",
      "a%20b",
      "a%0d%0ab",
      "%27%3bDROP",
      "%3Cimg%3E",
      "x".repeat(65),
    ];
    for (const route of ANALYTICS_ROUTES.filter(({ path }) => path.includes(":id"))) {
      for (const id of hostile) {
        const refused = await ask(`${route.method} ${route.path.replace(":id", id)}`);
        assert.equal(refused.status, 400, `${route.path} ${id}: ${refused.text}`);
        if (route.method === "GET") assert.deepEqual(Object.keys(refused.body), ["error"]);
        else assert.equal(refused.body.errors.detail, "Bad Request");
      }
    }
    assert.equal((await ask(`GET ${E}/%ff/summary`)).status, 400);
    const galaxy = await ask(`GET ${E}/one/summary?scope=galaxy`);
    assert.deepEqual([galaxy.status, galaxy.body], [400, { error: "scope must be one of cluster, local" }]);
    assert.equal((await ask(`GET ${E}/one/export?include_raw_events=maybe`)).status, 400);
    const unknown = await ask(`GET ${E}/one/nothing`);
    assert.deepEqual([unknown.status, unknown.body], [404, { errors: { detail: "Not Found" } }]);
  });

  it("refuse a start with wrong fields by each of them", async () => {
    const wrong = {
      experiment_id: "../x",
      message_count: 1001,
      interval_ms: 49,
      transport: "udp",
      replace: 1,
    };
    const refused = await ask(`POST ${RUN}/start`, wrong);
    assert.equal(refused.status, 400);
    assert.equal(refused.body.errors.detail, "Bad Request");
    assert.deepEqual(Object.keys(refused.body.fields).sort(), Object.keys(wrong).sort());
    assert.deepEqual(Object.keys((await ask(`POST ${RUN}/start`, {})).body.fields), ["experiment_id"]);
  });

  it("need the token for every change, and a trusted origin", async () => {
    for (const route of ANALYTICS_ROUTES) {
      const target = `${route.method} ${route.path.replace(":id", "one")}`;
      const body = route.method === "POST" ? {} : undefined;
      const without = await ask(target, body, {});
      assert.equal(without.status === 401, route.writes, target);
      if (!route.writes) continue;
      const foreign = await ask(target, body, { ...bearer, origin: "https://elsewhere.example" });
      assert.equal(foreign.status, 403, target);
    }
    assert.equal((await ask(`GET ${E}/list`)).body.count, 2, "nothing was deleted");
  });

  it("start, show and stop a run, of which there is one", async () => {
    const started = await ask(`POST ${RUN}/start`, { experiment_id: "live" });
    assert.equal(started.status, 200, started.text);
    assert.deepEqual(
      [started.body.status, started.body.result, started.body.experiment_id],
      ["success", "ok", "live"],
    );
    const { body } = await ask(`GET ${RUN}/status`);
    assert.deepEqual(
      [body.status, body.active_nodes, body.node_count, body.local_node_id],
      ["success", [], 0, "n"],
    );
    assert.deepEqual([body.experiment.id, body.experiment.role], ["live", "leading"]);
    assert.equal((await ask(`POST ${RUN}/start`, { experiment_id: "live" })).status, 409);
    assert.equal((await ask(`DELETE ${E}/live`)).status, 409);
    assert.equal((await ask(`DELETE ${E}`)).status, 409);
    assert.equal((await ask(`POST ${RUN}/stop`)).body.experiment_id, "live");
    assert.equal((await ask(`GET ${RUN}/status`)).body.experiment, null);
    assert.equal((await ask(`GET ${E}/live/summary`)).body.experiment.status, "stopped");
  });

  it("delete one experiment, then all", async () => {
    assert.deepEqual((await ask(`DELETE ${E}/live`)).body.deleted_on, ["n"]);
    assert.equal((await ask(`GET ${E}/list`)).body.count, 2);
    const all = await ask(`DELETE ${E}`);
    assert.deepEqual([all.status, all.body.deleted_on, all.body.unreachable], [200, ["n"], []]);
    assert.equal((await ask(`GET ${E}/list`)).body.count, 0);
  });

  it("say whether the database is well", async () => {
    const well = await ask("GET /api/analytics/health", undefined, {});
    assert.deepEqual([well.status, well.body.status, well.body.database], [200, "ok", "ok"]);
    const bare = await startGateway({ nodeId: "bare", services: [aggregator] });
    const response = await fetch(`${bare.url}/api/analytics/health`);
    assert.equal(response.status, 503);
    assert.equal(((await response.json()) as { database: string }).database, "error");
    await bare.stop();
  });
});
