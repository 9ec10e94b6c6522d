/** @module Runs over three nodes with real agents: what they measure, who may start and stop them, and how they end. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SentMessage, Transport } from "../../services/acks/contract.ts";
import type {
  EventsBody,
  MetricsBody,
  PerformanceBody,
  TopologyBody,
} from "../../services/analytics/bodies.ts";
import type { DeletedOn, Reported } from "../../services/analytics/contract.ts";
import type { ConsoleNode } from "../helpers/console-cluster.ts";
import {
  ask,
  call,
  ended,
  type RunCluster,
  running,
  start,
  startRuns,
  summary,
} from "../helpers/run-cluster.ts";
import { until } from "../helpers/until.ts";

const IDS = ["dev-node1", "dev-node2", "dev-node3"];
const TRANSPORTS: readonly Transport[] = ["gossip", "pubsub"];

type Three = readonly [ConsoleNode, ConsoleNode, ConsoleNode];

describe("A run of three nodes", function () {
  this.timeout(120_000);
  let cluster: RunCluster;
  let nodes: Three;
  before(async () => {
    cluster = await startRuns({ nodes: 3 });
    nodes = cluster.nodes as unknown as Three;
  });
  after(() => cluster?.console.stop());

  for (const transport of TRANSPORTS) {
    it(`sends its messages over ${transport}, and all of them are acknowledged by all others`, async () => {
      const [one, two] = nodes;
      const id = `all-${transport}`;
      await start(one, {
        experiment_id: id,
        message_count: 5,
        interval_ms: 100,
        transport,
        payload_bytes: 300,
      });
      const row = await ended(one, id);
      assert.deepEqual(
        [row.status, row.sent_count, row.failed_count, row.run_count, row.error],
        ["completed", 5, 0, 1, null],
      );
      assert.deepEqual(row.expected_nodes, IDS);
      // Whoever is asked: all nodes' records are merged.
      for (const node of nodes) {
        const whole = await until("all is acknowledged", async () => {
          const now = await summary(node, id);
          return now.ack_count === 10 ? now : null;
        });
        assert.equal(whole.send_count, 5);
        assert.equal(whole.message_count, 15);
        assert.equal(whole.ack_rate, 100);
        assert.equal(whole.remote_node_count, 2);
        assert.deepEqual([whole.nodes_reporting, whole.nodes_missing], [IDS, []]);
        assert.equal(whole.experiment?.status, "completed");
      }
      const performance = (await ask(two, `GET /experiments/${id}/performance`))
        .body as unknown as PerformanceBody;
      for (const { max_ms, min_ms, node_id } of performance.per_node_performance) {
        assert.ok(min_ms! > 0 && max_ms! < 30_000, `${node_id}: ${min_ms} to ${max_ms} ms`);
      }
      const events = (await ask(two, `GET /experiments/${id}/events`)).body as unknown as EventsBody;
      const sent = events.message_events.filter(({ event_type }) => event_type === "sent");
      assert.ok(sent.every(({ transaction_size_hint }) => (transaction_size_hint ?? 0) >= 300));
    });
  }

  it("has metrics and exactly one topology snapshot of every node", async () => {
    const [one, , three] = nodes;
    await start(three, { experiment_id: "measured", message_count: 4, interval_ms: 300 });
    await ended(three, "measured");
    const metrics = await until("every node has metrics", async () => {
      const body = (await ask(one, "GET /experiments/measured/metrics")).body as unknown as MetricsBody;
      return new Set(body.system_metrics.map(({ node_id }) => node_id)).size === 3 ? body : null;
    });
    for (const metric of metrics.system_metrics) {
      assert.ok(metric.cpu_percent > 0 && metric.cpu_percent < 1000, `${metric.cpu_percent} %`);
      assert.ok(metric.memory_mb > 20, `${metric.memory_mb} MB`);
      assert.ok(metric.runtime_handles > 0);
      assert.equal(metric.erlang_processes, metric.runtime_handles);
      // The subscription of its node is always open.
      assert.ok(metric.corrosion_connections >= 1, `${metric.corrosion_connections} connections`);
      assert.ok(metric.event_loop_lag_ms >= 0);
    }
    const topology = (await ask(one, "GET /experiments/measured/topology")).body as unknown as TopologyBody;
    assert.deepEqual(topology.topology_snapshots.map(({ node_id }) => node_id).sort(), IDS);
    for (const { bootstrap_peers, transaction_frequency_ms } of topology.topology_snapshots) {
      assert.equal(bootstrap_peers.length, 2);
      assert.equal(transaction_frequency_ms, 300);
    }
  });

  it("is the only one: a second start is refused at every node, and replaces it when it says so", async () => {
    const [one, two, three] = nodes;
    await start(one, { experiment_id: "first" });
    for (const node of nodes) {
      const refused = await ask(node, "POST /aggregation/start", { experiment_id: "second" });
      assert.equal(refused.status, 409, refused.text);
      assert.equal(refused.body.code, "busy");
      assert.match(String(refused.body.error), /first, led by dev-node1/);
    }
    await start(three, { experiment_id: "second", replace: true });
    await until("all are in the second", async () => {
      const all = await Promise.all(nodes.map(running));
      return all.every((run) => run?.id === "second" && run.owner_node === three.id);
    });
    assert.equal((await summary(two, "first")).experiment?.status, "stopped");
    // Any node may stop it.
    const stopped = await ask(two, "POST /aggregation/stop");
    assert.deepEqual([stopped.status, stopped.body.experiment_id], [200, "second"]);
    for (const node of nodes) assert.equal((await ended(node, "second")).status, "stopped");
    const again = await ask(two, "POST /aggregation/stop");
    assert.deepEqual([again.status, again.body.experiment_id], [200, null]);
  });

  it("begins once where three nodes start one at the same time", async () => {
    for (let round = 1; round <= 3; round++) {
      const answers = await Promise.all(
        nodes.map((node) =>
          ask(node, "POST /aggregation/start", { experiment_id: `race-${round}-${node.id}` }),
        ),
      );
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
      await ask(nodes[0], "POST /aggregation/stop");
      await until("nobody is in a run", async () =>
        (await Promise.all(nodes.map(running))).every((run) => run === null),
      );
    }
  });

  it("opens again under its id, by any node, as its next run", async () => {
    const [one, two] = nodes;
    for (const [node, count] of [
      [one, 1],
      [two, 2],
    ] as const) {
      await start(node, { experiment_id: "again", message_count: 1, interval_ms: 50 });
      const row = await ended(node, "again");
      assert.deepEqual([row.run_count, row.owner_node, row.status], [count, node.id, "completed"]);
    }
    const whole = await until("both runs are acknowledged", async () => {
      const now = await summary(one, "again");
      return now.ack_count === 4 ? now : null;
    });
    assert.deepEqual([whole.send_count, whole.ack_rate], [2, 100]);
    const topology = (await ask(one, "GET /experiments/again/topology")).body as unknown as TopologyBody;
    assert.equal(topology.count, 6, "one of each node for each run");
  });

  it("tags what every node sends, and its summary is never zero while it runs", async () => {
    const [one, two, three] = nodes;
    await start(one, { experiment_id: "manual" });
    await until("all are in it", async () =>
      (await Promise.all(nodes.map(running))).every((run) => run?.id === "manual"),
    );
    const pks: string[] = [];
    for (const node of nodes) {
      const { pk } = await call<SentMessage>(node, "messages.send", { content: "by hand" });
      pks.push(pk);
      await until(
        "the send is counted",
        async () => (await summary(two, "manual")).send_count === pks.length,
      );
      for (const asked of nodes) assert.ok((await summary(asked, "manual")).send_count > 0);
    }
    await until("all is acknowledged", async () => (await summary(three, "manual")).ack_rate === 100);
    assert.equal((await summary(three, "manual")).experiment?.status, "running");
    await ask(three, "POST /aggregation/stop");
    await ended(one, "manual");
    const { pk } = await call<SentMessage>(one, "messages.send", { content: "afterwards" });
    const events = (await ask(one, "GET /experiments/manual/events")).body as unknown as EventsBody;
    const sent = events.message_events.filter(({ event_type }) => event_type === "sent");
    assert.deepEqual(sent.map(({ message_id }) => message_id).sort(), pks.sort());
    assert.ok(!pks.includes(pk));
  });

  it("tells each node's pages how far it is, that they answer, and how it ended", async () => {
    const [one, two] = nodes;
    await start(one, { experiment_id: "told", message_count: 3, interval_ms: 400 });
    await ended(two, "told");
    for (const { id } of nodes) {
      const mine = await until(`${id} was told`, () => {
        const list = cluster.told.get(id)?.filter(({ experiment_id }) => experiment_id === "told");
        return list?.some(({ type }) => type === "experiment_stopped") ? list : null;
      });
      assert.ok(mine.every(({ node_id }) => node_id === id));
      const progress = mine.filter((event) => event.type === "message_progress");
      assert.deepEqual(
        [progress.at(-1)?.sent_count, progress.at(-1)?.failed_count, progress.at(-1)?.total_count],
        [3, 0, 3],
      );
      const updates = mine.filter((event) => event.type === "cluster_update");
      assert.ok(updates.length > 0 && updates.every(({ node_count }) => node_count === 3));
      assert.deepEqual(
        mine.flatMap((event) => (event.type === "experiment_stopped" ? [event.status] : [])),
        ["completed"],
      );
    }
  });

  it("leaves failed sends out of what was sent, and its progress ends n of n", async () => {
    const [one] = nodes;
    // Nobody could acknowledge a message of a node that does not say where.
    const endpoint = one.broker.metadata.ack_endpoint;
    delete one.broker.metadata.ack_endpoint;
    try {
      await start(one, { experiment_id: "failing", message_count: 2, interval_ms: 50 });
      const row = await ended(one, "failing");
      assert.deepEqual([row.status, row.sent_count, row.failed_count], ["failed", 0, 2]);
      assert.match(row.error ?? "", /ack API/);
      assert.equal((await summary(one, "failing")).send_count, 0);
    } finally {
      one.broker.metadata.ack_endpoint = endpoint;
    }
  });

  it("is listed by every node, and deleted on all of them, but not while it is on", async () => {
    const [one, two, three] = nodes;
    await start(one, { experiment_id: "gone" });
    const refused = await ask(two, "DELETE /experiments/gone");
    assert.deepEqual([refused.status, refused.body.code], [409, "busy"], refused.text);
    assert.equal((await ask(two, "DELETE /experiments")).status, 409);
    await ask(one, "POST /aggregation/stop");
    await ended(three, "gone");
    const listed = async () => {
      const { body, status } = await ask(three, "GET /experiments/list");
      assert.equal(status, 200);
      return body.experiments as { experiment_id: string; status: string }[];
    };
    await until("it is listed", async () =>
      (await listed()).some(({ experiment_id, status }) => experiment_id === "gone" && status === "stopped"),
    );
    const deleted = (await ask(two, "DELETE /experiments/gone")).body as unknown as DeletedOn;
    assert.deepEqual([deleted.deleted_on, deleted.unreachable], [IDS, []]);
    await until("no node lists it", async () =>
      (await listed()).every(({ experiment_id }) => experiment_id !== "gone"),
    );
    const unknown = await summary(one, "gone");
    assert.deepEqual([unknown.message_count, unknown.ack_rate, unknown.experiment], [0, null, null]);
    await ask(one, "DELETE /experiments");
    await until("nothing is left", async () => (await listed()).length === 0);
  });

  it("answers for one node alone with scope=local", async () => {
    const [one, two] = nodes;
    await start(one, { experiment_id: "scoped", message_count: 1, interval_ms: 50 });
    await ended(one, "scoped");
    await until("all is acknowledged", async () => (await summary(two, "scoped")).ack_rate === 100);
    const own = await summary(one, "scoped", "?scope=local");
    assert.deepEqual([own.send_count, own.ack_count, own.topology_snapshots_count], [1, 2, 1]);
    assert.deepEqual([own.nodes_reporting, own.nodes_missing], [["dev-node1"], []]);
    const others = await summary(two, "scoped", "?scope=local");
    assert.deepEqual([others.send_count, others.topology_snapshots_count], [0, 1]);
    assert.equal((await summary(two, "scoped")).send_count, 1, "the cache keeps the scopes apart");
  });
});

describe("A run whose nodes lose each other", function () {
  this.timeout(120_000);
  let cluster: RunCluster;
  let nodes: Three;
  beforeEach(async () => {
    cluster = await startRuns({ nodes: 3, heartbeat: { interval: 1, timeout: 3 } });
    nodes = cluster.nodes as unknown as Three;
  });
  afterEach(() => cluster?.console.stop());

  it("is interrupted when its owner is gone without a word, and another one can start", async () => {
    const [one, two, three] = nodes;
    await start(three, { experiment_id: "orphan" });
    await until("all are in it", async () =>
      (await Promise.all(nodes.map(running))).every((run) => run?.id === "orphan"),
    );
    await three.broker.transit?.tx.disconnect();
    for (const node of [one, two]) {
      const row = await ended(node, "orphan");
      assert.equal(row.status, "interrupted");
      assert.match(row.error ?? "", /dev-node3 was not heard of/);
    }
    const metrics = async () =>
      ((await ask(one, "GET /experiments/orphan/metrics?scope=local")).body as unknown as MetricsBody).count;
    const before = await metrics();
    const now = await summary(one, "orphan");
    assert.deepEqual([now.nodes_reporting, now.nodes_missing], [["dev-node1", "dev-node2"], ["dev-node3"]]);
    await start(one, { experiment_id: "next", message_count: 1, interval_ms: 50 });
    assert.deepEqual((await ended(one, "next")).expected_nodes, ["dev-node1", "dev-node2"]);
    assert.equal(await metrics(), before, "a follower without ticks samples no more");
  });

  it("names a node that is cut off as missing, and goes on without it", async () => {
    const [one, two, three] = nodes;
    await start(one, { experiment_id: "cut" });
    await call<SentMessage>(one, "messages.send", { content: "before" });
    await until("all is acknowledged", async () => (await summary(two, "cut")).ack_rate === 100);
    await three.broker.transit?.tx.disconnect();
    const without = await until("its absence shows", async () => {
      const now = await summary(two, "cut");
      return now.nodes_missing.length > 0 ? now : null;
    });
    assert.deepEqual(
      [without.nodes_reporting, without.nodes_missing],
      [["dev-node1", "dev-node2"], ["dev-node3"]],
    );
    assert.ok(without.send_count > 0, "what the others have is there");
    const deletion = async () => {
      await ask(one, "POST /aggregation/stop");
      return (await ask(one, "DELETE /experiments/cut")).body as unknown as DeletedOn;
    };
    const deleted = await deletion();
    assert.deepEqual([deleted.deleted_on, deleted.unreachable], [["dev-node1", "dev-node2"], ["dev-node3"]]);
    const reported = (await ask(three, "GET /experiments/cut/summary")).body as unknown as Reported;
    assert.ok(reported.nodes_missing.includes("dev-node1"));
  });

  it("is interrupted when its owner is stopped, and the others hear so at once", async () => {
    const [one, two, three] = nodes;
    await start(three, { experiment_id: "leaving" });
    await until("all are in it", async () =>
      (await Promise.all(nodes.map(running))).every((run) => run?.id === "leaving"),
    );
    await three.broker.stop();
    // It says so itself: nobody waits for its silence.
    for (const node of [one, two]) assert.equal((await ended(node, "leaving", 3000)).status, "interrupted");
  });
});

describe("A run that has only just begun", function () {
  this.timeout(120_000);

  it("is in its owner's file by the time its start is answered, so that a kill leaves its row", async () => {
    const cluster = await startRuns({ nodes: 1, env: { FLEETPORT_ENV: "dev" }, batchMs: 3_600_000 });
    try {
      const [one] = cluster.nodes as unknown as [ConsoleNode];
      await start(one, { experiment_id: "killed" });
      const db = new DatabaseSync(join(cluster.console.folder, "d", "node1", "analytics.db"), {
        readOnly: true,
      });
      const row = db.prepare("SELECT status, owner_node FROM experiments WHERE id = 'killed'").get();
      db.close();
      assert.deepEqual({ ...row }, { status: "running", owner_node: one.id });
    } finally {
      await cluster.console.stop();
    }
  });
});
