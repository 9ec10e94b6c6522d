/** @module The subscriber's actor against an agent. */
import assert from "node:assert/strict";
import type { MessageUpdate, SubscriberStatus } from "../../services/corrosion/contract.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import { until } from "../helpers/until.ts";
import { OWN_AGENT, TestedAgent } from "./agent.ts";
import { insert, isOurs, newMessage, remove, update } from "./messages.ts";
import { startNode, type TestNode } from "./node.ts";

/** What was told of this run's rows, in a few words. */
function words(updates: readonly MessageUpdate[]): string[] {
  return updates.flatMap((told) => {
    if (!("row" in told) || !isOurs(told.row)) return [];
    if (told.type === "message_change") return [`${told.change} ${told.row.pk} ${told.row.message}`];
    return [`${told.type} ${told.row.pk}${told.type === "new_message" && told.catch_up ? " catch_up" : ""}`];
  });
}

describe("The subscriber of this agent", function () {
  this.timeout(120_000);
  let agent: TestedAgent;
  let url: string | null;
  const nodes: TestNode[] = [];

  before(async () => {
    agent = await TestedAgent.start();
  });
  beforeEach(() => {
    url = agent.url;
  });
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });
  after(async () => {
    await agent.stop();
  });

  async function start(): Promise<TestNode> {
    const node = await startNode(() => url, [subscriber]);
    nodes.push(node);
    return node;
  }
  const status = (node: TestNode) => node.call<SubscriberStatus>("corrosion.subscriber.status");
  const ready = (node: TestNode) =>
    until("the subscription is ready", () => node.updates.some(({ type }) => type === "subscription_ready"));
  const told = (node: TestNode, word: string, limitMs = 20_000) =>
    until(`"${word}" is told`, () => words(node.updates).includes(word), limitMs);

  it("tells rows that are there as history, then each insert, update and delete once, with the node's id", async () => {
    const old = newMessage();
    await agent.client.transact([insert(old)]);
    const node = await start();
    await ready(node);
    const row = newMessage({ message: 'it\'s "quoted" \u00e4\u{1f600}' });
    await agent.client.transact([insert(row)]);
    await told(node, `new_message ${row.pk}`);
    await agent.client.transact([update(row.pk, "changed")]);
    await told(node, `UPDATE ${row.pk} changed`);
    await agent.client.transact([remove(row.pk)]);
    await told(node, `DELETE ${row.pk} changed`);
    assert.deepEqual(words(node.updates), [
      `initial_row ${old.pk}`,
      `new_message ${row.pk}`,
      `UPDATE ${row.pk} changed`,
      `DELETE ${row.pk} changed`,
    ]);
    const [first] = node.updates.filter((one) => one.type === "new_message" && isOurs(one.row));
    assert.deepEqual(first, { node_id: node.broker.nodeID, type: "new_message", row });
    assert.ok(node.updates.every(({ node_id }) => node_id === node.broker.nodeID));
    const { state, query_id } = await status(node);
    assert.equal(state, "connected");
    assert.match(query_id ?? "", /^[0-9a-f-]{36}$/);
  });

  it("waits for an agent that is not there yet", async () => {
    url = null;
    const node = await start();
    await until("it says that it is disconnected", async () => (await status(node)).state === "disconnected");
    url = agent.url;
    await ready(node);
  });

  it("stays away while the agent restarts, and then tells what it missed", async () => {
    const node = await start();
    await ready(node);
    const event = (name: string, node_id = node.broker.nodeID) =>
      node.broker.broadcast(`corrosion.${name}`, { node_id, restart_id: "r1", timestamp: "" });
    await event("restarting", "another-node");
    assert.equal((await status(node)).state, "connected");
    await event("restarting");
    assert.equal((await status(node)).state, "paused_for_restart");
    const row = newMessage();
    await agent.client.transact([insert(row)]);
    await event("ready");
    await told(node, `new_message ${row.pk}`);
    assert.deepEqual(
      words(node.updates).filter((word) => word.includes(row.pk)),
      [`new_message ${row.pk}`],
    );
  });

  it("compares all rows when it is told to connect anew", async () => {
    const node = await start();
    await ready(node);
    const event = (name: string) =>
      node.broker.broadcast(`corrosion.${name}`, {
        node_id: node.broker.nodeID,
        restart_id: "r2",
        timestamp: "",
      });
    const row = newMessage();
    await event("restarting");
    await agent.client.transact([insert(row)]);
    // Before the agent's next batch of changes is due the comparison is the only way to learn of it.
    await event("ready");
    await node.call("corrosion.subscriber.restart");
    await until("the row is told", () =>
      words(node.updates).some((word) => word.startsWith(`new_message ${row.pk}`)),
    );
    await agent.client.transact([remove(row.pk)]);
    await told(node, `DELETE ${row.pk} hello`);
  });

  if (OWN_AGENT) {
    for (const [signal, what] of [
      ["SIGTERM", "stopped in order"],
      ["SIGKILL", "killed"],
    ] as const) {
      it(`misses no message of an agent that was ${what} and came back`, async () => {
        const node = await start();
        await ready(node);
        const before = newMessage();
        await agent.client.transact([insert(before)]);
        await told(node, `new_message ${before.pk}`);
        await agent.end(signal);
        await until("it notices", async () => (await status(node)).state !== "connected");
        await agent.run();
        const after = newMessage();
        await agent.client.transact([insert(after), remove(before.pk)]);
        await until(
          "the new message is told",
          () => words(node.updates).some((word) => word.startsWith(`new_message ${after.pk}`)),
          60_000,
        );
        await told(node, `DELETE ${before.pk} hello`);
        const once = words(node.updates).filter(
          (word) => word.startsWith("new_message") && [before.pk, after.pk].some((pk) => word.includes(pk)),
        );
        assert.equal(once.length, 2, "each is new once");
        assert.equal((await status(node)).state, "connected");
      });
    }
  }
});
