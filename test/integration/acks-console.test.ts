/** @module Messages over real agents: sent by one node, in the tables of all, acknowledged over HTTP. */
import assert from "node:assert/strict";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import type { AckStatus, MessageList, RegionCount, SentMessage } from "../../services/acks/contract.ts";
import messageService from "../../services/acks/messages.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import type { AgentStatus, MessageRow } from "../../services/corrosion/contract.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import gateway from "../../services/gateway/gateway.service.ts";
import { ask } from "../helpers/console.ts";
import { type ConsoleCluster, type ConsoleNode, startConsole } from "../helpers/console-cluster.ts";
import { until } from "../helpers/until.ts";

const SERVICES = [subscriber, tracker, messageService, ackGateway, gateway];
const HOSTILE = [
  `it's "quoted" \`all\` ways`,
  "'); DROP TABLE node_messages; --",
  "x' OR '1'='1",
  "a\u0000b",
  "<script>alert(1)</script>",
  "?1 :name @p $q %s {0}",
  "line\nbreak\ttab\r\u2028",
  "\u{1F600} ZWJ \u200d RTL \u202e",
  '{"json":[1,null]}',
  "\\x00 \\u0000 \\",
];

const call = <T>({ broker, id }: ConsoleNode, action: string, params: object = {}) =>
  broker.call<T, object>(action, params, { nodeID: id });
const sendFrom = (node: ConsoleNode, content: string) =>
  call<SentMessage>(node, "messages.send", { content });
const clientOf = ({ apiPort }: ConsoleNode) =>
  new CorrosionClient({ url: `http://127.0.0.1:${apiPort}`, token: null });
const gate = ({ broker }: ConsoleNode) => ({ url: String(broker.metadata.url) });

async function rows(node: ConsoleNode): Promise<readonly MessageRow[]> {
  return (await call<MessageList>(node, "messages.list", { limit: 500 })).messages;
}

async function acknowledge(node: ConsoleNode, message_pk: string, ack_node_id: string) {
  const response = await fetch(`http://${node.broker.metadata.ack_endpoint}/api/acknowledge`, {
    method: "POST",
    body: JSON.stringify({ message_pk, ack_node_id }),
  });
  return response.status;
}

