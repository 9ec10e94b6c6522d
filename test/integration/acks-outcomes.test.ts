/** @module Sends whose answer is lost, late or a refusal, and what shows that a message was written after all. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context, ServiceBroker } from "moleculer";
import type { AckStatus, SentMessage } from "../../services/acks/contract.ts";
import messages from "../../services/acks/messages.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import type { MessageEvent } from "../../services/analytics/contract.ts";
import { type Actions, AGENT, actors, DISCOVERY } from "../helpers/console.ts";
import { testBroker } from "../helpers/gateway.ts";
import { ScriptedAgent } from "../helpers/scripted-agent.ts";
import { until } from "../helpers/until.ts";

const DONE = { results: [{ rows_affected: 1, time: 0.001 }], version: 1, actor_id: "0".repeat(32) };
const REFUSED = { results: [{ error: "rusqlite: disk I/O error (actor_id: None, version: None)" }] };
const nodes = ["dev-node1", "dev-node2"].map((id) => ({ node_id: id, region: id, machine: null }));

describe("A message", function () {
  this.timeout(30_000);
  let agent: ScriptedAgent;
  let broker: ServiceBroker;
  let folder: string;
  const recorded: MessageEvent[] = [];
  let logged: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "ao-"));
    agent = await ScriptedAgent.start();
    recorded.splice(0);
    await start({
      "analytics.store.record": (ctx: Context<{ events: MessageEvent[] }>) =>
        void recorded.push(...ctx.params.events),
    } as Actions);
  });
  afterEach(async () => {
    await broker.stop();
    await agent.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(room: Actions): Promise<void> {
    const env = { DATA_DIR: folder, FLEET_NODES: "1" };
    const made = testBroker({ nodeId: "dev-node1", env, logLevel: "info" });
    broker = made.broker;
    logged = made.errors;
    broker.metadata.ack_endpoint = "127.0.0.1:5001";
    const here: Actions = {
      "corrosion.agent.status": () => ({ ...AGENT, api_url: agent.url }),
      "corrosion.discovery.get": () => ({ ...DISCOVERY, nodes }),
      ...room,
    };
    for (const service of [...actors(here), tracker, messages]) broker.createService(service);
    await broker.start();
  }

  const send = (params: object = {}) =>
    broker.call<SentMessage, object>("messages.send", { content: "x", experiment_id: "run", ...params });
  const latest = () => broker.call<AckStatus, object>("acks.tracker.status", {});
  const acknowledge = (pk: string) =>
    broker.call("acks.tracker.acknowledge", { pk, node_id: "dev-node2", receipt_timestamp: null });
  const inserts = () => agent.exchanges.filter(({ path }) => path.startsWith("/v1/transactions"));
  const insert = () => until("the insert is asked for", () => inserts()[0]);
  async function pkOnItsWay(): Promise<string> {
    const { latest_message } = await latest();
    assert.ok(latest_message);
    return latest_message.pk;
  }
  const kinds = () => recorded.map(({ event_type }) => event_type);

  it("is acknowledged also before its insert is answered, and its events are of one clock", async () => {
    const sent = send();
    const exchange = await insert();
    const pk = await pkOnItsWay();
    await acknowledge(pk);
    exchange.reply(200, DONE);
    assert.equal((await sent).pk, pk);
    const { ack_count, state } = await latest();
    assert.deepEqual([ack_count, state], [1, "complete"]);
    await until("both events are recorded", () => recorded.length === 2);
    assert.deepEqual(kinds().sort(), ["acked", "sent"]);
    const [acked, out] = recorded as [MessageEvent, MessageEvent];
    const latency = acked.event_timestamp - out.event_timestamp;
    assert.ok(latency > 0 && latency < 1_000_000, String(latency));
    assert.deepEqual(
      [out.message_id, out.experiment_id, out.target_node, acked.target_node],
      [pk, "run", null, "dev-node2"],
    );
  });

  it("that the agent refuses is not tracked and not recorded", async () => {
    const sent = send();
    (await insert()).reply(500, REFUSED);
    await assert.rejects(sent, { type: "sql_error", code: 400, message: /disk I\/O error/ });
    assert.equal((await latest()).latest_message, null);
    assert.deepEqual(recorded, []);
  });

  it("whose answer was lost is sent once its acknowledgement comes, and recorded with its own time", async () => {
    const began = performance.timeOrigin + performance.now();
    const sent = send();
    const exchange = await insert();
    const pk = await pkOnItsWay();
    exchange.cut();
    await acknowledge(pk);
    assert.equal((await sent).pk, pk);
    await until("it is recorded", () => kinds().includes("sent"));
    const out = recorded.find(({ event_type }) => event_type === "sent");
    assert.ok(out && out.event_timestamp >= began * 1000 && out.event_timestamp <= (began + 1000) * 1000);
  });

  it("whose answer was lost is sent once its own row is seen, of this node and no other", async () => {
    const sent = send();
    const exchange = await insert();
    const pk = await pkOnItsWay();
    exchange.cut();
    let over = false;
    void sent.finally(() => {
      over = true;
    });
    const row = { pk, node_id: "dev-node1", message: "x", sequence: 1 };
    const tell = (payload: object) => broker.broadcastLocal("message_updates", payload);
    agent.onRequest = (other) => other.reply(200, DONE);
    const foreign = [
      { node_id: "other", type: "new_message", row },
      { node_id: "dev-node1", type: "new_message", row: { ...row, node_id: "mallory" } },
    ];
    for (const update of foreign) {
      await tell(update);
      // Whatever it led to is over by the time that another message has gone all the way.
      await send();
      assert.equal(over, false, JSON.stringify(update));
    }
    recorded.splice(0);
    await tell({ node_id: "dev-node1", type: "new_message", row });
    assert.equal((await sent).pk, pk);
    await until("it is recorded", () => kinds().includes("sent"));
  });

  it("that nothing shows for five seconds fails with timeout, stays tracked, and counts when it turns up", async () => {
    const sent = send();
    const exchange = await insert();
    const pk = await pkOnItsWay();
    exchange.cut();
    await assert.rejects(sent, { type: "timeout", code: 504, message: /counts once it is acknowledged/ });
    assert.deepEqual(recorded, []);
    assert.equal(await pkOnItsWay(), pk);
    await acknowledge(pk);
    await until("it is recorded", () => kinds().includes("sent"));
  });

  it("of an agent that is not there fails with agent_unavailable, and is not tracked", async () => {
    await agent.stop();
    await assert.rejects(send(), { type: "agent_unavailable", code: 503 });
    assert.equal((await latest()).latest_message, null);
    agent = await ScriptedAgent.start();
  });

  it("is refused while the node advertises no ack API", async () => {
    delete broker.metadata.ack_endpoint;
    await assert.rejects(send(), { type: "send_unavailable", code: 503 });
    assert.deepEqual(agent.exchanges, []);
  });

  it("belongs to the run that is on, until its owner stops it", async () => {
    agent.onRequest = (exchange) => exchange.reply(200, DONE);
    const control = (type: string) =>
      broker.broadcast("experiment_control", { type, experiment_id: "r7", owner_node: "dev-node2" });
    await send({ experiment_id: undefined });
    await control("start");
    const tagged = await send({ experiment_id: undefined });
    await control("stop");
    await send({ experiment_id: undefined });
    assert.deepEqual(
      recorded.map(({ experiment_id, message_id }) => [experiment_id, message_id]),
      [["r7", tagged.pk]],
    );
  });

  it("is sent and acknowledged also when the run's events cannot be recorded, with a warning", async () => {
    await broker.stop();
    await start({});
    agent.onRequest = (exchange) => exchange.reply(200, DONE);
    const { pk } = await send();
    await acknowledge(pk);
    assert.equal((await latest()).state, "complete");
    await until("the log has it", () => logged.filter((line) => /not recorded/.test(line)).length === 2);
  });
});

describe("The tracker of a node", () => {
  it("tells how the newest message stands when it is sent, acknowledged, over its time, and reset", async () => {
    const { broker } = testBroker({ nodeId: "dev-node1", env: { ACK_DEADLINE_MS: "300" } });
    const told: AckStatus[] = [];
    broker.createService({
      name: "page",
      events: { ack_events: (ctx: Context<AckStatus>) => void told.push(ctx.params) },
    });
    broker.createService(tracker);
    await broker.start();
    try {
      const call = (action: string, params: object = {}) => broker.call(`acks.tracker.${action}`, params);
      const sent_at_us = Math.floor((performance.timeOrigin + performance.now()) * 1000);
      const base = { transport: "gossip", expected: ["b", "c"], sent_at_us, experiment_id: null };
      await call("track", { ...base, pk: "m1" });
      await call("acknowledge", { pk: "m1", node_id: "b", receipt_timestamp: null });
      await until("its time is over", () => told.at(-1)?.state === "partial");
      const late = await call("acknowledge", { pk: "m1", node_id: "c", receipt_timestamp: null });
      assert.deepEqual(late, { outcome: "counted", late: true });
      await call("reset");
      await until("all is told", () => told.length >= 5);
      assert.deepEqual(
        told.map(({ ack_count, state }) => [state, ack_count]),
        [
          ["pending", 0],
          ["pending", 1],
          ["partial", 1],
          ["partial", 2],
          [null, 0],
        ],
      );
      await assert.rejects(call("status", { pk: "m9" }), { type: "not_found", code: 404 });
    } finally {
      await broker.stop();
    }
  });
});
