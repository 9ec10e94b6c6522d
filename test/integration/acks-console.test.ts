/** @module Messages over real agents: sent by one node, in the tables of all, acknowledged over HTTP. */
import assert from "node:assert/strict";
import type { AckStatus, MessageList, SentMessage } from "../../services/acks/contract.ts";
import messages from "../../services/acks/messages.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import { type ConsoleCluster, type ConsoleNode, startConsole } from "../helpers/console-cluster.ts";
import { until } from "../helpers/until.ts";

const SERVICES = [subscriber, tracker, messages, ackGateway];

const call = <T>({ broker, id }: ConsoleNode, action: string, params: object = {}) =>
  broker.call<T, object>(action, params, { nodeID: id });

async function post(node: ConsoleNode, path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`http://${node.broker.metadata.ack_endpoint}/api/${path}`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("Messages of three nodes", function () {
  this.timeout(60_000);
  let cluster: ConsoleCluster;
  before(async () => {
    cluster = await startConsole({ nodes: 3, services: SERVICES });
    await cluster.running();
  });
  after(() => cluster?.stop());

  it("are in the tables of all nodes, and acknowledged over HTTP by those that have them", async () => {
    const [a, b, c] = cluster.nodes as [ConsoleNode, ConsoleNode, ConsoleNode];
    const sent = await call<SentMessage>(a, "messages.send", { content: "hello" });
    for (const node of [a, b, c]) {
      const row = await until(`the row is at ${node.id}`, async () => {
        const { messages } = await call<MessageList>(node, "messages.list");
        return messages.find(({ pk }) => pk === sent.pk);
      });
      assert.deepEqual(row, {
        pk: `dev-node1_${sent.sequence}`,
        node_id: "dev-node1",
        message: `hello (from dev-node1 at ${sent.timestamp})`,
        sequence: sent.sequence,
        timestamp: sent.timestamp,
        originating_endpoint: a.broker.metadata.ack_endpoint,
        region: "dev-node1",
      });
    }
    const status = () => call<AckStatus>(a, "acks.tracker.status");
    assert.deepEqual((await status()).expected, ["dev-node2", "dev-node3"]);
    assert.equal((await status()).state, "pending");
    for (const node of [b, c]) {
      const answer = await post(a, "acknowledge", { message_pk: sent.pk, ack_node_id: node.id });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    }
    assert.equal((await status()).state, "complete");
  });
});