describe("Messages of three nodes", function () {
  this.timeout(60_000);
  let cluster: ConsoleCluster;
  let a: ConsoleNode;
  let b: ConsoleNode;
  let c: ConsoleNode;
  before(async () => {
    cluster = await startConsole({ nodes: 3, services: SERVICES, env: { MESSAGE_KEEP: "5" } });
    await cluster.running();
    [a, b, c] = cluster.nodes as [ConsoleNode, ConsoleNode, ConsoleNode];
  });
  after(() => cluster?.stop());

  it("are in the tables of all nodes, and acknowledged over HTTP by those that have them", async () => {
    const sent = await sendFrom(a, "hello");
    for (const node of [a, b, c]) {
      const row = await until(`the row is at ${node.id}`, async () =>
        (await rows(node)).find(({ pk }) => pk === sent.pk),
      );
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
    assert.equal((await status()).latest_message?.timestamp, sent.timestamp);
    for (const node of [b, c]) assert.equal(await acknowledge(a, sent.pk, node.id), 200);
    assert.equal((await status()).state, "complete");
    assert.equal(await acknowledge(b, sent.pk, c.id), 404, "another node's tracker knows it not");
  });

  it("have numbers of their own, however many are sent at a time", async () => {
    const sent = await Promise.all(Array.from({ length: 40 }, (_, i) => sendFrom(b, `m${i}`)));
    assert.equal(new Set(sent.map(({ pk }) => pk)).size, 40);
    const there = new Set((await rows(b)).map(({ pk }) => pk));
    assert.ok(sent.every(({ pk }) => there.has(pk)));
  });

  it("stay what they are, whatever stands in them", async () => {
    for (const content of HOSTILE) {
      const sent = await sendFrom(a, content);
      for (const node of [a, c]) {
        const row = await until(`the row is at ${node.id}`, async () =>
          (await rows(node)).find(({ pk }) => pk === sent.pk),
        );
        assert.equal(row.message, `${content} (from dev-node1 at ${sent.timestamp})`);
      }
    }
  });

  it("are listed by their number, newest first, and pages leave none out even within a millisecond", async () => {
    const tied = ["dev-node1", "dev-node2", "dev-node3"].map((id) => [`${id}_77`, id, 77]);
    const insert = "INSERT INTO node_messages (pk, node_id, sequence, region) VALUES (?, ?, ?, 'tied')";
    await clientOf(a).transact(tied.map((params) => [insert, params] as const));
    const all = await rows(a);
    const order = [...all].sort((x, y) => y.sequence - x.sequence || (x.pk < y.pk ? 1 : -1));
    assert.deepEqual(all, order);
    const paged: MessageRow[] = [];
    for (;;) {
      const before = paged.at(-1)?.pk;
      const page = await ask(gate(a), `GET /api/messages?limit=2${before ? `&before=${before}` : ""}`);
      const messages = page.body.messages as MessageRow[];
      assert.equal(page.body.count, messages.length);
      if (messages.length === 0) break;
      paged.push(...messages);
    }
    assert.deepEqual(paged, all);
    const older = await ask(gate(a), `GET /api/messages?before=${all[3]?.sequence}`);
    assert.ok((older.body.messages as MessageRow[]).every(({ sequence }) => sequence < all[3]!.sequence));
    assert.deepEqual(
      (await call<MessageList>(a, "messages.byRegion", { region: "tied" })).messages.map(({ pk }) => pk),
      ["dev-node3_77", "dev-node2_77", "dev-node1_77"],
    );
    const latest = (await call<MessageList>(a, "messages.latest")).messages;
    assert.deepEqual(latest.map(({ node_id }) => node_id).sort(), ["dev-node1", "dev-node2", "dev-node3"]);
    for (const row of latest) assert.equal(row.pk, all.find(({ node_id }) => node_id === row.node_id)?.pk);
    const regions = await call<RegionCount[]>(a, "messages.regions");
    assert.equal(
      regions.reduce((sum, { messages }) => sum + messages, 0),
      all.length,
    );
    assert.equal(regions.find(({ region }) => region === "tied")?.nodes, 3);
  });

  it("are refused with the field that is wrong", async () => {
    for (const [body, field] of [
      [{}, "content"],
      [{ content: "" }, "content"],
      [{ content: 7 }, "content"],
      [{ content: null }, "content"],
      [{ content: "é".repeat(4097) }, "content"],
      ['{"content":"\\ud800"}', "content"],
      ["{", "body"],
    ] as const) {
      const reply = await ask(gate(a), "POST /api/messages/send", body);
      assert.deepEqual(
        [reply.status, reply.body.errors, Object.keys(reply.body.fields as object)],
        [400, { detail: "Bad Request" }, [field]],
        JSON.stringify(body).slice(0, 100),
      );
    }
    for (const query of ["limit=0", "limit=501", "before=x", "before="]) {
      assert.equal((await ask(gate(a), `GET /api/messages?${query}`)).status, 400, query);
    }
    const sent = await ask(gate(a), "POST /api/messages/send", { content: "é".repeat(4096) });
    const { pk, sequence } = sent.body.message as SentMessage;
    assert.deepEqual([sent.status, sent.body.status, pk], [200, "success", `dev-node1_${sequence}`]);
    assert.equal((await ask(gate(a), "GET /api/acks")).body.state, "pending");
    assert.equal((await ask(gate(a), `GET /api/acks/${pk}`)).status, 200);
    assert.equal((await ask(gate(a), "GET /api/acks/dev-node1_1")).status, 404);
  });

  it("of a node over MESSAGE_KEEP are deleted everywhere, the oldest first, and nobody else's", async () => {
    for (let i = 0; i < 7; i++) await sendFrom(c, `p${i}`);
    const before = await rows(c);
    const own = before.filter(({ node_id }) => node_id === c.id).map(({ pk }) => pk);
    const { deleted } = await call<{ deleted: number }>(c, "messages.prune");
    assert.equal(deleted, own.length - 5);
    const gone = new Set(own.slice(5));
    for (const node of [c, a]) {
      const kept = await until(`the rows are gone at ${node.id}`, async () => {
        const now = await rows(node);
        return now.some(({ pk }) => gone.has(pk)) ? null : now;
      });
      assert.deepEqual(
        kept.map(({ pk }) => pk),
        before.map(({ pk }) => pk).filter((pk) => !gone.has(pk)),
      );
    }
    assert.deepEqual(await call(c, "messages.prune"), { deleted: 0 });
  });

  it("are refused with 503 while the node's agent is away, and are not tracked then", async () => {
    const before = await call<AckStatus>(b, "acks.tracker.status");
    await b.call<AgentStatus>("agent.stop");
    await until(
      "the agent has ended",
      async () => (await b.call<AgentStatus>("agent.status")).state === "stopped",
    );
    const reply = await ask(gate(b), "POST /api/messages/send", { content: "nobody hears it" });
    assert.deepEqual([reply.status, reply.body.code, reply.body.status], [503, "agent_unavailable", "error"]);
    assert.deepEqual(await call<AckStatus>(b, "acks.tracker.status"), before);
    await b.call("agent.start");
    await cluster.running();
    const sent = await until("a message is sent", () => sendFrom(b, "again").catch(() => null));
    assert.equal(sent.node_id, b.id);
  });
});

describe("A node that is started again", function () {
  this.timeout(60_000);

  it("numbers on where it was, with its clock set back, and knows no message of before", async () => {
    const real = Date.now;
    const options = { nodes: 1, services: SERVICES, env: { CLUSTER_SIZE: "2" } };
    let cluster = await startConsole(options);
    const { folder } = cluster;
    try {
      await cluster.running();
      const [first] = cluster.nodes as [ConsoleNode];
      const one = await sendFrom(first, "one");
      Date.now = () => real() - 86_400_000;
      const two = await sendFrom(first, "two");
      assert.equal(two.sequence, one.sequence + 1);
      assert.ok(two.timestamp < one.timestamp, "rows tell the machine's time");
      await cluster.stop({ keep: true });
      cluster = await startConsole({ ...options, folder });
      await cluster.running();
      const [second] = cluster.nodes as [ConsoleNode];
      const three = await sendFrom(second, "three");
      assert.equal(three.sequence, two.sequence + 1);
      assert.deepEqual(
        (await rows(second)).map(({ pk }) => pk),
        [three.pk, two.pk, one.pk],
      );
      assert.equal(await acknowledge(second, one.pk, "dev-node2"), 404);
      assert.equal((await call<AckStatus>(second, "acks.tracker.status")).ack_count, 0);
    } finally {
      Date.now = real;
      await cluster.stop();
    }
  });

  it("measures an acknowledgement in one clock, whatever happens to the machine's meanwhile", async () => {
    const real = Date.now;
    const cluster = await startConsole({ nodes: 1, services: SERVICES, env: { CLUSTER_SIZE: "2" } });
    try {
      await cluster.running();
      const [node] = cluster.nodes as [ConsoleNode];
      for (const jump of [-3_600_000, 3_600_000]) {
        Date.now = real;
        const sent = await sendFrom(node, "timed");
        Date.now = () => real() + jump;
        assert.equal(await acknowledge(node, sent.pk, "dev-node2"), 200);
        const status = await call<AckStatus>(node, "acks.tracker.status");
        const [ack] = status.acknowledgments;
        assert.ok(ack && ack.latency_ms > 0 && ack.latency_ms < 60_000, String(ack?.latency_ms));
        assert.deepEqual([ack.late, status.state], [false, "complete"]);
      }
    } finally {
      Date.now = real;
      await cluster.stop();
    }
  });
});
