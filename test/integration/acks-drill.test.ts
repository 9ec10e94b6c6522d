/** @module Messages and drills of three nodes with everything that takes part: sent, received, acknowledged over HTTP. */
import assert from "node:assert/strict";
import type { Service } from "moleculer";
import { CorrosionError, failureType } from "../../lib/corrosion/failures.ts";
import type {
  AckStatus,
  DrillRequest,
  Reception,
  SentDrill,
  SentMessage,
} from "../../services/acks/contract.ts";
import drill from "../../services/acks/drill.service.ts";
import messages from "../../services/acks/messages.service.ts";
import sender from "../../services/acks/sender.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import type { MessageEvent } from "../../services/analytics/contract.ts";
import type { SubscriberStatus } from "../../services/corrosion/contract.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import { type ConsoleCluster, type ConsoleNode, startConsole } from "../helpers/console-cluster.ts";
import { ScriptedAgent } from "../helpers/scripted-agent.ts";
import { until } from "../helpers/until.ts";

const SERVICES = [subscriber, tracker, messages, sender, drill, ackGateway];

const call = <T>({ broker, id }: ConsoleNode, action: string, params: object = {}) =>
  broker.call<T, object>(action, params, { nodeID: id });
const statusOf = (node: ConsoleNode, pk: string) => call<AckStatus>(node, "acks.tracker.status", { pk });
const completes = (node: ConsoleNode, pk: string) =>
  until(`${pk} is acknowledged by all`, async () => {
    const status = await statusOf(node, pk);
    return status.state === "complete" ? status : null;
  });

