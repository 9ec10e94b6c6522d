/** @module The console's routes: what each asks of its own node, and how it answers. */
import assert from "node:assert/strict";
import type { Context } from "moleculer";
import type { JsonObject } from "../../lib/json.ts";
import { CONSOLE_ROUTES } from "../../services/gateway/routes/console.ts";
import {
  ACKS,
  AGENT,
  ALL_WELL,
  actors,
  ask,
  DISCOVERY,
  JOB,
  MEMBERSHIP,
  SENT,
  targetOf,
  UPDATE,
} from "../helpers/console.ts";
import { startGateway, type TestGateway, testBroker } from "../helpers/gateway.ts";

const MICROS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

const CLUSTER = ["dns", "members", "corrosion", "disagreements"];

describe("The console's routes", () => {
  let gate: TestGateway;
  const calls: { action: string; params: unknown }[] = [];
  before(async () => {
    const recorded = Object.fromEntries(
      Object.entries(ALL_WELL).map(([name, handler]) => [
        name,
        (ctx: Context) => {
          calls.push({ action: name, params: ctx.params });
          return (handler as () => unknown)();
        },
      ]),
    );
    gate = await startGateway({ services: actors(recorded), nodeId: "n" });
  });
  beforeEach(() => void calls.splice(0));
  after(() => gate?.stop());

  const { status, last_updated, error, ...discovered } = DISCOVERY;
  const table: readonly [string, unknown, number, string, unknown, JsonObject][] = [
    [
      "GET /api/cluster/dns",
      undefined,
      200,
      "corrosion.discovery.get",
      {},
      { data: discovered, status, last_updated, error },
    ],
    [
      "GET /api/cluster/members",
      undefined,
      200,
      "corrosion.members.get",
      {},
      {
        data: { members: [], regions: ["ams"], member_count: 0 },
        status: "fetching",
        last_updated: MEMBERSHIP.cache_status.last_updated,
        error: null,
      },
    ],
    [
      "GET /api/cluster/corrosion",
      undefined,
      200,
      "corrosion.members.corrosion",
      {},
      { data: { members: [], tracked_peers: null, actor_id: "a" }, status: "ok", error: null },
    ],
    [
      "GET /api/cluster/disagreements",
      undefined,
      200,
      "corrosion.members.disagreements",
      {},
      { data: { observers: [], subjects: [], disagreement: false }, status: "ok", error: null },
    ],
    ["GET /api/node", undefined, 200, "corrosion.node.facts", {}, { region: "ams" }],
    ["GET /api/node/ping", undefined, 200, "corrosion.node.ping", {}, { ok: true, latency_ms: 1.5 }],
    ["GET /api/agent", undefined, 200, "corrosion.agent.status", {}, { ...AGENT }],
    ["GET /api/agent/logs", undefined, 200, "corrosion.agent.logs", {}, {}],
    ["GET /api/agent/logs?limit=20", undefined, 200, "corrosion.agent.logs", { limit: 20 }, {}],
    ["POST /api/agent/start", undefined, 202, "corrosion.agent.start", {}, { state: "starting" }],
    ["POST /api/agent/stop", {}, 202, "corrosion.agent.stop", {}, { state: "stopping" }],
    [
      "POST /api/agent/restart",
      { wait: true },
      202,
      "corrosion.agent.restart",
      {},
      { restart_id: "x1", joined: false },
    ],
    [
      "GET /api/config/bootstrap",
      undefined,
      200,
      "corrosion.config.get",
      {},
      { hosts: ["127.0.0.1:8788"], editable: true },
    ],
    [
      "PUT /api/config/bootstrap",
      { hosts: "a:1, b:2", wait: true },
      202,
      "corrosion.config.applyBootstrap",
      { hosts: "a:1, b:2" },
      { ...JOB },
    ],
    [
      "PUT /api/config/bootstrap",
      { hosts: null },
      202,
      "corrosion.config.applyBootstrap",
      { hosts: null },
      { ...JOB },
    ],
    [
      "POST /api/config/rollback",
      { backup_id: "b" },
      202,
      "corrosion.config.rollback",
      { backup_id: "b" },
      { job_id: "j1", kind: "rollback" },
    ],
    [
      "POST /api/config/rollback",
      undefined,
      202,
      "corrosion.config.rollback",
      {},
      { job_id: "j1", kind: "rollback" },
    ],
    [
      "POST /api/config/restore-canonical",
      undefined,
      202,
      "corrosion.config.restoreCanonical",
      {},
      { job_id: "j1", kind: "restore_canonical" },
    ],
    ["GET /api/config/job", undefined, 200, "corrosion.config.job", {}, { ...JOB }],
    ["GET /api/config/cluster", undefined, 200, "corrosion.coordinator.status", {}, { ...UPDATE }],
    [
      "POST /api/config/cluster",
      { hosts: ["a:1"], node_ids: ["n"], x: 1 },
      202,
      "corrosion.coordinator.update",
      { hosts: ["a:1"], node_ids: ["n"] },
      { update_id: "u1" },
    ],
    [
      "GET /api/config/nodes",
      undefined,
      200,
      "corrosion.identity.configs",
      {},
      { node_configs: [{ node_id: "n", corrosion_actor_id: "a" }], count: 1 },
    ],
    [
      "GET /api/console/presets",
      undefined,
      200,
      "corrosion.query.presets",
      {},
      { presets: [{ id: "cluster_info" }] },
    ],
    [
      "GET /api/console/history",
      undefined,
      200,
      "corrosion.query.history",
      {},
      { history: [{ id: 1, sql: "SELECT 1" }] },
    ],
    [
      "POST /api/console/run",
      { sql: "SELECT ?", params: [1], mode: "read", limit: 5, run_id: "r", preset: null, more: 1 },
      200,
      "corrosion.query.run",
      { sql: "SELECT ?", params: [1], mode: "read", limit: 5, run_id: "r", preset: null },
      { columns: ["1"], rows: [[1]], row_count: 1, truncated: false, elapsed_ms: 2 },
    ],
    [
      "DELETE /api/console/run/r1",
      undefined,
      200,
      "corrosion.query.cancel",
      { run_id: "r1" },
      { cancelled: true },
    ],
    [
      "POST /api/messages/send",
      { content: "it's", experiment_id: "x", index: 3 },
      200,
      "messages.send",
      { content: "it's" },
      { status: "success", message: SENT },
    ],
    ["POST /api/messages/send", { content: 7 }, 200, "messages.send", { content: 7 }, { status: "success" }],
    ["GET /api/messages", undefined, 200, "messages.list", {}, { messages: [], count: 0 }],
    [
      "GET /api/messages?limit=20&before=n_17",
      undefined,
      200,
      "messages.list",
      { limit: 20, before: "n_17" },
      { count: 0 },
    ],
    ["GET /api/acks", undefined, 200, "acks.tracker.status", {}, { ...ACKS }],
    ["GET /api/acks/r1", undefined, 200, "acks.tracker.status", { pk: "r1" }, { ...ACKS }],
    ["POST /api/acks/reset", {}, 200, "acks.tracker.reset", {}, { ...ACKS }],
    ["POST /api/acks/drill", {}, 200, "acks.drill.send", {}, { request_id: "pubsub_n_1" }],
    ["GET /api/receptions", undefined, 200, "acks.sender.all", {}, { receptions: [], count: 0 }],
    [
      "GET /api/receptions?min=2&scope=cluster",
      undefined,
      200,
      "acks.sender.all",
      { min: 2, scope: "cluster" },
      { count: 0 },
    ],
    [
      "GET /api/receptions?limit=20",
      undefined,
      200,
      "acks.sender.all",
      { limit: 20 },
      { receptions: [], count: 0 },
    ],
    ["GET /api/receptions/r1", undefined, 200, "acks.sender.get", { pk: "r1" }, { reception_count: 2 }],
    ["GET /api/sender", undefined, 200, "acks.sender.status", {}, { queued: 0 }],
    [
      "POST /api/fleet/nodes/r1/drain",
      { stay: false },
      202,
      "fleet.ops.drainNode",
      { node: "r1" },
      { node: "r1", draining: true },
    ],
    [
      "POST /api/fleet/nodes/r1/undrain",
      undefined,
      202,
      "fleet.ops.undrainNode",
      { node: "r1" },
      { node: "r1", draining: false },
    ],
  ];
  for (const [target, body, expected, action, params, shown] of table) {
    it(`answer ${target}${body === undefined ? "" : ` ${JSON.stringify(body)}`} with ${expected}, as ${action} says`, async () => {
      const reply = await ask(gate, target, body);
      assert.equal(reply.status, expected, reply.text);
      assert.deepEqual(calls, [{ action, params }]);
      for (const [name, value] of Object.entries(shown)) assert.deepEqual(reply.body[name], value, name);
      assert.equal(reply.body.node_id, "n");
      assert.match(String(reply.body.timestamp), MICROS);
      assert.equal(reply.headers.get("cache-control"), "no-store");
    });
  }

  it("each have a row above or below", () => {
    const rows = new Set(table.map(([target]) => target.replace(/\?.*/, "").replace(/r1(?=\/|$)/, ":id")));
    const rest = CONSOLE_ROUTES.map(({ method, path }) => `${method} ${path}`).filter(
      (target) => !rows.has(target),
    );
    assert.deepEqual(
      rest,
      CLUSTER.map((name) => `POST /api/cluster/${name}/refresh`),
    );
  });

  for (const name of CLUSTER) {
    it(`answer POST /api/cluster/${name}/refresh with 202 and what is known until then`, async () => {
      const { status: code, body } = await ask(gate, `POST /api/cluster/${name}/refresh`);
      assert.equal(code, 202);
      const known = await ask(gate, `GET /api/cluster/${name}`);
      assert.deepEqual(body.data, known.body.data);
      assert.deepEqual(body.status, known.body.status);
      const refresh = name === "dns" ? "corrosion.discovery.refresh" : "corrosion.members.refresh";
      assert.equal(calls[0]?.action, refresh);
    });
  }

  it("answer a job and an update that never were with an id of null", async () => {
    const none = await startGateway({
      services: actors({ "corrosion.config.job": () => null, "corrosion.coordinator.status": () => null }),
    });
    try {
      for (const [target, id] of [
        ["GET /api/config/job", "job_id"],
        ["GET /api/config/cluster", "update_id"],
      ] as const) {
        const { status, body } = await ask(none, target);
        assert.equal(status, 200);
        assert.deepEqual(Object.keys(body).sort(), [id, "node_id", "timestamp"].sort());
        assert.equal(body[id], null);
      }
    } finally {
      await none.stop();
    }
  });

  it("answer HEAD as GET, without the body, and change nothing by GET", async () => {
    const readable = CONSOLE_ROUTES.filter(({ writes }) => !writes).map(
      ({ path }) => new RegExp(`^${path.replace(":id", "[^/]+")}$`),
    );
    for (const route of CONSOLE_ROUTES) {
      const path = targetOf(route).split(" ")[1]!;
      const method = route.writes ? "GET" : "HEAD";
      calls.splice(0);
      const response = await fetch(gate.url + path, { method });
      const text = await response.text();
      if (method === "HEAD") assert.deepEqual([response.status, text], [200, ""], path);
      else if (readable.some((pattern) => pattern.test(path)))
        assert.ok(!calls.some(({ action }) => action === route.action), path);
      else assert.deepEqual([response.status, calls.length], [404, 0], path);
    }
  });

  it("ask their own node alone, even when another one has the actor and this one has not", async () => {
    const namespace = `console-${process.pid}`;
    const other = testBroker({ namespace, nodeId: "other" });
    for (const service of actors(ALL_WELL)) other.broker.createService(service);
    await other.broker.start();
    const bare = await startGateway({ namespace });
    try {
      await bare.broker.waitForServices(["corrosion.agent", "corrosion.node", "corrosion.query"]);
      for (const route of CONSOLE_ROUTES) {
        const { status, body } = await ask(bare, targetOf(route), route.writes ? {} : undefined);
        assert.deepEqual([status, body.code], [503, "service_unavailable"], route.path);
      }
    } finally {
      await bare.stop();
      await other.broker.stop();
    }
  });
});
