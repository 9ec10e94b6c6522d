/** @module Tests: messages reach sockets exactly once in order, and sends are answered, when things go wrong. */
import assert from "node:assert/strict";
import { FleetError } from "../../lib/errors.ts";
import { atRest, RawSocket } from "../helpers/sockets.ts";
import { type SocketsNode, type SocketsNodeOptions, startSockets } from "../helpers/sockets-node.ts";
import { until } from "../helpers/until.ts";

const SEND = { content: { content: { text: "hi" } } };

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("a session channel", () => {
  let node: SocketsNode;
  let sockets: RawSocket[];

  async function start(options: SocketsNodeOptions): Promise<void> {
    node = await startSockets(options);
    node.conversations.create("s");
    sockets = [];
  }

  async function open(query: Record<string, string> = { user_id: "u1" }): Promise<RawSocket> {
    const socket = await RawSocket.open(node.url, query);
    sockets.push(socket);
    return socket;
  }

  afterEach(async () => {
    await Promise.all(sockets.map((socket) => socket.close()));
    await until("every subscription ended", () => node.fanout.subscriptions === 0);
    await node.stop();
  });

  describe("in quiet times", () => {
    // The head check is out of the way, and all sessions share one leader.
    beforeEach(() => start({ env: { FLEET_CATCHUP_INTERVAL_MS: "1000000", FLEET_GROUPS: "1" } }));

    it("delivers a backlog of 10,000 messages while more are appended, each once and in order", async () => {
      const { conversations } = node;
      conversations.append("s", 10_000);
      const all = await Promise.all(Array.from({ length: 4 }, () => open()));
      const joined = all.map((socket) => socket.join("session:s"));
      let live = true;
      const appending = (async () => {
        while (live && (conversations.sessions.get("s")?.messages.length ?? 0) < 20_000) {
          conversations.append("s", 7);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const replies = await Promise.all(joined);
      await until("the backlog", () => all.every((socket) => socket.seqs("session:s").length > 10_500));
      live = false;
      await appending;
      const last = conversations.append("s", 1)[0]?.seq ?? 0;
      for (const [i, socket] of all.entries()) {
        await until("the last message", () => socket.frames.at(-1)?.[4].seq === last);
        const replayed = replies[i]!.messages.map(({ seq }) => seq);
        assert.deepEqual([...replayed, ...socket.seqs("session:s")], range(1, last));
      }
      assert.equal(await node.metric("fleet_gap_repairs_total"), 0);
    });

    it("reads a backlog no faster than the client takes it", async () => {
      const text = "x".repeat(10_000);
      node.conversations.append("s", 5000, { text });
      const socket = await open();
      await socket.join("session:s");
      socket.ws.pause();
      // What it has read is under way or buffered; it must stop long before the end.
      await atRest("the server's reading", () => node.conversations.calls.list);
      assert.ok(node.conversations.calls.list < 100, `${node.conversations.calls.list} pages were read`);
      socket.ws.resume();
      await until("all of it", () => socket.seqs("session:s").length === 4900);
      assert.deepEqual(socket.seqs("session:s"), range(101, 5000));
    });

    it("fills a gap before it goes on, and counts the repair", async () => {
      const socket = await open();
      await socket.join("session:s");
      node.conversations.append("s", 2);
      await until("two live messages", () => socket.seqs("session:s").length === 2);
      node.fanout.loses = () => true;
      node.conversations.append("s", 3);
      await socket.ask("phoenix", "heartbeat");
      node.fanout.loses = () => false;
      node.conversations.append("s", 1);
      await until("the gap is filled", () => socket.seqs("session:s").length === 6);
      assert.deepEqual(socket.seqs("session:s"), range(1, 6));
      assert.equal(await node.metric("fleet_gap_repairs_total"), 1);
    });

    it("survives reads that fail, and repairs the gap when they work", async () => {
      const socket = await open();
      await socket.join("session:s");
      node.fanout.loses = () => true;
      node.conversations.append("s", 1);
      await socket.ask("phoenix", "heartbeat");
      node.fanout.loses = () => false;
      let failures = 0;
      node.conversations.before = (action) => {
        if (action === "list" && failures++ < 4) throw new FleetError("leader_unavailable", "no leader");
      };
      node.conversations.append("s", 1);
      await until("reads fail", () => failures >= 2);
      node.conversations.append("s", 1);
      const sent = await socket.ask("session:s", "send", SEND);
      assert.equal(sent.status, "ok");
      await until("the gap is filled", () => socket.seqs("session:s").length === 4);
      assert.deepEqual(socket.seqs("session:s"), range(1, 4));
    });

    it("finds what a former leader's publication lost when the next leader shows itself", async () => {
      const socket = await open();
      node.conversations.create("t");
      await socket.join("session:s");
      await socket.join("session:t");
      node.conversations.append("t", 1);
      node.conversations.append("s", 1);
      await until("a live message", () => socket.seqs("session:s").length === 1);
      node.fanout.loses = () => true;
      node.conversations.append("s", 2);
      await socket.ask("phoenix", "heartbeat");
      node.fanout.loses = () => false;
      node.conversations.epoch = 2;
      node.conversations.append("t", 1);
      await until("the lost messages", () => socket.seqs("session:s").length === 3);
    }).slow(2000);

    it("writes nothing after its phx_close, not even of a page that was on its way", async () => {
      node.conversations.append("s", 300);
      const gate = Promise.withResolvers<void>();
      let reads = 0;
      node.conversations.before = async (action, params) => {
        if (action !== "list" || (params as { after_seq: number }).after_seq !== 100) return;
        reads++;
        await gate.promise;
      };
      const [left, stays] = [await open(), await open()];
      await left.join("session:s");
      await until("the page is on its way", () => reads === 1);
      // Misses the same messages, so the same page serves both, in the order of their joins.
      await stays.join("session:s");
      await left.ask("session:s", "phx_leave");
      gate.resolve();
      await until("the page", () => stays.seqs("session:s").length === 200);
      await left.ask("phoenix", "heartbeat");
      assert.deepEqual(left.seqs("session:s"), []);
      assert.equal(reads, 1);
    });

    it("costs one subscription per session, however many channels show it", async () => {
      const all = await Promise.all(Array.from({ length: 10 }, () => open()));
      await Promise.all(all.map((socket) => socket.join("session:s")));
      assert.equal(node.fanout.subscriptions, 1);
      assert.equal(await node.metric("fleet_ws_channels"), 10);
      assert.equal(await node.metric("fleet_ws_connections"), 10);
      await Promise.all(all.slice(1).map((socket) => socket.ask("session:s", "phx_leave")));
      assert.equal(node.fanout.subscriptions, 1);
      node.conversations.append("s", 1);
      await until("the message", () => all[0]?.seqs("session:s").length === 1);
    });

    it("is one of many with a backlog on one socket, and all are delivered", async () => {
      const ids = range(1, 30).map((i) => `s${i}`);
      for (const id of ids) {
        node.conversations.create(id);
        node.conversations.append(id, 300);
      }
      const socket = await open();
      await Promise.all(ids.map((id) => socket.join(`session:${id}`)));
      for (const id of ids) {
        await until("the backlog", () => socket.seqs(`session:${id}`).length === 200);
        assert.deepEqual(socket.seqs(`session:${id}`), range(101, 300));
      }
    });

    it("joined thousands of times by one socket works, and leaves nothing behind", async () => {
      const count = 3000;
      for (let i = 0; i < count; i++) node.conversations.create(`s${i}`);
      const socket = await open();
      for (let i = 0; i < count; i++) socket.ws.send(`["${i}","${i}","session:s${i}","phx_join",{}]`);
      await until("every join", () => socket.frames.length === count);
      assert.ok(socket.frames.every(([, , , , { status }]) => status === "ok"));
      assert.equal(node.fanout.subscriptions, count);
    });

    it("stops reading a socket whose answers are not taken, before it gives it up", async () => {
      const socket = await open();
      await socket.join("session:s");
      socket.ws.pause();
      const wrong = JSON.stringify({ content: "x".repeat(16_000) });
      const count = 4000;
      for (let i = 0; i < count; i++) socket.ws.send(`[null,"r${i}","session:s","send",${wrong}]`);
      const unsent = await atRest("what the server does not read", () => socket.ws.bufferedAmount);
      assert.ok(unsent > 0);
      socket.ws.resume();
      await until("every answer", () => socket.frames.length === count + 1);
      assert.equal(socket.closed, null);
    });
  });

  describe("whose publications are lost", () => {
    beforeEach(() => start({ env: { FLEET_CATCHUP_INTERVAL_MS: "1000" } }));

    it("is repaired within the interval, without a later message", async () => {
      const socket = await open();
      await socket.join("session:s");
      node.fanout.loses = () => true;
      node.conversations.append("s", 3);
      const lost = performance.now();
      const { heads } = node.conversations.calls;
      await until("the lost messages", () => socket.seqs("session:s").length === 3);
      const ms = performance.now() - lost;
      assert.ok(ms < 4000, `repaired after ${Math.round(ms)} ms`);
      // A second check may begin while what the first one missed is read.
      assert.ok(node.conversations.calls.heads <= heads + 2, "it is not left to later checks");
      assert.deepEqual(socket.seqs("session:s"), [1, 2, 3]);
      assert.equal(await node.metric("fleet_gap_repairs_total"), 1);
    });

    it("costs one call per interval in idle times, however many sessions are shown", async () => {
      const socket = await open();
      for (let i = 0; i < 500; i++) {
        node.conversations.create(`s${i}`);
        socket.send(`session:s${i}`, "phx_join");
      }
      await until("every join", () => socket.frames.length === 500);
      const { heads, ...others } = { ...node.conversations.calls };
      await until("three checks", () => node.conversations.calls.heads >= heads + 3);
      const { heads: later, ...rest } = node.conversations.calls;
      assert.ok(later <= heads + 4);
      assert.deepEqual(rest, others);
    });
  });

  describe("send", () => {
    beforeEach(() => start({ env: { FLEET_APPEND_TIMEOUT_MS: "50" } }));

    const failWith = (error: Error) => {
      node.conversations.before = (action) => {
        if (action === "append") throw error;
      };
    };

    it("is answered with seq and id, and comes back as one message event", async () => {
      const params: unknown[] = [];
      node.conversations.before = (_, given) => void params.push(given);
      const socket = await open();
      await socket.join("session:s");
      const { status, response } = await socket.ask("session:s", "send", {
        content: { kind: "note", content: { text: "hi" }, metadata: { a: 1 } },
        idempotency_key: "k",
        expected_seq: 0,
      });
      assert.deepEqual([status, response], ["ok", { seq: 1, id: "m1", deduped: false }]);
      assert.deepEqual(JSON.parse(JSON.stringify(params.at(-1))), {
        session_id: "s",
        user_id: "u1",
        kind: "note",
        content: { text: "hi" },
        metadata: { a: 1 },
        idempotency_key: "k",
        expected_seq: 0,
      });
      await until("the message", () => socket.seqs("session:s").length === 1);
    });

    it("goes out in the name of the socket's agent", async () => {
      const params: unknown[] = [];
      node.conversations.before = (action, given) => void (action === "append" && params.push(given));
      const socket = await open({ agent_id: "a1" });
      await socket.join("session:s");
      await socket.ask("session:s", "send", { ...SEND, user_id: "u1" });
      const [{ agent_id, user_id }] = JSON.parse(JSON.stringify(params));
      assert.deepEqual([agent_id, user_id], ["a1", undefined]);
    });

    it("of a wrong shape is answered with what is wrong and what was received", async () => {
      const socket = await open();
      await socket.join("session:s");
      for (const payload of [{}, { content: "hi" }, { content: { content: [] } }, null, [1]]) {
        const { status, response } = await socket.ask("session:s", "send", payload);
        assert.equal(status, "error");
        assert.equal(response.error, "invalid_message_format");
        assert.equal(typeof response.details, "string");
        assert.deepEqual(response.received, payload);
      }
      assert.equal(node.conversations.calls.append, 0);
    });

    it("that fails is answered with the contract's code and fields, and the channel lives on", async () => {
      const socket = await open();
      await socket.join("session:s");
      const table = [
        [new FleetError("content_too_large", "x"), { error: "content_too_large" }],
        [new FleetError("session_archived", "x"), { error: "session_archived" }],
        [new FleetError("not_participant", "x"), { error: "not_participant" }],
        [
          new FleetError("expected_seq_conflict", "x", { last_seq: 4 }),
          { error: "expected_seq_conflict", last_seq: 4 },
        ],
        [new FleetError("leader_unavailable", "x"), { error: "leader_unavailable", retry_after_ms: 1000 }],
        [
          new FleetError("append_timeout", "x", { may_have_committed: true }),
          { error: "timeout", may_have_committed: true },
        ],
        [new TypeError("a defect"), { error: "timeout", may_have_committed: true }],
      ] as const;
      for (const [error, expected] of table) {
        failWith(error);
        const { status, response } = await socket.ask("session:s", "send", SEND);
        assert.deepEqual([status, response], ["error", expected]);
      }
      node.conversations.before = () => {};
      assert.equal((await socket.ask("session:s", "send", SEND)).status, "ok");
    });

    it("that a busy node refuses also pushes a backpressure event", async () => {
      const socket = await open();
      await socket.join("session:s");
      failWith(new FleetError("backpressure", "x", { retry_after_ms: 120 }));
      const { status, response } = await socket.ask("session:s", "send", SEND);
      assert.deepEqual([status, response], ["error", { error: "backpressure", retry_after_ms: 120 }]);
      const push = await socket.next((frame) => frame[3] === "backpressure", "the event");
      assert.deepEqual(push[4], { reason: "node_busy", retry_after_ms: 120 });
    });

    it("that nobody answers is told to be unknown, in time", async () => {
      const socket = await open();
      await socket.join("session:s");
      const never = Promise.withResolvers<void>();
      node.conversations.before = (action) => (action === "append" ? never.promise : undefined);
      const { status, response } = await socket.ask("session:s", "send", SEND);
      assert.deepEqual([status, response], ["error", { error: "timeout", may_have_committed: true }]);
      never.resolve();
    }).slow(5000);

    it("is answered as each append completes, and not after its channel was left", async () => {
      const gates = new Map<string, PromiseWithResolvers<void>>();
      node.conversations.before = (action, params) => {
        if (action !== "append") return;
        const { idempotency_key } = params as { idempotency_key: string };
        const gate = Promise.withResolvers<void>();
        gates.set(idempotency_key, gate);
        return gate.promise;
      };
      const socket = await open();
      await socket.join("session:s");
      const [slow, fast, late] = ["slow", "fast", "late"].map((idempotency_key) =>
        socket.send("session:s", "send", { ...SEND, idempotency_key }),
      );
      assert.ok(slow && fast && late);
      await until("all three are under way", () => gates.size === 3);
      gates.get("fast")?.resolve();
      await socket.reply(fast);
      gates.get("slow")?.resolve();
      await socket.reply(slow);
      await socket.ask("session:s", "phx_leave");
      gates.get("late")?.resolve();
      await until("the append", () => node.conversations.sessions.get("s")?.messages.length === 3);
      await socket.ask("phoenix", "heartbeat");
      assert.ok(!socket.frames.some(([, ref]) => ref === late));
    });
  });
});
