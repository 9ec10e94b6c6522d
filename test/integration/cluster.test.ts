/** @module Three node processes over three NATS servers: agreement, forwarding, failover, hand-over. */
import assert from "node:assert/strict";
import { Socket } from "phoenix";
import { groupOf } from "../../lib/ids.ts";
import type { FleetStatus, GroupLog } from "../../services/raft/fleet-status.ts";
import { Balancer } from "../helpers/balancer.ts";
import { Cluster } from "../helpers/cluster.ts";
import { ask } from "../helpers/console.ts";
import { request } from "../helpers/http.ts";
import { createSessions, Load, readAll } from "../helpers/load.ts";
import { suspend } from "../helpers/suspend.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 12;
const NODE_TIMEOUT_MS = 8000;

describe("a fleet of three node processes over NATS", function () {
  this.timeout(90_000);
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({
      groups: GROUPS,
      env: { FLEET_NODE_TIMEOUT_MS: String(NODE_TIMEOUT_MS) },
    });
  });
  after(() => cluster.stop());

  const urls = () => cluster.nodes.map(({ url }) => url);
  const leaderOf = async (session: string) => {
    const leaders = await cluster.leaders(urls()[0]!);
    return cluster.node(leaders[groupOf(session, GROUPS)]!);
  };

  async function createOn(url: string, id: string): Promise<void> {
    await createSessions(url, [id]);
  }

  it("agrees on one leader for each group and spreads the groups over the nodes", async () => {
    const leaders = await cluster.leaders(urls()[0]!);
    assert.equal(leaders.length, GROUPS);
    assert.deepEqual(new Set(leaders), new Set(["n1", "n2", "n3"]));
    for (let group = 0; group < GROUPS; group++) {
      const copies = await cluster.copies(group);
      assert.equal(copies.length, 3);
      assert.equal(copies.filter(({ role }) => role === "leader").length, 1);
    }
  });

  it("names the leaders of a node that answers late: they lead as long as nobody misses them", async () => {
    const before = await cluster.leaders(urls()[0]!);
    await suspend(cluster.node("n3").program.child.pid!);
    try {
      const { text } = await ask({ url: urls()[0]! }, "GET /api/fleet/status");
      const { leaders, nodes }: FleetStatus = JSON.parse(text);
      assert.deepEqual(leaders, before);
      assert.deepEqual(
        nodes.map(({ available, id }) => [id, available]),
        [
          ["n1", true],
          ["n2", true],
          ["n3", false],
        ],
      );
    } finally {
      cluster.node("n3").program.signal("SIGCONT");
    }
    await cluster.settled();
  });

  it("tells of each group's log which server leads it, and its copies", async () => {
    for (const group of [0, GROUPS - 1]) {
      const { status, text } = await ask({ url: urls()[1]! }, `GET /api/fleet/groups/${group}`);
      assert.equal(status, 200);
      const found: GroupLog = JSON.parse(text);
      assert.deepEqual([found.group, found.seen_by, found.log?.wanted], [group, "n2", 3]);
      assert.equal(found.log?.replicas.length, 3);
      assert.ok(found.log.leader !== null && found.log.bytes > 0);
    }
    for (const group of [String(GROUPS), "-1", "1.5", "x"]) {
      const { body, status } = await ask({ url: urls()[1]! }, `GET /api/fleet/groups/${group}`);
      assert.deepEqual([status, body.code], [400, "invalid_parameter"], group);
    }
  });

  it("serves every session from every node, whichever leads it", async () => {
    const [one, two, three] = urls();
    for (let i = 0; i < 6; i++) {
      const id = `everywhere-${i}`;
      await createOn(one!, id);
      const append = await request(two!, "POST", `/api/sessions/${id}/messages`, {
        user_id: "u",
        content: { i },
      });
      assert.equal(append.status, 200);
      const page = await request(three!, "GET", `/api/sessions/${id}/messages`);
      assert.deepEqual(page.body.messages, [append.body.message]);
    }
    const list = await request(three!, "GET", "/api/sessions?user_id=u");
    assert.equal(list.body.sessions.filter(({ id }) => id.startsWith("everywhere-")).length, 6);
  });

  it("lets exactly one of two appends with one expected_seq succeed, whichever nodes take them", async () => {
    const [one, two] = urls();
    await createOn(one!, "race");
    for (let seq = 0; seq < 15; seq++) {
      const answers = await Promise.all(
        [one!, two!].map((url) =>
          request(url, "POST", "/api/sessions/race/messages", {
            user_id: "u",
            content: { url },
            expected_seq: seq,
          }),
        ),
      );
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
      const conflict = answers.find(({ status }) => status === 409);
      assert.equal(conflict?.body.code, "expected_seq_conflict");
      assert.equal(conflict?.body.last_seq, seq + 1);
    }
  });

  it("loses and doubles nothing when a leading node is killed under load, and its groups move", async () => {
    const sessions = Array.from({ length: 10 }, (_, i) => `kill-${i}`);
    await createSessions(urls()[0]!, sessions);
    const load = new Load(sessions, urls);
    try {
      await until("the load runs", () => load.acknowledged > 300);
      const victim = await leaderOf(sessions[0]!);
      await victim.program.end("SIGKILL");
      const killed = performance.now();
      await cluster.settled();
      assert.ok(
        performance.now() - killed < NODE_TIMEOUT_MS,
        "a killed node is missed before its heartbeats are",
      );
      const before = load.acknowledged;
      await until("appends go on without the node", () => load.acknowledged > before + 300);
      await cluster.startNode(victim.id);
      await cluster.settled();
    } finally {
      await load.stop();
    }
    for (const url of urls()) await load.verify(url);
    await cluster.replicasAgree();
  });

  it("commits nothing by a leader that slept through a newer claim", async () => {
    const sessions = Array.from({ length: 10 }, (_, i) => `sleep-${i}`);
    await createSessions(urls()[0]!, sessions);
    const sleeper = await leaderOf(sessions[0]!);
    const others = () => urls().filter((url) => url !== sleeper.url);
    const load = new Load(sessions, others);
    try {
      await until("the load runs", () => load.acknowledged > 200);
      sleeper.program.signal("SIGSTOP");
      await until("the others lead its groups", async () =>
        (await cluster.leaders(others()[0]!)).every((leader) => leader !== null && leader !== sleeper.id),
      );
      const before = load.acknowledged;
      await until("appends go on", () => load.acknowledged > before + 300);
      sleeper.program.signal("SIGCONT");
      await cluster.settled();
    } finally {
      sleeper.program.signal("SIGCONT");
      await load.stop();
    }
    for (const url of urls()) await load.verify(url);
    await cluster.replicasAgree();
  });

  it("gives one message for a keyed append that is retried across a failover", async () => {
    await createOn(urls()[0]!, "keyed");
    const append = (url: string) =>
      request(url, "POST", "/api/sessions/keyed/messages", {
        user_id: "u",
        content: { n: 1 },
        idempotency_key: "k-1",
      });
    const first = await append(urls()[0]!);
    const victim = await leaderOf("keyed");
    await victim.program.end("SIGKILL");
    await cluster.settled();
    const again = await append(urls()[0]!);
    assert.equal(again.status, 200);
    assert.equal(again.body.deduped, true);
    assert.deepEqual(again.body.message, first.body.message);
    assert.equal((await readAll(urls()[1]!, "keyed")).length, 1);
    await cluster.startNode(victim.id);
    await cluster.settled();
  });

  it("counts the unread messages exactly, and moves no cursor back, after a failover", async () => {
    const [url] = urls();
    await createOn(url!, "unread");
    const append = (sender: object) =>
      request(url!, "POST", "/api/sessions/unread/messages", { ...sender, content: {} });
    const readTo = async (on: string, last_seq: number) => {
      const { body } = await request(on, "POST", "/api/sessions/unread/read", { user_id: "u", last_seq });
      return body.cursor;
    };
    for (const sender of [{ agent_id: "a" }, { agent_id: "a" }, { user_id: "u" }, { agent_id: "a" }]) {
      assert.equal((await append(sender)).status, 200);
    }
    const before = { user_id: "u", last_seq: 1, unread_count: 2 };
    assert.deepEqual(await readTo(url!, 1), before);
    const victim = await leaderOf("unread");
    await victim.program.end("SIGKILL");
    await cluster.settled();
    const [survivor] = urls().filter((other) => other !== victim.url);
    assert.deepEqual(await readTo(survivor!, 0), before);
    assert.deepEqual(await readTo(survivor!, 2), { user_id: "u", last_seq: 2, unread_count: 1 });
    await cluster.startNode(victim.id);
    await cluster.settled();
  });

  it("hands groups to a node that joins, and forwards from a node that holds no copy, without failing an append", async () => {
    const sessions = Array.from({ length: 10 }, (_, i) => `join-${i}`);
    await createSessions(urls()[0]!, sessions);
    const load = new Load(sessions, urls);
    try {
      await until("the load runs", () => load.acknowledged > 200);
      await cluster.startNode("n4");
      await cluster.settled();
      const before = load.acknowledged;
      await until("appends go on", () => load.acknowledged > before + 200);
    } finally {
      await load.stop();
    }
    assert.deepEqual(load.doubts, [], "no append was left without an answer");
    const leaders = await cluster.leaders(urls()[0]!);
    assert.ok(leaders.includes("n4"));
    for (const session of sessions) {
      assert.equal(
        (await cluster.copies(groupOf(session, GROUPS))).length,
        3,
        "three of four nodes hold a copy",
      );
    }
    for (const { url } of cluster.nodes) await load.verify(url);
    await cluster.replicasAgree();
    await cluster.node("n4").program.end("SIGTERM");
    await cluster.settled();
    for (const url of urls()) await load.verify(url);
  });

  it("pages exactly 1..last_seq with any limit", async () => {
    await createOn(urls()[0]!, "paged");
    for (let i = 1; i <= 23; i++) {
      await request(urls()[i % 3]!, "POST", "/api/sessions/paged/messages", { user_id: "u", content: { i } });
    }
    const whole = Array.from({ length: 23 }, (_, i) => i + 1);
    for (const limit of [1, 2, 7, 22, 23, 24, 1000]) {
      const seqs = (await readAll(urls()[limit % 3]!, "paged", limit)).map(({ seq }) => seq);
      assert.deepEqual(seqs, whole);
    }
  });

  it("restarts node by node under load without failing an append, and the phoenix client misses nothing", async () => {
    const sessions = Array.from({ length: 10 }, (_, i) => `rolling-${i}`);
    await createSessions(urls()[0]!, sessions);
    const first = cluster.node("n1");
    let lastSeq = 0;
    const seen: number[] = [];
    const socket = new Socket(`${first.url.replace("http", "ws")}/socket`, {
      params: { user_id: "u" },
      transport: WebSocket,
      reconnectAfterMs: () => 100,
      rejoinAfterMs: () => 100,
    });
    socket.connect();
    const channel = socket.channel(`session:${sessions[0]}`, () => ({ last_seq: lastSeq }));
    const take = ({ seq }: { seq: number }) => {
      seen.push(seq);
      lastSeq = seq;
    };
    channel.on("message", take);
    const joined = Promise.withResolvers<void>();
    channel.join().receive("ok", ({ messages }: { messages: { seq: number }[] }) => {
      messages.forEach(take);
      joined.resolve();
    });
    await joined.promise;
    const balancer = new Balancer(urls());
    const load = new Load(sessions, () => balancer.urls);
    try {
      await until("the load runs", () => load.acknowledged > 200);
      for (const id of ["n1", "n2", "n3"]) {
        const exit = await cluster.node(id).program.end("SIGTERM");
        assert.deepEqual(exit, { code: 0, signal: null }, cluster.node(id).program.output);
        await cluster.startNode(id);
        await cluster.settled();
      }
    } finally {
      await load.stop();
      balancer.stop();
    }
    try {
      assert.deepEqual(load.doubts, [], "no append was left without an answer");
      assert.equal(load.refusals, 0, "no append was refused");
      for (const url of urls()) await load.verify(url);
      await cluster.replicasAgree();
      const all = await readAll(urls()[1]!, sessions[0]!);
      await until("the client has all messages", () => seen.length >= all.length);
      assert.deepEqual(
        seen,
        all.map(({ seq }) => seq),
      );
    } finally {
      socket.disconnect();
    }
  });

  it("is not ready while it drains, and takes draining back as long as it leads something", async () => {
    const broker = await cluster.observer();
    const { url } = cluster.node("n2");
    await broker.call("raft.topology.drain", {}, { nodeID: "n2", timeout: 20_000 });
    const { status, body } = await request(url, "GET", "/health/ready");
    assert.equal(status, 503);
    assert.deepEqual([body.status, body.reason], ["draining", "draining"]);
    assert.ok(!(await cluster.leaders(url)).includes("n2"));
    await broker.call("fleet.ops.undrain", {}, { nodeID: "n2" });
    await cluster.settled();
    assert.ok((await cluster.leaders(url)).includes("n2"));
  });

  it("carries pages and lists that are larger than one message of the bus", async () => {
    const text = "x".repeat(200_000);
    for (let i = 0; i < 3; i++) {
      const id = `large-${i}`;
      const metadata = { text: text.slice(0, 60_000) };
      await request(urls()[0]!, "POST", "/api/sessions", { id, user_id: "big", agent_id: "a", metadata });
      await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          request(urls()[n % 3]!, "POST", `/api/sessions/${id}/messages`, {
            user_id: "big",
            content: { n, text },
          }),
        ),
      );
      for (const url of urls()) {
        const page = await request(url, "GET", `/api/sessions/${id}/messages`);
        assert.deepEqual(
          page.body.messages.map(({ seq }) => seq),
          Array.from({ length: 12 }, (_, n) => n + 1),
        );
        const tail = await request(url, "GET", `/api/sessions/${id}/messages?tail=7`);
        assert.deepEqual(
          tail.body.messages.map(({ seq }) => seq),
          [6, 7, 8, 9, 10, 11, 12],
        );
        assert.equal(tail.body.has_more, true);
      }
    }
    const ids = Array.from({ length: 40 }, (_, i) => `heavy-${i}`);
    const metadata = { text: text.slice(0, 60_000) };
    await Promise.all(
      ids.map((id, i) =>
        request(urls()[i % 3]!, "POST", "/api/sessions", { id, user_id: "heavy", agent_id: "a", metadata }),
      ),
    );
    const listed: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const path = `/api/sessions?user_id=heavy&limit=25${cursor && `&cursor=${cursor}`}`;
      const page = await request(urls()[1]!, "GET", path);
      assert.equal(page.status, 200);
      listed.push(...page.body.sessions.map(({ id }) => id));
      cursor = page.body.next_cursor;
    }
    assert.equal(listed.length, ids.length);
    assert.deepEqual(new Set(listed), new Set(ids));
  });

  it("has everything after all nodes were killed at once and started again", async () => {
    const sessions = Array.from({ length: 8 }, (_, i) => `all-${i}`);
    await createSessions(urls()[0]!, sessions);
    const load = new Load(sessions, urls);
    await until("the load runs", () => load.acknowledged > 300);
    const ids = cluster.nodes.map(({ id }) => id);
    await Promise.all(cluster.nodes.map(({ program }) => program.end("SIGKILL")));
    await load.stop();
    await Promise.all(ids.map((id) => cluster.startNode(id)));
    await cluster.settled();
    for (const url of urls()) await load.verify(url);
    await cluster.replicasAgree();
  });
});
