/** @module Health and metrics of a node. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { startGateway } from "../helpers/gateway.ts";
import { request } from "../helpers/http.ts";
import { until } from "../helpers/until.ts";

describe("Health", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet({ groups: 8 });
  });
  after(() => fleet?.stop());

  it("is live and ready on every node of a fleet that is up", async () => {
    for (const { url } of fleet.nodes) {
      for (const path of ["/health/live", "/health/ready"]) {
        const { status, body, headers } = await request(url, "GET", path);
        assert.deepEqual([status, body], [200, { status: "ok" }]);
        assert.equal(headers.get("cache-control"), "no-store");
      }
    }
  });

  it("is 503 starting, with the time to try again, as long as the node's own services are missing", async () => {
    const gateway = await startGateway();
    try {
      const { status, body, headers } = await request(gateway.url, "GET", "/health/ready");
      assert.equal(status, 503);
      assert.deepEqual(body, { status: "starting", reason: "groups_recovering", retry_after_ms: 1000 });
      assert.equal(headers.get("retry-after"), "1");
      assert.equal((await request(gateway.url, "GET", "/health/live")).status, 200);
    } finally {
      await gateway.stop();
    }
  });

  it("is 503 with the status and the reason that the node gives", async () => {
    const readiness = { status: "degraded", reason: "engine_unwritable" };
    const gateway = await startGateway({
      services: [{ name: "fleet.ops", actions: { ready: () => readiness } }],
    });
    try {
      const { status, body } = await request(gateway.url, "GET", "/health/ready");
      assert.equal(status, 503);
      assert.deepEqual(body, { ...readiness, retry_after_ms: 1000 });
    } finally {
      await gateway.stop();
    }
  });

  it("is 503 while the log takes no entry, however much is read meanwhile", async () => {
    const alone = await startFleet({ nodes: 1, groups: 1, env: { FLEET_APPEND_TIMEOUT_MS: "300" } });
    const { url } = alone.nodes[0]!;
    const other = new DatabaseSync(join(alone.dataDir, "log.sqlite"));
    try {
      await request(url, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
      // Somebody else holds the file's write lock.
      other.exec("BEGIN IMMEDIATE");
      await until("it is not ready", async () => {
        assert.equal((await request(url, "GET", "/api/sessions/s")).status, 200);
        const { status, body } = await request(url, "GET", "/health/ready");
        return status === 503 && body.reason === "engine_unwritable";
      });
      other.exec("ROLLBACK");
      await until("it is ready again", async () => {
        return (await request(url, "GET", "/health/ready")).status === 200;
      });
    } finally {
      other.close();
      await alone.stop();
    }
  });

  it("is a node's own: it is not ready because another one is", async () => {
    const namespace = `health-${process.pid}`;
    const ready = { name: "fleet.ops", actions: { ready: () => ({ status: "ok" }) } };
    const other = await startGateway({ namespace, services: [ready] });
    const gateway = await startGateway({ namespace });
    try {
      await gateway.broker.waitForServices("fleet.ops");
      assert.equal((await request(other.url, "GET", "/health/ready")).status, 200);
      assert.equal((await request(gateway.url, "GET", "/health/ready")).status, 503);
    } finally {
      await gateway.stop();
      await other.stop();
    }
  });

  describe("GET /metrics", () => {
    it("is Prometheus text with names that begin with fleet_, and no id as a label", async () => {
      const { url } = fleet.nodes[0]!;
      const user_id = "metrics-user-7431";
      const created = await request(url, "POST", "/api/sessions", { user_id, agent_id: "agent-7431" });
      const { id } = created.body.session;
      await request(url, "POST", `/api/sessions/${id}/messages`, { user_id, content: {} });
      const response = await fetch(`${url}/metrics`);
      const text = await response.text();
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
      assert.match(text, /^fleet_append_duration_seconds_count\{status="ok"\} [1-9]/m);
      const names = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      assert.deepEqual(
        names.filter((line) => !line.startsWith("fleet_")),
        [],
      );
      for (const secret of [id, user_id, "agent-7431"]) assert.ok(!text.includes(secret));
    });
  });

  describe("GET /api/fleet/status", () => {
    it("shows the fleet: every group has a leader, every node is available", async () => {
      for (const { url, id } of fleet.nodes) {
        const response = await fetch(`${url}/api/fleet/status`);
        assert.equal(response.status, 200);
        const status = JSON.parse(await response.text());
        assert.equal(status.node_id, id);
        assert.equal(status.mode, "embedded");
        assert.equal(status.engine.kind, "sqlite");
        assert.equal(status.groups, 8);
        assert.equal(status.leaders.length, 8);
        assert.equal(status.applied.length, 8);
        const ids = status.nodes.map((node: { id: string }) => node.id).sort();
        assert.deepEqual(ids, fleet.nodes.map((node) => node.id).sort());
        for (const leader of status.leaders) assert.ok(ids.includes(leader));
        assert.equal(status.followers.length, 8);
        for (const [group, followers] of status.followers.entries()) {
          assert.deepEqual([...followers, status.leaders[group]].sort(), ids, `copies of group ${group}`);
        }
      }
    });
  });
});
