/** @module Acknowledgements and runs when a node's process is killed on the way, and when nodes share a region. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { originClock } from "../../lib/clock.ts";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import type { AckStatus, Reception, SentDrill, SentMessage } from "../../services/acks/contract.ts";
import drill from "../../services/acks/drill.service.ts";
import messages from "../../services/acks/messages.service.ts";
import sender from "../../services/acks/sender.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import { FleetNode, fleetFolder } from "../helpers/agent-fleet.ts";
import { AGENT, actors, DISCOVERY } from "../helpers/console.ts";
import { UNREACHABLE } from "../helpers/database.ts";
import { testBroker } from "../helpers/gateway.ts";
import { type NatsServers, startNats } from "../helpers/nats.ts";
import { freePort, Program } from "../helpers/program.ts";
import type { Summary } from "../helpers/run-cluster.ts";
import { suspend } from "../helpers/suspend.ts";
import { until } from "../helpers/until.ts";

const RUN = "of-the-killed";

async function acknowledge(endpoint: string, message_pk: string, ack_node_id: string): Promise<number> {
  const body = JSON.stringify({ message_pk, ack_node_id });
  return (await fetch(`http://${endpoint}/api/acknowledge`, { method: "POST", body })).status;
}

describe("An originator whose process is killed between a send and its acknowledgement", function () {
  this.timeout(90_000);
  let folder: string;
  let nats: NatsServers;
  let base: number;
  let one: FleetNode;
  let two: FleetNode;
  let originator: Program;
  let receiver: Program;
  let lost: SentMessage;
  const programs: Program[] = [];

  before(async () => {
    folder = fleetFolder();
    nats = await startNats({ size: 1 });
    base = await freePort(12);
    one = new FleetNode(base + 1);
    two = new FleetNode(base + 2);
    [originator, receiver] = await Promise.all([start(1), start(2)]);
    for (const node of [one, two]) await receives(node);
    const run = await one.ask("POST /api/analytics/aggregation/start", { experiment_id: RUN });
    assert.equal(run.status, 200, run.text);
    await until("both are in the run", async () => (await runAt(two)) === RUN && (await runAt(one)) === RUN);
    // A read writes what waits for its batch: an owner that is killed sooner has no row of its own.
    assert.equal((await summary(one)).experiment?.status, "running");

    // Its agent takes the message meanwhile, and nobody acknowledges it.
    await suspendReceiver();
    lost = await send("lost");
    const agent = new CorrosionClient({ url: `http://127.0.0.1:${base + 5}`, token: null });
    await until("the receiver's agent has the message", async () => {
      const { rows } = await agent.query(["SELECT 1 FROM node_messages WHERE pk = ?", [lost.pk]]);
      return rows.length === 1;
    });
    await originator.end("SIGKILL");
    receiver.signal("SIGCONT");
    await until("the receiver reaches nobody", async () => (await reception(lost.pk))?.last_error);
    originator = await start(1);
    await receives(one);
  });
  after(async () => {
    receiver?.signal("SIGCONT");
    await Promise.all(programs.map((program) => program.end("SIGINT")));
    await nats?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function start(node: 1 | 2): Promise<Program> {
    const program = new Program("node", {
      NATS_URL: nats.servers.join(","),
      DATABASE_URL: UNREACHABLE,
      NODE_ID: String(node),
      CLUSTER_SIZE: "2",
      PORT: String(base + node),
      FLEET_GROUPS: "2",
      DATA_DIR: join(folder, `d${node}`),
      FLEET_LOG_LEVEL: "error",
      CORROSION_MODE: "embedded",
      CORROSION_API_PORT: String(base + 3 + node),
      CORROSION_GOSSIP_PORT: String(base + 6 + node),
      CORROSION_CONFIG_DIR: join(folder, "c"),
      API_PORT: String(base + 9 + node),
    });
    programs.push(program);
    return program.ready();
  }
  async function suspendReceiver(): Promise<void> {
    assert.ok(receiver.child.pid);
    await suspend(receiver.child.pid);
  }
  const receives = (node: FleetNode) =>
    until(
      `${node.url} hears of messages`,
      async () => (await node.ask("GET /api/analytics/health")).body.receiving,
      60_000,
    );
  async function runAt(node: FleetNode): Promise<string | null> {
    const { experiment } = (await node.ask("GET /api/analytics/aggregation/status")).body as {
      experiment: { id: string } | null;
    };
    return experiment?.id ?? null;
  }
  async function send(content: string): Promise<SentMessage> {
    const { body, status, text } = await one.ask("POST /api/messages/send", { content });
    assert.equal(status, 200, text);
    return body.message as unknown as SentMessage;
  }
  async function reception(pk: string): Promise<Reception | null> {
    const { body, status } = await two.ask(`GET /api/receptions/${pk}`);
    return status === 200 ? (body as unknown as Reception) : null;
  }
  const acks = async (pk: string) => (await one.ask(`GET /api/acks/${pk}`)).body as unknown as AckStatus;
  async function summary(node: FleetNode): Promise<Summary> {
    return (await node.ask(`GET /api/analytics/experiments/${RUN}/summary`)).body as unknown as Summary;
  }

  it("is asked again once it is back, and answers that it knows no such message", async () => {
    const { ack_state, last_error, reception_count } = await until(
      "the receiver has its answer",
      async () => {
        const found = await reception(lost.pk);
        return found?.ack_state === "failed" && found.last_error?.includes("answered 404") ? found : null;
      },
      25_000,
    );
    assert.deepEqual([ack_state, reception_count], ["failed", 1], last_error ?? "");
    assert.equal((await one.ask(`GET /api/acks/${lost.pk}`)).status, 404);
  });

  it("credits the acknowledgement of before to no message of afterwards", async () => {
    await suspendReceiver();
    const next = await send("next");
    assert.ok(next.sequence > lost.sequence);
    assert.equal(await acknowledge(`127.0.0.1:${base + 10}`, lost.pk, "dev-node2"), 404);
    const waiting = await acks(next.pk);
    assert.deepEqual([waiting.state, waiting.ack_count, waiting.expected], ["pending", 0, ["dev-node2"]]);
    receiver.signal("SIGCONT");
    const done = await until("it is acknowledged", async () => {
      const now = await acks(next.pk);
      return now.state === "complete" ? now : null;
    });
    assert.deepEqual(
      done.acknowledgments.map(({ node_id }) => node_id),
      ["dev-node2"],
    );
    assert.equal((await reception(next.pk))?.ack_state, "acked");
  });

  it("shows its run as interrupted, at itself and at the others, and nothing of it as acknowledged", async () => {
    for (const node of [one, two]) {
      const { ack_count, experiment, nodes_missing } = await until(
        `${node.url} shows it`,
        async () => {
          const now = await summary(node);
          return now.experiment?.status === "interrupted" ? now : null;
        },
        25_000,
      );
      assert.deepEqual([ack_count, nodes_missing, experiment?.owner_node], [0, [], "dev-node1"]);
      assert.ok(experiment?.ended_at);
    }
    assert.equal(await runAt(one), null);
  });
});

describe("Two nodes in one region", function () {
  this.timeout(30_000);
  const IDS = ["fra-1", "ams-1", "ams-2"] as const;
  let brokers: ReturnType<typeof testBroker>["broker"][];
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "af-"));
    const namespace = `acks-faults-${process.pid}`;
    const nodes = IDS.map((id) => ({ node_id: id, region: id.split("-")[0] ?? "", machine: null }));
    brokers = IDS.map((nodeId) => {
      const env = { API_PORT: "0", DATA_DIR: join(folder, nodeId), FLEET_NODES: "1" };
      const { broker } = testBroker({ nodeId, namespace, env });
      broker.metadata.fleet = true;
      const room = actors({
        "corrosion.agent.status": () => AGENT,
        "corrosion.discovery.get": () => ({ ...DISCOVERY, nodes }),
        "corrosion.identity.configs": () => [],
      });
      for (const service of [...room, tracker, messages, sender, drill, ackGateway]) {
        broker.createService(service);
      }
      return broker;
    });
    await Promise.all(brokers.map((broker) => broker.start()));
    await until("all know each other", () =>
      brokers.every(({ registry }) => IDS.every((id) => registry.nodes.get(id)?.available)),
    );
  });
  after(async () => {
    await Promise.all((brokers ?? []).map((broker) => broker.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  const [originator = "", ...receivers] = IDS;
  const call = <T>(action: string, params: object = {}) =>
    brokers[0]!.call<T, object>(action, params, { nodeID: originator });
  const status = (pk: string) => call<AckStatus>("acks.tracker.status", { pk });

  it("acknowledge one message each, and are counted and told apart", async () => {
    const { pk } = await call<SentDrill>("acks.drill.send");
    const done = await until("both have acknowledged", async () => {
      const now = await status(pk);
      return now.state === "complete" ? now : null;
    });
    assert.deepEqual(done.expected, receivers);
    assert.deepEqual(done.acknowledgments.map(({ node_id, region }) => [node_id, region]).sort(), [
      ["ams-1", "ams"],
      ["ams-2", "ams"],
    ]);
    assert.deepEqual([done.ack_count, done.regions], [2, ["ams"]]);
  });

  it("do not speak for each other: one that acknowledges twice leaves the other one awaited", async () => {
    const pk = "fra-1_1";
    const sent = { pk, transport: "gossip", expected: receivers, experiment_id: null };
    await call("acks.tracker.track", { ...sent, sent_at_us: originClock() });
    const endpoint = String(brokers[0]?.metadata.ack_endpoint);
    for (let i = 0; i < 2; i++) assert.equal(await acknowledge(endpoint, pk, "ams-1"), 200);
    const half = await status(pk);
    assert.deepEqual([half.state, half.ack_count], ["pending", 1]);
    assert.deepEqual(
      half.acknowledgments.map(({ node_id }) => node_id),
      ["ams-1"],
    );
    assert.equal(await acknowledge(endpoint, pk, "ams-2"), 200);
    const whole = await status(pk);
    assert.deepEqual([whole.state, whole.ack_count, whole.regions], ["complete", 2, ["ams"]]);
  });
});
