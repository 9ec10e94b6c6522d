/** @module Tests: sockets over a real fleet of three nodes, with raw frames and with the official client. */
import assert from "node:assert/strict";
import { groupName, groupOf } from "../../lib/ids.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import type {
  Appended,
  CreatedSession,
  MessagePage,
  SessionMessages,
} from "../../services/conversations/contract.ts";
import { startFleet, type TestFleet, type TestNode } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";
import { OfficialClient, type Payload, RawSocket } from "../helpers/sockets.ts";
import { until } from "../helpers/until.ts";

const USER = { user_id: "ann" };
const AGENT = { agent_id: "bot" };
const SEND = { content: { content: { text: "hi" } } };

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** The nodes by number; a missing one fails the test. */
function nodeOf(fleet: TestFleet, index: number): TestNode {
  const node = fleet.nodes[index];
  assert.ok(node);
  return node;
}

async function createSession(node: TestNode): Promise<string> {
  const { session } = await node.broker.call<CreatedSession, object>("sessions.create", {
    ...USER,
    ...AGENT,
  });
  return session.id;
}

/** The node that leads the session's group, as this node's registry shows it. */
function leaderOf({ broker }: TestNode, sessionId: string): string | undefined {
  const group = groupName(groupOf(sessionId, runtimeOf(broker).config.groups));
  return broker.registry.getActionEndpoints(`raft.${group}.propose`)?.endpoints[0]?.id;
}

async function append(
  node: TestNode,
  session_id: string,
  count = 1,
  sender: object = USER,
): Promise<number[]> {
  const params = { session_id, ...sender, content: { text: "hi" } };
  const all = await Promise.all(
    Array.from({ length: count }, () =>
      node.broker.call<Appended, object>("sessions.messages.append", params),
    ),
  );
  return all.map(({ message }) => message.seq);
}

/** Makes a node's sockets lose what is published for a session until the returned function is called. */
function losePublications(node: TestNode, sessionId: string): () => number {
  const { fanout } = runtimeOf(node.broker);
  const { subscribe } = fanout;
  let losing = true;
  let lost = 0;
  fanout.subscribe = (subject, handler) =>
    subscribe.call(fanout, subject, (payload) => {
      const event = payload as SessionMessages;
      if (losing && event.session_id === sessionId) lost += event.messages.length;
      else handler(payload);
    });
  return () => {
    losing = false;
    fanout.subscribe = subscribe;
    return lost;
  };
}

async function metric(node: TestNode, name: string): Promise<number> {
  const all = await runtimeOf(node.broker).metrics.getMetricsAsJSON();
  const found = all.find((candidate) => candidate.name === name);
  return found?.values.reduce((sum, { value }) => sum + Number(value), 0) ?? 0;
}

