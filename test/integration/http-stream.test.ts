/** @module `/api/stream`: a node's events, as they reach a page. */
import assert from "node:assert/strict";
import type { Context } from "moleculer";
import {
  ACKS,
  type Actions,
  AGENT,
  ALL_WELL,
  actors,
  ask,
  JOB,
  SUBSCRIBER,
  UPDATE,
} from "../helpers/console.ts";
import { EventSource } from "../helpers/event-source.ts";
import { startGateway, type TestGateway, testBroker } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";

const TOPICS = [
  "message_updates",
  "ack_events",
  "reception_updates",
  "cluster_membership",
  "agent_state",
  "config_job",
  "cluster_config_coordination",
  "corrosion",
  "groups",
];

describe("GET /api/stream", () => {
  let gate: TestGateway | undefined;
  const sources: EventSource[] = [];
  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    await gate?.stop();
    gate = undefined;
  });

  async function over(actions: Actions, options: { namespace?: string } = {}): Promise<TestGateway> {
    gate = await startGateway({ services: actors(actions), nodeId: "n", ...options });
    return gate;
  }
  async function listen({ url }: TestGateway, topics: string, options = {}): Promise<EventSource> {
    const source = await EventSource.open(url, topics, options);
    sources.push(source);
    return source;
  }

  it("brings every event of section 2 under its own name, with an id, in order", async () => {
    const gate = await over({});
    const source = await listen(gate, [...TOPICS, "analytics:run.1"].join(","));
    assert.equal(source.response.statusCode, 200);
    const sent = [
      ["message_updates", { node_id: "n", type: "new_message", row: { message: "line\nbreak\r\n\n: x" } }],
      ["ack_events", { node_id: "n", ack_count: 2 }],
      ["reception_updates", { node_id: "n", message_pk: "p" }],
      ["cluster_membership", { members: [], error: null }],
      ["agent_state", AGENT],
      ["config_job", JOB],
      ["cluster_config_coordination", UPDATE],
      ["corrosion.restarting", { node_id: "n", restart_id: "r" }],
      ["corrosion.ready", { node_id: "n", restart_id: "r" }],
      ["corrosion.restart_failed", { node_id: "n", restart_id: "r", phase: "health" }],
      ["raft.leader.changed", { group: 7, node: "n", epoch: 3 }],
      ["raft.leader.ended", { group: 7, node: "n", reason: "released" }],
      ["raft.replica.halted", { group: 7, node: "n", problem: "p" }],
      ["archive.stalled", { group: 7, node: "n", problem: "p" }],
      ["archive.resumed", { group: 7, node: "n", problem: null }],
      ["analytics_events", { node_id: "n", experiment_id: "run.1", type: "cluster_update" }],
    ] as const;
    for (const [event, payload] of sent) await gate.broker.broadcastLocal(event, payload);
    const events = await source.untilEvents(sent.length);
    assert.deepEqual(
      events.map(({ event, data }) => [event, data]),
      sent.map(([event, payload]) => [event, payload]),
    );
    const ids = events.map(({ id }) => Number(id));
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
    assert.equal(new Set(ids).size, ids.length);
  });

  it("says how it is to be read, and when to come back", async () => {
    const { response, ...source } = await listen(await over({}), "agent_state");
    assert.match(response.headers["content-type"] ?? "", /^text\/event-stream/);
    assert.equal(response.headers["cache-control"], "no-store");
    assert.equal(response.headers["x-accel-buffering"], "no");
    assert.equal(response.headers["x-content-type-options"], "nosniff");
    assert.equal(response.headers["access-control-allow-origin"], undefined);
    await until("the hint", () => /^retry: \d{4}\n\n/.test(sources[0]!.text));
    assert.equal(source.ended, null);
  });

  it("brings nothing of topics that were not asked for, nor of other experiments", async () => {
    const gate = await over({});
    const source = await listen(gate, "analytics:a,config_job");
    await gate.broker.broadcastLocal("agent_state", AGENT);
    await gate.broker.broadcastLocal("analytics_events", { node_id: "n", experiment_id: "b" });
    await gate.broker.broadcastLocal("analytics_events", { node_id: "n" });
    await gate.broker.broadcastLocal("analytics_events", { node_id: "n", experiment_id: "a" });
    await gate.broker.broadcastLocal("config_job", { ...JOB, node_id: "n" });
    const events = await source.untilEvents(2);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["analytics_events", "config_job"],
    );
  });

  it("drops what belongs to another node, by its sender and by its payload, but for the cluster's own", async () => {
    const namespace = `stream-${process.pid}`;
    const other = testBroker({ namespace, nodeId: "other" });
    await other.broker.start();
    const gate = await over({}, { namespace });
    try {
      const source = await listen(gate, TOPICS.join(","));
      await until("the nodes know each other", () =>
        other.broker.registry
          .getNodeList({ onlyAvailable: true })
          .some((node: { id: string }) => node.id === "n"),
      );
      await gate.broker.broadcastLocal("agent_state", { ...AGENT, node_id: "other" });
      await gate.broker.broadcastLocal("message_updates", { node_id: "other", type: "subscription_ready" });
      await other.broker.broadcast("corrosion.ready", { node_id: "other", restart_id: "1" });
      // A node that lies about itself.
      await other.broker.broadcast("corrosion.ready", { node_id: "n", restart_id: "2" });
      await other.broker.broadcast("cluster_membership", { members: ["foreign"] });
      await other.broker.broadcast("cluster_config_coordination", { ...UPDATE, initiator: "other" });
      await other.broker.broadcast("raft.leader.changed", { group: 0, node: "other", epoch: 2 });
      const first = await source.untilEvents(2);
      assert.deepEqual(
        first.map(({ event }) => event),
        ["cluster_config_coordination", "raft.leader.changed"],
      );
      await gate.broker.broadcastLocal("corrosion.ready", { node_id: "n", restart_id: "3" });
      const events = await source.untilEvents(3);
      assert.deepEqual(events[2]?.data, { node_id: "n", restart_id: "3" });
    } finally {
      await other.broker.stop();
    }
  });

  it("begins with where each topic stands", async () => {
    const source = await listen(await over(ALL_WELL), TOPICS.join(","));
    const events = await source.untilEvents(7);
    const states = Object.fromEntries(events.map(({ event, data }) => [event, data]));
    assert.deepEqual(Object.keys(states).sort(), [
      "ack_events",
      "agent_state",
      "cluster_config_coordination",
      "cluster_membership",
      "config_job",
      "sender_status",
      "subscriber_status",
    ]);
    assert.deepEqual(states.subscriber_status, SUBSCRIBER);
    assert.deepEqual(states.ack_events, ACKS);
    assert.deepEqual(states.agent_state, AGENT);
    assert.deepEqual(states.config_job, JOB);
  });

  it("says nothing of a topic that has no state yet, or whose actor fails or is absent", async () => {
    const gate = await over({
      "corrosion.config.job": () => null,
      "corrosion.members.get": () => {
        throw new Error("not now");
      },
    });
    const source = await listen(gate, TOPICS.join(","));
    await gate.broker.broadcastLocal("cluster_membership", { members: [] });
    const events = await source.untilEvents(1);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["cluster_membership"],
    );
    assert.deepEqual(gate.errors, []);
  });

  it("sends what happens meanwhile after the state, so that the newest comes last", async () => {
    const answering = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const gate = await over({
      "corrosion.agent.status": async (_ctx: Context) => {
        asked.resolve();
        await answering.promise;
        return { ...AGENT, state: "starting" };
      },
    });
    const source = await listen(gate, "agent_state,corrosion");
    await asked.promise;
    await gate.broker.broadcastLocal("agent_state", { ...AGENT, state: "running" });
    await gate.broker.broadcastLocal("corrosion.ready", { node_id: "n", restart_id: "r" });
    // Another topic does not wait.
    assert.deepEqual(
      (await source.untilEvents(1)).map(({ event }) => event),
      ["corrosion.ready"],
    );
    answering.resolve();
    const events = await source.untilEvents(3);
    const states = events.flatMap(({ event, data }) =>
      event === "agent_state" ? [(data as typeof AGENT).state] : [],
    );
    assert.deepEqual(states, ["starting", "running"]);
  });

  it("answers HEAD with the headers alone, and other methods with 404", async () => {
    const { url } = await over({});
    const response = await fetch(`${url}/api/stream?topics=corrosion`, { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    assert.equal(await response.text(), "");
    assert.equal((await fetch(`${url}/api/stream?topics=corrosion`, { method: "OPTIONS" })).status, 204);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const { status, body } = await ask({ url }, `${method} /api/stream?topics=corrosion`);
      assert.deepEqual([status, body], [404, { errors: { detail: "Not Found" } }]);
    }
  });

  for (const query of [
    "",
    "?topics=",
    "?topics=nothing",
    "?topics=agent_state,",
    "?topics=agent_state,nothing",
    "?topics=analytics:",
    "?topics=analytics:.x",
    "?topics=analytics:a/b",
    `?topics=analytics:${"a".repeat(65)}`,
    "?topics=__proto__",
    "?topics=constructor",
    "?topics=analytics_events",
    "?topics=pubsub_ack_test",
  ]) {
    it(`answers ${query.slice(0, 40) || "no query"} with 400 and the list of topics`, async () => {
      const { status, body } = await ask(await over({}), `GET /api/stream${query}`);
      assert.deepEqual([status, body.status, body.code], [400, "error", "unknown_topic"]);
      for (const topic of [...TOPICS, "analytics:{id}"]) assert.ok(String(body.error).includes(topic), topic);
    });
  }

  it("answers more topics than a page has with 400", async () => {
    const topics = Array.from({ length: 21 }, (_, i) => `analytics:${i}`).join(",");
    const { status, body } = await ask(await over({}), `GET /api/stream?topics=${topics}`);
    assert.deepEqual([status, body.code], [400, "too_many_topics"]);
  });

  it("ends when the gateway closes, which does not wait for it", async () => {
    const gate = await over({});
    const source = await listen(gate, "corrosion");
    const began = performance.now();
    await gate.broker.call("gateway.close", { spread_ms: 0 }, { nodeID: "n" });
    await until("the end", () => source.ended !== null);
    assert.equal(source.ended, "end");
    assert.ok(performance.now() - began < 1500);
  });

  it("ends when the node stops", async () => {
    const stopping = await startGateway({ nodeId: "n" });
    const source = await listen(stopping, "corrosion");
    await stopping.stop();
    await until("the end", () => source.ended !== null);
  });

  it("forgets a client that went away", async () => {
    const gate = await over({});
    const service = gate.broker.getLocalService("gateway") as unknown as { streams: { size: number } };
    const source = await listen(gate, "corrosion");
    assert.equal(service.streams.size, 1);
    source.close();
    await until("nobody listens", () => service.streams.size === 0);
  });
});
