/** @module Tests: sockets on three node processes over NATS, some of which are killed. */
import assert from "node:assert/strict";
import { groupOf } from "../../lib/ids.ts";
import { Cluster, type ClusterNode } from "../helpers/cluster.ts";
import { request } from "../helpers/http.ts";
import { OfficialClient } from "../helpers/sockets.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 6;
const USER = { user_id: "ann" };

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("the official phoenix client on node processes over NATS", function () {
  this.timeout(90_000);
  let cluster: Cluster;
  let clients: OfficialClient[];

  before(async () => {
    cluster = await Cluster.start({ groups: GROUPS });
  });

  beforeEach(() => {
    clients = [];
  });

  afterEach(() => Promise.all(clients.map((client) => client.disconnect())));

  after(() => cluster.stop());

  async function createSession(): Promise<string> {
    const { body } = await request(node("n1").url, "POST", "/api/sessions", { ...USER, agent_id: "bot" });
    return body.session.id;
  }

  const node = (id: string): ClusterNode => cluster.node(id);

  async function leaderOf(session: string): Promise<string | null | undefined> {
    return (await cluster.leaders(node("n1").url))[groupOf(session, GROUPS)];
  }

  /** A session that the node leads. */
  async function sessionLedBy(id: string): Promise<string> {
    for (;;) {
      const session = await createSession();
      if ((await leaderOf(session)) === id) return session;
    }
  }

  async function join(urlOf: () => string, session: string): Promise<OfficialClient> {
    const client = await OfficialClient.join(urlOf, `session:${session}`, USER);
    clients.push(client);
    return client;
  }

  /** Sends through a client, again with the same key until somebody says that it is written. */
  async function send(client: OfficialClient, n: number): Promise<number> {
    const payload = { content: { content: { n } }, idempotency_key: `key-${n}` };
    for (;;) {
      const sent = await client.push("send", payload).catch(() => null);
      if (sent) return sent.seq;
    }
  }

  it("shows every message on every node once and in order", async () => {
    const session = await createSession();
    const all = await Promise.all(["n1", "n2", "n3"].map((id) => join(() => node(id).url, session)));
    const seqs = await Promise.all(
      all.flatMap((client, c) => range(1, 50).map((n) => send(client, 100 * c + n))),
    );
    assert.deepEqual(
      seqs.toSorted((a, b) => a - b),
      range(1, 150),
    );
    for (const client of all) {
      await until("every message", () => client.seqs.length >= 150);
      assert.deepEqual(client.seqs, range(1, 150));
    }
  });

  it("goes on when its node is killed, and so do the others when it was the leader: nothing lost or doubled", async () => {
    const session = await sessionLedBy("n3");
    let home = "n3";
    const moving = await join(() => node(home).url, session);
    const staying = await join(() => node("n2").url, session);
    for (const n of range(1, 20)) await send(moving, n);

    home = "n1";
    await node("n3").program.end("SIGKILL");
    const seqs: number[] = [];
    for (const n of range(21, 60)) seqs.push(await send(n % 2 ? moving : staying, n));
    assert.equal(new Set(seqs).size, 40);
    const last = Math.max(...seqs);
    for (const client of [moving, staying]) {
      await until("the last message", () => client.seqs.at(-1) === last);
      assert.deepEqual(client.seqs, range(1, last));
    }
    assert.equal(last, 60);
    assert.deepEqual([moving.joins, staying.joins], [2, 1]);
    await cluster.startNode("n3");
    await cluster.settled();
  });

  it("gets what was published while its node had lost the bus, without a later message", async () => {
    const session = await createSession();
    const client = await join(() => node("n2").url, session);
    await send(client, 1);
    await until("a live message", () => client.seqs.length === 1);
    // A stopped process answers nobody and hears nothing; what is published meanwhile may pass it by.
    node("n2").program.signal("SIGSTOP");
    const appended = await Promise.all(
      range(1, 20).map((n) =>
        request(node("n1").url, "POST", `/api/sessions/${session}/messages`, {
          ...USER,
          content: { n },
          idempotency_key: `later-${n}`,
        }),
      ),
    );
    node("n2").program.signal("SIGCONT");
    const written = appended.filter(({ status }) => status === 200).length;
    await until("what was written", () => client.seqs.length >= 1 + written);
    await cluster.settled();
    const { body } = await request(node("n1").url, "GET", `/api/sessions/${session}/messages?limit=1000`);
    await until("everything", () => client.seqs.length === body.last_seq);
    assert.deepEqual(client.seqs, range(1, body.last_seq));
  });
});