describe("Three nodes that acknowledge", function () {
  this.timeout(120_000);
  let cluster: ConsoleCluster;
  let one: ConsoleNode;
  let two: ConsoleNode;
  let three: ConsoleNode;
  const recorded: MessageEvent[] = [];

  before(async () => {
    const store = {
      name: "analytics.store",
      actions: {
        record(this: Service, ctx: { params: { events: MessageEvent[] } }) {
          recorded.push(...ctx.params.events);
        },
      },
    };
    cluster = await startConsole({ nodes: 3, services: [...SERVICES, store], env: { ACK_TOKEN: "s3cret" } });
    [one, two, three] = cluster.nodes as [ConsoleNode, ConsoleNode, ConsoleNode];
    await cluster.running();
    for (const node of cluster.nodes) {
      await until(`${node.id} is subscribed`, async () => {
        const { change_id, state } = await call<SubscriberStatus>(node, "corrosion.subscriber.status");
        return state === "connected" && change_id !== null;
      });
    }
  });
  after(() => cluster?.stop());

  it("acknowledge a message that spread by gossip: all of the others, each once", async () => {
    const { pk } = await call<SentMessage>(one, "messages.send", { content: 'it\'s "quoted"; DROP TABLE x' });
    const { acknowledgments, ack_count } = await completes(one, pk);
    assert.equal(ack_count, 2);
    assert.deepEqual(acknowledgments.map(({ node_id }) => node_id).sort(), ["dev-node2", "dev-node3"]);
    for (const { latency_ms, receipt_timestamp } of acknowledgments) {
      assert.ok(latency_ms > 0 && latency_ms < 20_000);
      assert.match(receipt_timestamp ?? "", /^\d{4}-.*\d{6}Z$/);
    }
  });

  it("acknowledge each of many messages that all send at the same time", async () => {
    const sent = await Promise.all(
      cluster.nodes.flatMap((node) =>
        Array.from({ length: 20 }, async () => {
          const { pk } = await call<SentMessage>(node, "messages.send", { content: "burst" });
          return { node, pk };
        }),
      ),
    );
    for (const { node, pk } of sent) assert.equal((await completes(node, pk)).ack_count, 2);
  });

  it("acknowledge a drill, which leaves no row behind", async () => {
    const { node_id, pk, request_id, sequence } = await call<SentDrill>(two, "acks.drill.send");
    assert.deepEqual([request_id, pk], [`pubsub_dev-node2_${sequence}`, request_id]);
    assert.equal(node_id, "dev-node2");
    const { acknowledgments, expected, transport } = await completes(two, request_id);
    assert.deepEqual([transport, expected], ["pubsub", ["dev-node1", "dev-node3"]]);
    assert.deepEqual(acknowledgments.map(({ node_id }) => node_id).sort(), ["dev-node1", "dev-node3"]);
    assert.ok(acknowledgments.every(({ receipt_timestamp }) => receipt_timestamp !== null));
    const reception = await call<Reception>(one, "acks.sender.get", { pk: request_id });
    assert.deepEqual([reception.ack_state, reception.reception_count], ["acked", 1]);
    const own = call<Reception>(two, "acks.sender.get", { pk: request_id });
    await assert.rejects(own, (error) => failureType(error) === "not_found");
  });

  it("number drills and messages of a node in one row, and never twice", async () => {
    const sent = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0
          ? call<SentDrill>(three, "acks.drill.send")
          : call<SentMessage>(three, "messages.send", { content: "x" }),
      ),
    );
    assert.equal(new Set(sent.map(({ sequence }) => sequence)).size, sent.length);
  });

  it("record a drill of a run as sent, with the time of the send", async () => {
    const { pk } = await call<SentDrill>(one, "acks.drill.send", {
      experiment_id: "run-1",
      content: "payload",
    });
    await completes(one, pk);
    const sent = recorded.filter(({ event_type, message_id }) => message_id === pk && event_type === "sent");
    assert.equal(sent.length, 1);
    assert.equal(sent[0]?.experiment_id, "run-1");
    await until("both acknowledgements are recorded", () => {
      const acked = recorded.filter(
        ({ event_type, message_id }) => message_id === pk && event_type === "acked",
      );
      return (
        acked.length === 2 &&
        acked.every(({ event_timestamp }) => event_timestamp > (sent[0]?.event_timestamp ?? 0))
      );
    });
  });

  it("send no acknowledgement of a drill to an endpoint that is not its sender's", async () => {
    const trap = await ScriptedAgent.start();
    const forged: DrillRequest = {
      request_id: "pubsub_dev-node1_1",
      originating_node_id: "dev-node1",
      originating_endpoint: new URL(trap.url).host,
      timestamp: "",
      message: "",
      region: "",
    };
    await three.broker.broadcast("pubsub_ack_test", forged);
    const reception = await until("it was received", () =>
      call<Reception>(two, "acks.sender.get", { pk: forged.request_id })
        .then((found) => (found.ack_state === "failed" ? found : null))
        .catch(() => null),
    );
    assert.match(reception.last_error ?? "", /^endpoint_not_allowed/);
    await three.broker.broadcast("pubsub_ack_test", { request_id: 1 });
    assert.equal(trap.exchanges.length, 0);
    await trap.stop();
  });

  it("refuse a drill with 503 while their node has no bus, and expect nobody then", async () => {
    const before = await call<AckStatus>(one, "acks.tracker.status");
    const { transit } = one.broker;
    assert.ok(transit);
    transit.connected = false;
    try {
      await assert.rejects(call(one, "acks.drill.send"), (error) => {
        assert.ok(error instanceof CorrosionError);
        assert.deepEqual([error.type, error.code], ["bus_unavailable", 503]);
        return true;
      });
    } finally {
      transit.connected = true;
    }
    assert.deepEqual(await call<AckStatus>(one, "acks.tracker.status"), before);
  });

  it("credit nothing to the wrong message when the originator restarted between send and acknowledgement", async () => {
    // As after a restart: the row is there, and nobody tracks it any more.
    const first = await call<SentMessage>(one, "messages.send", { content: "before" });
    await call(one, "acks.tracker.untrack", { pk: first.pk });
    const second = await call<SentMessage>(one, "messages.send", { content: "after" });
    assert.equal((await completes(one, second.pk)).ack_count, 2);
    for (const node of [two, three]) {
      const reception = await until(`${node.id} has its answer`, async () => {
        const found = await call<Reception>(node, "acks.sender.get", { pk: first.pk });
        return found.ack_state === "pending" ? null : found;
      });
      if (reception.ack_state === "failed") {
        assert.deepEqual(
          [reception.attempts, reception.last_error?.slice(0, 29)],
          [6, "the originator answered 404: "],
        );
      }
    }
    assert.equal((await statusOf(one, second.pk)).ack_count, 2);
  });
});
