/** @module Which events a node's sender and drill take up, and which they leave alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ServiceBroker } from "moleculer";
import type { Reception, Receptions } from "../../services/acks/contract.ts";
import { drillId, readDrill } from "../../services/acks/drill/request.ts";
import sender from "../../services/acks/sender.service.ts";
import type { MessageRow, MessageUpdate } from "../../services/corrosion/contract.ts";
import { testBroker } from "../helpers/gateway.ts";

const row = (fields: Partial<MessageRow> = {}): MessageRow => ({
  pk: "dev-node2_1",
  node_id: "dev-node2",
  message: "hello",
  sequence: 1,
  timestamp: "2026-01-02T03:04:05.678901Z",
  originating_endpoint: "127.0.0.1:5002",
  region: "dev-node2",
  ...fields,
});

describe("A sender", () => {
  let broker: ServiceBroker;
  let told: Reception[];

  beforeEach(async () => {
    told = [];
    ({ broker } = testBroker({ nodeId: "dev-node1" }));
    broker.createService(sender);
    broker.createService({
      name: "listener",
      events: { reception_updates: (ctx: { params: Reception }) => void told.push(ctx.params) },
    });
    await broker.start();
  });
  afterEach(() => broker.stop());

  const hear = (update: MessageUpdate) => broker.broadcastLocal("message_updates", update);
  const counts = async () => {
    const { receptions } = await broker.call<Receptions, object>("acks.sender.all", {});
    return Object.fromEntries(
      receptions.map(({ message_pk, reception_count }) => [message_pk, reception_count]),
    );
  };
  const node_id = "dev-node1";

  it("counts new messages, those of a catch-up too, and repeated insertions, before the event is over", async () => {
    void hear({ node_id, type: "new_message", row: row() });
    assert.equal(told.at(-1)?.reception_count, 1);
    void hear({ node_id, type: "new_message", row: row(), catch_up: true });
    void hear({ node_id, type: "message_change", change: "INSERT", row: row() });
    assert.equal(told.at(-1)?.reception_count, 3);
    assert.equal(told.at(-1)?.node_id, "dev-node1");
    assert.deepEqual(await counts(), { "dev-node2_1": 3 });
  });

  it("leaves history, updates, deletions, its own rows and other nodes' events alone", async () => {
    const others: MessageUpdate[] = [
      { node_id, type: "initial_row", row: row() },
      { node_id, type: "message_change", change: "UPDATE", row: row() },
      { node_id, type: "message_change", change: "DELETE", row: row() },
      { node_id, type: "new_message", row: row({ node_id: "dev-node1" }) },
      { node_id: "dev-node3", type: "new_message", row: row() },
      { node_id, type: "subscription_ready" },
      { node_id, type: "new_message", row: row({ pk: "x".repeat(513) }) },
      { node_id, type: "new_message", row: row({ node_id: "x".repeat(257) }) },
      { node_id, type: "new_message", row: row({ originating_endpoint: "x".repeat(513) }) },
    ];
    for (const update of others) await hear(update);
    assert.deepEqual(await counts(), {});
    assert.deepEqual(told, []);
  });

  it("lists at most 500 of a node, and refuses to be asked for more", async () => {
    for (let i = 0; i < 600; i++) void hear({ node_id, type: "new_message", row: row({ pk: `p${i}` }) });
    const all = await broker.call<Receptions, object>("acks.sender.all", {});
    assert.equal(all.count, 500);
    assert.equal(all.receptions[0]?.message_pk, "p599");
    await assert.rejects(broker.call("acks.sender.all", { limit: 501 }), /validation/i);
  });
});

describe("A drill", () => {
  const request = {
    request_id: "pubsub_dev-node1_1",
    originating_node_id: "dev-node1",
    originating_endpoint: "127.0.0.1:5001",
    timestamp: "2026-01-02T03:04:05.678901Z",
    message: "hello",
    region: "dev-node1",
  };

  it("has an id by its node and number", () => {
    assert.equal(drillId("ams-1", 1767323045678), "pubsub_ams-1_1767323045678");
  });

  it("is read as it was sent, and nothing else of the payload", () => {
    assert.deepEqual(readDrill({ ...request, more: 1 }), request);
  });

  for (const name of Object.keys(request)) {
    it(`without ${name}, or with one that is no text, is none`, () => {
      const { [name as keyof typeof request]: _, ...rest } = request;
      for (const wrong of [rest, { ...rest, [name]: 1 }, { ...rest, [name]: "x".repeat(20_000) }]) {
        assert.equal(readDrill(wrong), null);
      }
    });
  }

  it("may come from anybody: whatever comes, reading it throws nothing", () => {
    fc.assert(
      fc.property(fc.anything(), (payload) => {
        assert.equal(readDrill(payload), null);
      }),
    );
  });
});
