/** @module Conversations over an embedded fleet, asked on every node through the bus. */
import assert from "node:assert/strict";
import type { Appended, CreatedSession, MessagePage } from "../../services/conversations/contract.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";
import { readAll } from "../helpers/load.ts";

describe("an embedded fleet of three nodes", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet();
  });
  after(() => fleet.stop());

  it("shows on every node what was appended on another one", async () => {
    const [one, two, three] = fleet.nodes.map(({ broker }) => broker);
    const { session } = await one!.call<CreatedSession, object>("sessions.create", {
      user_id: "u",
      agent_id: "a",
    });
    for (let i = 1; i <= 20; i++) {
      const { message } = await two!.call<Appended, object>("sessions.messages.append", {
        session_id: session.id,
        user_id: "u",
        content: { i },
      });
      assert.equal(message.seq, i);
    }
    const page = await three!.call<MessagePage, object>("sessions.messages.list", { session_id: session.id });
    assert.deepEqual(
      page.messages.map(({ seq }) => seq),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });
});

describe("the metrics of a fleet", () => {
  const NAMES = [
    "append_duration_seconds",
    "archive_conflicts_total",
    "archive_errors_total",
    "commit_duration_seconds",
    "read_duration_seconds",
    "group_role",
    "group_applied_index",
    "log_bytes",
    "leader_changes_total",
    "fenced_writes_total",
    "state_divergence_total",
    "hot_bytes",
    "inflight_bytes",
    "backpressure_total",
    "resident_sessions",
    "ws_connections",
    "ws_channels",
    "gap_repairs_total",
  ];

  it("have the contract's names, count what happened, and carry no session, user or agent id", async () => {
    const fleet = await startFleet({ nodes: 1, groups: 4 });
    try {
      const [{ url }] = fleet.nodes as [TestFleet["nodes"][0]];
      const ids = ["a-session-id", "a-user-id", "an-agent-id"];
      const [id, user_id, agent_id] = ids;
      await request(url, "POST", "/api/sessions", { id, user_id, agent_id });
      for (let n = 0; n < 3; n++) {
        await request(url, "POST", `/api/sessions/${id}/messages`, { user_id, content: { n } });
      }
      await request(url, "POST", `/api/sessions/${id}/messages`, { user_id: "stranger", content: {} });
      await request(url, "GET", `/api/sessions/${id}/messages`);
      const text = await (await fetch(`${url}/metrics`)).text();
      for (const name of NAMES) assert.match(text, new RegExp(`^# TYPE fleet_${name} `, "m"));
      assert.match(text, /^fleet_append_duration_seconds_count\{status="ok"\} 3$/m);
      assert.match(text, /^fleet_append_duration_seconds_count\{status="not_participant"\} 1$/m);
      assert.match(text, /^fleet_read_duration_seconds_count\{path="leader"\} 1$/m);
      assert.match(text, /^fleet_archive_available 1$/m);
      assert.match(text, /^fleet_engine_connected 1$/m);
      for (const name of ["engine_warnings", "groups_halted", "groups_stalled"]) {
        assert.match(text, new RegExp(`^fleet_${name} 0$`, "m"));
      }
      assert.match(text, /^fleet_resident_sessions 1$/m);
      assert.match(text, /^fleet_inflight_bytes 0$/m);
      assert.match(text, /^fleet_leader_changes_total 4$/m);
      assert.equal(text.match(/^fleet_group_role\{group="\d"\} 1$/gm)?.length, 4);
      for (const secret of ids) assert.ok(!text.includes(secret), secret);
    } finally {
      await fleet.stop();
    }
  });
});

describe("an embedded fleet under more load than it accepts", () => {
  it("refuses before acceptance only: what was answered 200 is stored, once, and nothing else is", async () => {
    const fleet = await startFleet({ env: { FLEET_INFLIGHT_BYTES: "40000" } });
    try {
      const urls = fleet.nodes.map(({ url }) => url);
      await request(urls[0]!, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
      const answers = await Promise.all(
        Array.from({ length: 300 }, (_, n) =>
          request(urls[n % 3]!, "POST", "/api/sessions/s/messages", {
            user_id: "u",
            content: { n, text: "x".repeat(4000) },
          }),
        ),
      );
      const taken = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status === 429);
      assert.ok(taken.length > 0 && refused.length > 0, `${taken.length} taken, ${refused.length} refused`);
      assert.equal(taken.length + refused.length, answers.length);
      for (const { body, headers } of refused) {
        assert.equal(body.code, "backpressure");
        assert.ok(Number(headers.get("retry-after")) >= 1 && body.retry_after_ms > 0);
      }
      const stored = await readAll(urls[1]!, "s");
      const bySeq = taken.map(({ body }) => body.message).sort((a, b) => a.seq - b.seq);
      assert.deepEqual(stored, bySeq);
    } finally {
      await fleet.stop();
    }
  });
});