describe("sockets over a fleet of three nodes", () => {
  let fleet: TestFleet;
  let sockets: RawSocket[];

  before(async () => {
    fleet = await startFleet();
  });

  beforeEach(() => {
    sockets = [];
  });

  afterEach(async () => {
    await Promise.all(sockets.map((socket) => socket.close()));
  });

  after(async () => {
    await fleet.stop();
    assert.deepEqual(fleet.halted, []);
  });

  async function open(index: number, query: Record<string, string> = USER): Promise<RawSocket> {
    const socket = await RawSocket.open(nodeOf(fleet, index).url, query);
    sockets.push(socket);
    return socket;
  }

  it("show on every node what was sent through any, each message once per channel and in order", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    const all = await Promise.all([open(0), open(1), open(2), open(0, AGENT), open(1, AGENT)]);
    await Promise.all(all.map((socket) => socket.join(topic)));
    const count = 100;
    const replies = await Promise.all(
      all.flatMap((socket) => Array.from({ length: count }, () => socket.ask(topic, "send", SEND))),
    );
    assert.ok(replies.every(({ status, response }) => status === "ok" && response.deduped === false));
    const total = count * all.length;
    assert.deepEqual(
      replies.map(({ response }) => response.seq).toSorted((a, b) => a - b),
      range(1, total),
    );
    for (const socket of all) {
      await until("every message", () => socket.seqs(topic).length >= total);
      assert.deepEqual(socket.seqs(topic), range(1, total));
    }
    const page = await nodeOf(fleet, 2).broker.call<MessagePage, object>("sessions.messages.list", {
      session_id: id,
      limit: 1000,
    });
    for (const socket of all) {
      const pushed = socket.frames.filter(([, , , event]) => event === "message").map((frame) => frame[4]);
      assert.deepEqual(pushed, page.messages);
    }
    const ids = new Map(page.messages.map((message) => [message.seq, message.id]));
    assert.ok(replies.every(({ response }) => ids.get(response.seq) === response.id));
  });

  it("show a message with the id, seq and time that its append was answered with, as every read does", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    const sockets = await Promise.all([open(0), open(1), open(2, AGENT)]);
    await Promise.all(sockets.map((socket) => socket.join(topic)));
    const sent = { user_id: "ann", content: { text: "hi" }, metadata: { n: 1 } };
    const path = `/api/sessions/${id}/messages`;
    const { body: appended } = await request(nodeOf(fleet, 1).url, "POST", path, sent);
    for (const socket of sockets) {
      const [, , , , pushed] = await socket.next(([, , , event]) => event === "message", "the message");
      assert.deepEqual(pushed, appended.message);
    }
    const later = await (await open(2)).join(topic);
    assert.deepEqual(later.messages, [appended.message]);
    for (const { url } of fleet.nodes) {
      assert.deepEqual((await request(url, "GET", path)).body.messages, [appended.message]);
    }
  });

  it("lose and double nothing when appends race joins on every node", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    let appending = true;
    const appends = (async () => {
      while (appending) await append(nodeOf(fleet, 1), id, 5);
    })();
    const joined = await Promise.all(
      range(0, 29).map(async (i) => {
        const socket = await open(i % 3);
        const { messages } = await socket.join(topic);
        return { socket, replayed: messages.map(({ seq }: { seq: number }) => seq) };
      }),
    );
    appending = false;
    await appends;
    const [last = 0] = await append(nodeOf(fleet, 2), id);
    for (const { socket, replayed } of joined) {
      await until("the last message", () => socket.frames.at(-1)?.[4].seq === last);
      assert.deepEqual([...replayed, ...socket.seqs(topic)], range(1, last));
    }
  });

  it("deliver a backlog of 10,000 messages while more are appended", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    for (let i = 0; i < 10; i++) await append(nodeOf(fleet, i % 3), id, 1000);
    const socket = await open(2);
    const joined = socket.join(topic);
    for (let i = 0; i < 20; i++) await append(nodeOf(fleet, i % 3), id, 10);
    const { messages, has_more } = await joined;
    assert.deepEqual([messages.length, has_more], [100, true]);
    await until("the last message", () => socket.frames.at(-1)?.[4].seq === 10_200);
    assert.deepEqual(socket.seqs(topic), range(101, 10_200));
  });

  it("repair a lost publication within 5 s without a later message", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    const stopLosing = losePublications(nodeOf(fleet, 1), id);
    const repairs = await metric(nodeOf(fleet, 1), "fleet_gap_repairs_total");
    const deaf = await open(1);
    const hearing = await open(0);
    await Promise.all([deaf.join(topic), hearing.join(topic)]);
    await append(nodeOf(fleet, 2), id, 3);
    const published = performance.now();
    await until("the node that loses nothing", () => hearing.seqs(topic).length === 3);
    await until("the repair", () => deaf.seqs(topic).length === 3);
    const ms = performance.now() - published;
    assert.equal(stopLosing(), 3);
    assert.deepEqual(deaf.seqs(topic), [1, 2, 3]);
    assert.ok(ms < 5000, `repaired after ${Math.round(ms)} ms`);
    assert.equal(await metric(nodeOf(fleet, 1), "fleet_gap_repairs_total"), repairs + 1);
  }).slow(10_000);

  it("give one message for a send that is repeated with its key", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    const [one, two] = await Promise.all([open(0), open(1)]);
    await Promise.all([one.join(topic), two.join(topic)]);
    const keyed = { ...SEND, idempotency_key: "once" };
    const first = await one.ask(topic, "send", keyed);
    const second = await two.ask(topic, "send", keyed);
    assert.deepEqual(second, { status: "ok", response: { ...first.response, deduped: true } });
    await one.ask(topic, "send", SEND);
    for (const socket of [one, two]) {
      await until("the message after it", () => socket.seqs(topic).at(-1) === 2);
      assert.deepEqual(socket.seqs(topic), [1, 2]);
    }
  });

  it("tell what is wrong with a send, by the contract's codes", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const topic = `session:${id}`;
    const socket = await open(1);
    await socket.join(topic);
    const refusal = async (payload: object): Promise<Payload> => {
      const { status, response } = await socket.ask(topic, "send", payload);
      assert.equal(status, "error");
      return response;
    };
    await socket.ask(topic, "send", SEND);
    assert.deepEqual(await refusal({ ...SEND, expected_seq: 0 }), {
      error: "expected_seq_conflict",
      last_seq: 1,
    });
    assert.equal((await refusal({ content: { content: { text: "\u0000" } } })).error, "invalid_message");
    assert.equal((await refusal({ ...SEND, idempotency_key: "fleetport:1:1" })).error, "invalid_message");
    assert.equal((await refusal({ ...SEND, idempotency_key: "" })).error, "invalid_message");
    const large = { content: { content: { text: "x".repeat(300_000) } } };
    assert.equal((await refusal(large)).error, "content_too_large");
    assert.equal((await refusal({ content: "hi" })).error, "invalid_message_format");

    await nodeOf(fleet, 2).broker.call("sessions.archive", { id });
    assert.deepEqual(await refusal(SEND), { error: "session_archived" });
    const { messages } = await socket.join(topic);
    assert.equal(messages.length, 1);
    assert.deepEqual(socket.seqs(topic), [1]);
  });

  it("let nobody in who is not in the session", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    const outsiders: Record<string, string>[] = [
      { user_id: "eve" },
      { user_id: "bot" },
      { agent_id: "ann" },
      { agent_id: "other" },
    ];
    for (const query of outsiders) {
      const socket = await open(1, query);
      await assert.rejects(socket.join(`session:${id}`), /^Error: unauthorized$/);
      assert.equal((await socket.ask(`session:${id}`, "send", SEND)).status, "error");
    }
    await assert.rejects((await open(0)).join("session:nowhere"), /^Error: not found$/);
    assert.deepEqual(await append(nodeOf(fleet, 0), id), [1]);
  });
});

describe("the official phoenix client", () => {
  let fleet: TestFleet;
  const join = (urlOf: () => string, topic: string) => OfficialClient.join(urlOf, topic, USER);

  beforeEach(async () => {
    fleet = await startFleet();
  });

  afterEach(async () => {
    await fleet.stop();
    assert.deepEqual(fleet.halted, []);
  });

  it("joins, sends, receives and leaves", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    await append(nodeOf(fleet, 0), id, 2);
    const client = await join(() => nodeOf(fleet, 1).url, `session:${id}`);
    const sent = await client.push("send", SEND);
    assert.equal(sent.seq, 3);
    await until("its own message", () => client.seqs.length === 3);
    await append(nodeOf(fleet, 2), id, 2, AGENT);
    await until("the agent's messages", () => client.seqs.length === 5);
    assert.deepEqual(client.seqs, range(1, 5));

    await assert.rejects(client.push("send", { content: "bad" }), /invalid_message_format/);
    await assert.rejects(client.push("odd", {}), /unknown_event/);
    assert.equal((await client.push("send", SEND)).seq, 6);

    let closed = false;
    client.channel.onClose(() => {
      closed = true;
    });
    await new Promise((resolve) => client.channel.leave().receive("ok", resolve));
    await until("the channel is closed", () => closed);
    await until("it has left", async () => (await metric(nodeOf(fleet, 1), "fleet_ws_channels")) === 0);
    await client.disconnect();
    await until("it is gone", async () => (await metric(nodeOf(fleet, 1), "fleet_ws_connections")) === 0);
  });

  it("is refused with the reason", async () => {
    const refused = join(() => nodeOf(fleet, 0).url, "session:nowhere");
    await assert.rejects(refused, /not found/);
  });

  it("goes on at another node when its node stops, and misses and doubles nothing", async () => {
    const id = await createSession(nodeOf(fleet, 0));
    let home = nodeOf(fleet, 2);
    const clients = await Promise.all(range(1, 5).map(() => join(() => home.url, `session:${id}`)));
    const [one] = clients;
    assert.ok(one);
    let appending = true;
    const appended: number[] = [];
    const appends = (async () => {
      while (appending) appended.push(...(await append(nodeOf(fleet, 0), id, 2)));
    })();
    await until("live messages", () => clients.every(({ seqs }) => seqs.length > 20));

    const leaving = home;
    home = nodeOf(fleet, 1);
    await leaving.broker.stop();
    await until("every client joined again", () => clients.every(({ joins }) => joins === 2));
    assert.equal(typeof (await one.push("send", SEND)).seq, "number");
    appending = false;
    await appends;
    const [last = 0] = await append(nodeOf(fleet, 0), id);
    for (const client of clients) {
      await until("the last message", () => client.seqs.at(-1) === last);
      assert.deepEqual(client.seqs, range(1, last));
    }
    await Promise.all(clients.map((client) => client.disconnect()));
  });

  it("keeps receiving while the group's leader moves to another node", async () => {
    const [home, leader] = [nodeOf(fleet, 0), nodeOf(fleet, 2)];
    let id = await createSession(home);
    while (leaderOf(home, id) !== leader.id) id = await createSession(home);
    const client = await join(() => home.url, `session:${id}`);
    await append(home, id, 3);
    await leader.broker.stop();
    const seqs = await append(home, id, 3);
    assert.equal(seqs.length, 3);
    await until("the messages of the next leader", () => client.seqs.length === 6);
    assert.deepEqual(client.seqs, range(1, 6));
    await client.disconnect();
  });
});
