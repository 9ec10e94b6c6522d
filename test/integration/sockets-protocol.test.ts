/** @module Tests: the Phoenix protocol on a real socket, over conversations in memory. */
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import fc from "fast-check";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { socketsMixin } from "../../services/gateway/sockets.mixin.ts";
import { atRest, RawSocket } from "../helpers/sockets.ts";
import { type SocketsNode, startSockets } from "../helpers/sockets-node.ts";
import { until } from "../helpers/until.ts";

const SEED = Number(process.env.SOCKETS_SEED ?? Date.now() % 2 ** 31);
const MIB = 1024 * 1024;

describe("a socket", () => {
  let node: SocketsNode;
  let open: (query?: Record<string, string>) => Promise<RawSocket>;

  before(async () => {
    node = await startSockets({ settings: { maxChannels: 50 } });
    open = (query = { user_id: "u1" }) => RawSocket.open(node.url, query);
  });

  beforeEach(() => {
    node.conversations.sessions.clear();
    node.conversations.before = () => {};
    node.fanout.gate = Promise.resolve();
    node.conversations.create("s");
  });

  afterEach(async () => {
    await until("every subscription ended", () => node.fanout.subscriptions === 0);
    await until("every connection ended", async () => (await node.metric("fleet_ws_connections")) === 0);
    assert.equal(await node.metric("fleet_ws_channels"), 0);
  });

  after(() => node.stop());

  describe("upgrade", () => {
    const status = (path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        };
        const ask = request(node.url + path, { headers });
        ask.on("response", (response) => resolve(response.resume().statusCode));
        ask.on("upgrade", (response, socket) => {
          socket.destroy();
          resolve(response.statusCode);
        });
        ask.on("error", reject);
        ask.end();
      });

    it("is answered 101 with vsn 2.0.0 and a principal", async () => {
      assert.equal(await status("/socket/websocket?vsn=2.0.0&user_id=u1"), 101);
      assert.equal(await status("/socket/websocket?vsn=2.0.0&agent_id=a1"), 101);
      assert.equal(await status("/socket/websocket?vsn=2.0.0&user_id=&agent_id=a1"), 101);
    });

    it("is answered 403 with another vsn or without a principal", async () => {
      const queries = [
        "",
        "?vsn=2.0.0",
        "?user_id=u1",
        "?vsn=1.0.0&user_id=u1",
        "?vsn=2.0.0&user_id=",
        "?vsn=2.0.0&user_id=%00",
        `?vsn=2.0.0&user_id=${"x".repeat(256)}`,
        "?vsn=2.0.0&user_id=%ff%00&agent_id=a1",
      ];
      for (const query of queries) assert.equal(await status(`/socket/websocket${query}`), 403, query);
    });

    it("is answered 404 anywhere else", async () => {
      for (const path of ["/", "/socket", "/socket/websocket/", "/api/sessions", "//", "/socket/longpoll"]) {
        assert.equal(await status(`${path}?vsn=2.0.0&user_id=u1`), 404, path);
      }
    });
  });

  it("leaves requests to HTTP that offer another upgrade, as some clients always do", async () => {
    const headers = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABk" };
    const text = await new Promise<string>((resolve, reject) => {
      const ask = request(`${node.url}/api/sessions`, { method: "POST", headers }, async (response) => {
        resolve(Buffer.concat(await response.toArray()).toString());
      });
      ask.on("error", reject);
      ask.end("a body");
    });
    assert.equal(text, "plain HTTP");
  });

  it("answers a heartbeat", async () => {
    const socket = await open();
    socket.ws.send('[null,"7","phoenix","heartbeat",{}]');
    assert.deepEqual(await socket.next(() => true, "the answer"), [
      null,
      "7",
      "phoenix",
      "phx_reply",
      { status: "ok", response: {} },
    ]);
    await socket.close();
  });

  it("echoes refs as they came: text, numbers, null", async () => {
    const socket = await open();
    socket.ws.send('[5,6,"session:s","phx_join",{}]');
    const [joinRef, ref] = await socket.next(() => true, "the reply");
    assert.deepEqual([joinRef, ref], [5, 6]);
    node.conversations.append("s", 1);
    const push = await socket.next(([, , , event]) => event === "message", "the message");
    assert.deepEqual(push.slice(0, 4), [5, null, "session:s", "message"]);
    await socket.close();
  });

  describe("join", () => {
    it("is answered with the messages after last_seq and what the session is", async () => {
      const messages = node.conversations.append("s", 3);
      const socket = await open();
      const dispatch = { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null };
      assert.deepEqual(await socket.join("session:s", { last_seq: 1 }), {
        session_id: "s",
        messages: messages.slice(1),
        last_seq: 3,
        has_more: false,
        dispatch,
      });
      await socket.close();
    });

    it("takes last_seq as an integer or numeric string, else as 0, and clamps it", async () => {
      node.conversations.append("s", 3);
      const socket = await open();
      const replayed = async (last_seq: unknown) => {
        const { messages, last_seq: end } = await socket.join("session:s", { last_seq });
        assert.equal(end, 3);
        return messages.map(({ seq }: { seq: number }) => seq);
      };
      assert.deepEqual(await replayed("2"), [3]);
      assert.deepEqual(await replayed(-4), [1, 2, 3]);
      assert.deepEqual(await replayed({ evil: 1 }), [1, 2, 3]);
      assert.deepEqual(await replayed(99), []);
      assert.deepEqual(await replayed("9".repeat(100)), []);
      // It was clamped: the next message is not taken for one that the client has.
      node.conversations.append("s", 1);
      await socket.next((frame) => frame[3] === "message" && frame[4].seq === 4, "message 4");
      await socket.close();
    });

    it("answers at most 100 messages, then pushes the rest", async () => {
      node.conversations.append("s", 250);
      const socket = await open();
      const { messages, has_more, last_seq } = await socket.join("session:s");
      assert.deepEqual([messages.length, has_more, last_seq], [100, true, 250]);
      await until("the rest", () => socket.seqs("session:s").length === 150);
      assert.deepEqual(
        socket.seqs("session:s"),
        Array.from({ length: 150 }, (_, i) => 101 + i),
      );
      await socket.close();
    });

    it("answers at most 1 MiB of messages", async () => {
      node.conversations.append("s", 20, { text: "x".repeat(100_000) });
      const socket = await open();
      const { messages, has_more } = await socket.join("session:s");
      assert.ok(messages.length >= 5 && JSON.stringify(messages).length <= MIB, `${messages.length}`);
      assert.equal(has_more, true);
      await until("the rest", () => socket.seqs("session:s").at(-1) === 20);
      await socket.close();
    });

    it("is refused for a session that does not exist, whatever its id is", async () => {
      const socket = await open();
      const strange = ["t", "", "../s", "s s", "s\u0000", "x".repeat(65), "💥", "__proto__", "constructor"];
      for (const id of strange) await assert.rejects(socket.join(`session:${id}`), /^Error: not found$/, id);
      await socket.close();
    });

    it("is refused to whoever is not in the session", async () => {
      const outsiders: Record<string, string>[] = [
        { user_id: "u2" },
        { user_id: "a1" },
        { agent_id: "u1" },
        { agent_id: "a2" },
      ];
      for (const query of outsiders) {
        const socket = await open(query);
        await assert.rejects(socket.join("session:s"), /^Error: unauthorized$/, JSON.stringify(query));
        const { status, response } = await socket.ask("session:s", "send", { content: { content: {} } });
        assert.deepEqual([status, response], ["error", { reason: "unmatched topic" }]);
        await socket.close();
      }
      assert.equal(node.conversations.sessions.get("s")?.messages.length, 0);
      const both = await open({ user_id: "u1", agent_id: "a2" });
      await both.join("session:s");
      const agent = await open({ agent_id: "a1" });
      await agent.join("session:s");
      await Promise.all([both.close(), agent.close()]);
    });

    it("is refused as unavailable when the session cannot be read, and works when it can", async () => {
      node.conversations.append("s", 1);
      const socket = await open();
      for (const failing of ["get", "list"]) {
        node.conversations.before = (action) => {
          if (action === failing) throw new Error("no leader");
        };
        await assert.rejects(socket.join("session:s"), /^Error: unavailable$/);
      }
      node.conversations.before = () => {};
      await socket.join("session:s");
      await socket.close();
    });

    it("is refused for any other topic", async () => {
      const socket = await open();
      for (const topic of ["room:lobby", "session", "", "phoenix", "inbox:u1"]) {
        await assert.rejects(socket.join(topic), /^Error: unmatched topic$/, topic);
      }
      await socket.close();
    });

    it("is refused beyond the number of channels that a socket may have", async () => {
      const socket = await open();
      for (let i = 0; i < 51; i++) node.conversations.create(`s${i}`);
      const joins = await Promise.allSettled(
        Array.from({ length: 51 }, (_, i) => socket.join(`session:s${i}`)),
      );
      const refused = joins.filter((join) => join.status === "rejected").map(({ reason }) => reason.message);
      assert.deepEqual(refused, ["too many channels"]);
      await socket.ask("session:s0", "phx_leave");
      await socket.join("session:s50");
      await socket.close();
    });

    it("of a topic that is joined closes the old channel first", async () => {
      const socket = await open();
      socket.ws.send('["1","1","session:s","phx_join",{}]');
      socket.ws.send('["2","2","session:s","phx_join",{}]');
      await until("both joins", () => socket.frames.length === 3);
      const heads = socket.frames.map(([joinRef, ref, , event]) => [joinRef, ref, event]);
      assert.deepEqual(heads, [
        ["1", "1", "phx_reply"],
        ["1", "1", "phx_close"],
        ["2", "2", "phx_reply"],
      ]);
      node.conversations.append("s", 1);
      await socket.next(([joinRef, , , event]) => joinRef === "2" && event === "message", "the message");
      await socket.ask("phoenix", "heartbeat");
      assert.equal(socket.seqs("session:s").length, 1);
      await socket.close();
    });
  });

  it("ignores pushes with a stale join_ref, and takes those without one", async () => {
    const socket = await open();
    socket.ws.send('["1","1","session:s","phx_join",{}]');
    socket.ws.send('["2","2","session:s","phx_join",{}]');
    await socket.reply("2");
    for (const event of ["send", "phx_leave", "whatever"]) {
      socket.ws.send(
        JSON.stringify(["1", `stale-${event}`, "session:s", event, { content: { content: {} } }]),
      );
    }
    const sent = await socket.ask("session:s", "send", { content: { content: {} } });
    assert.equal(sent.status, "ok");
    assert.equal(node.conversations.sessions.get("s")?.messages.length, 1);
    assert.ok(!socket.frames.some(([, ref]) => String(ref).startsWith("stale")));
    await socket.close();
  });

  it("leaves a channel with ok and phx_close, and then knows it no more", async () => {
    const socket = await open();
    socket.ws.send('["1","1","session:s","phx_join",{}]');
    socket.ws.send('["1","2","session:s","phx_leave",{}]');
    await until("the leave", () => socket.frames.length === 3);
    assert.deepEqual(socket.frames.slice(1), [
      ["1", "2", "session:s", "phx_reply", { status: "ok", response: {} }],
      ["1", "1", "session:s", "phx_close", {}],
    ]);
    assert.equal(node.fanout.subscriptions, 0);
    assert.equal(await node.metric("fleet_ws_channels"), 0);
    const { status, response } = await socket.ask("session:s", "send", { content: { content: {} } });
    assert.deepEqual([status, response], ["error", { reason: "unmatched topic" }]);
    assert.equal((await socket.ask("session:s", "phx_leave")).status, "ok");
    await socket.close();
  });

  it("answers an unknown event with an error, and the channel lives on", async () => {
    const socket = await open();
    await socket.join("session:s");
    for (const event of ["typing", "", "message", "phx_reply", "phx_close", "phx_error"]) {
      const { status, response } = await socket.ask("session:s", event, null);
      assert.deepEqual([status, response], ["error", { error: "unknown_event" }]);
    }
    assert.equal((await socket.ask("session:s", "send", { content: { content: {} } })).status, "ok");
    await socket.close();
  });

  it("handles what a client sends before its join is answered after that, in order", async () => {
    const reads = Promise.withResolvers<void>();
    node.conversations.before = (action) => (action === "get" ? reads.promise : undefined);
    const socket = await open();
    socket.ws.send('["1","1","session:s","phx_join",{}]');
    for (const ref of ["2", "3"]) {
      socket.ws.send(`["1","${ref}","session:s","send",{"content":{"content":{}}}]`);
    }
    socket.ws.send('["1","4","session:s","odd",{}]');
    // Other topics do not wait.
    await socket.ask("phoenix", "heartbeat");
    assert.equal(node.conversations.sessions.get("s")?.messages.length, 0);
    reads.resolve();
    await Promise.all(["1", "2", "3", "4"].map((ref) => socket.reply(ref)));
    assert.equal(node.conversations.sessions.get("s")?.messages.length, 2);
    await socket.close();
  });

  it("stops reading while a join is undecided and much has come for it, and loses none of it", async () => {
    const reads = Promise.withResolvers<void>();
    node.conversations.before = (action) => (action === "get" ? reads.promise : undefined);
    const socket = await open();
    socket.ws.send('["1","1","session:s","phx_join",{}]');
    const text = "x".repeat(10_000);
    const count = 1000;
    for (let i = 0; i < count; i++) {
      socket.ws.send(`["1","r${i}","session:s","send",{"content":{"content":{"text":"${text}"}}}]`);
    }
    const blocked = socket.ask("phoenix", "heartbeat");
    const unsent = await atRest("what the server does not read", () => socket.ws.bufferedAmount);
    assert.ok(unsent > MIB, `${unsent}`);
    assert.equal(socket.frames.length, 0);
    reads.resolve();
    await blocked;
    await until("every send", () => socket.seqs("session:s").length === count);
    await Promise.all(Array.from({ length: count }, (_, i) => socket.reply(`r${i}`)));
    await socket.close();
  });

  describe("closes", () => {
    const badFrames = [
      "",
      "hello",
      "{}",
      "null",
      "[]",
      '["1","1","t","e"]',
      '["1","1","t","e",{},{}]',
      '["1","1",null,"e",{}]',
      '["1","1","t",5,{}]',
      '[{},"1","t","e",{}]',
      '["1",true,"t","e",{}]',
      '["1",1e999,"t","e",{}]',
      "[".repeat(500_000),
      `${"[".repeat(500_000)}${"]".repeat(500_000)}`,
      '{"a":'.repeat(100_000),
      "9".repeat(1_000_000),
    ];

    it("with 1003 after a bad frame", async () => {
      for (const text of badFrames) {
        const socket = await open();
        await socket.join("session:s");
        socket.ws.send(text);
        assert.equal((await socket.untilClosed()).code, 1003, text.slice(0, 50));
      }
    });

    it("with 1003 after a binary frame and after text that is not UTF-8", async () => {
      const binary = await open();
      binary.ws.send(Buffer.from('["1","1","phoenix","heartbeat",{}]'));
      assert.equal((await binary.untilClosed()).code, 1003);
      const garbled = await open();
      garbled.ws.send(Buffer.from([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]), { binary: false });
      assert.equal((await garbled.untilClosed()).code, 1003);
    });

    it("with 1009 after a frame over 1 MiB, but not at 1 MiB", async () => {
      const socket = await open();
      const around = '[null,"1","session:s","send",""]';
      socket.ws.send(around.replace('""', `"${"x".repeat(MIB - around.length)}"`));
      assert.deepEqual((await socket.reply("1")).response, { reason: "unmatched topic" });
      socket.ws.send(around.replace('""', `"${"x".repeat(MIB - around.length + 1)}"`));
      assert.equal((await socket.untilClosed()).code, 1009);
    });

    for (const [what, text] of [
      ["ASCII", "x".repeat(100_000)],
      ["text of three bytes a character", "語".repeat(33_333)],
    ]) {
      it(`with 1013 when a client does not read what is sent to it: ${what}`, async () => {
        const socket = await open();
        const other = await open();
        await Promise.all([socket.join("session:s"), other.join("session:s")]);
        socket.ws.pause();
        for (let i = 0; i < 40; i++) {
          node.conversations.append("s", 5, { text });
          await other.next(
            (frame) => frame[3] === "message" && frame[4].seq === 5 * (i + 1),
            "the others read on",
          );
        }
        await until("", () => node.fanout.subscriptions === 1);
        socket.ws.resume();
        assert.equal((await socket.untilClosed()).code, 1013);
        assert.equal(other.closed, null);
        await other.close();
      });
    }

    it("when the client goes away, whatever is under way", async () => {
      const gates: PromiseWithResolvers<void>[] = [];
      for (const stage of ["subscribe", "get", "list", "append"]) {
        node.conversations.create(stage);
        node.conversations.append(stage, 1);
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        let reached = stage === "subscribe";
        if (stage === "subscribe") node.fanout.gate = gate.promise;
        node.conversations.before = (action) => {
          if (action !== stage) return;
          reached = true;
          return gate.promise;
        };
        const socket = await open();
        socket.ws.send(`["1","1","session:${stage}","phx_join",{}]`);
        socket.ws.send(`["1","2","session:${stage}","send",{"content":{"content":{}}}]`);
        await socket.ask("phoenix", "heartbeat");
        await until(stage, () => reached);
        socket.ws.terminate();
        await socket.untilClosed();
        gate.resolve();
        node.fanout.gate = Promise.resolve();
        await until("the subscription ended", () => node.fanout.subscriptions === 0);
      }
    });
  });

  it(`survives every frame that a client may think of (seed ${SEED})`, async () => {
    const socket = await open();
    await socket.join("session:s");
    const ref = fc.oneof(fc.constant(null), fc.string({ maxLength: 5 }), fc.integer());
    const topic = fc.oneof(
      { weight: 3, arbitrary: fc.constant("session:s") },
      fc.constantFrom("phoenix", "session:", "session:t", "inbox:u1", "x"),
      fc.string(),
    );
    const event = fc.oneof(
      fc.constantFrom("send", "send", "phx_join", "phx_leave", "heartbeat", "message", "phx_reply"),
      fc.string(),
    );
    const message = fc.record(
      { kind: fc.jsonValue(), content: fc.oneof(fc.constant({}), fc.jsonValue()), metadata: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const payload = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          content: message,
          idempotency_key: fc.jsonValue(),
          expected_seq: fc.jsonValue(),
          last_seq: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(ref, ref, topic, event, payload)), async (frames) => {
        for (const frame of frames) socket.ws.send(JSON.stringify(frame));
        assert.equal((await socket.ask("phoenix", "heartbeat")).status, "ok");
      }),
      { seed: SEED, numRuns: 300 },
    );
    await socket.join("session:s");
    const sent = await socket.ask("session:s", "send", { content: { content: {} } });
    assert.equal(sent.status, "ok");
    await socket.close();
  });
});

describe("a silent socket", () => {
  it("is closed with 1001, and one that sends anything is not", async () => {
    const node = await startSockets({ settings: { silenceMs: 2000 } });
    const query = { user_id: "u1" };
    const silent = await RawSocket.open(node.url, query);
    const beating = await RawSocket.open(node.url, query);
    const pinging = await RawSocket.open(node.url, query);
    const timer = setInterval(() => {
      beating.send("phoenix", "heartbeat");
      pinging.ws.ping();
    }, 50);
    assert.equal((await silent.untilClosed()).code, 1001);
    // Until a second one is closed, the others have been open for twice the time.
    const next = await RawSocket.open(node.url, query);
    assert.equal((await next.untilClosed()).code, 1001);
    assert.deepEqual([beating.closed, pinging.closed], [null, null]);
    clearInterval(timer);
    await node.stop();
  });
});

describe("a node that stops", () => {
  it("tells its channels, closes every socket with 1012, and takes no new one", async () => {
    const node = await startSockets();
    node.conversations.create("s");
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () => RawSocket.open(node.url, { user_id: "u1" })),
    );
    await Promise.all(sockets.map((socket) => socket.join("session:s")));
    await node.stop();
    for (const socket of sockets) {
      assert.equal((await socket.untilClosed()).code, 1012);
      assert.deepEqual(socket.frames.at(-1)?.slice(2), [
        "session:s",
        "backpressure",
        { reason: "session_draining", retry_after_ms: 1000 },
      ]);
    }
    assert.equal(node.fanout.subscriptions, 0);
    assert.equal(await node.metric("fleet_ws_connections"), 0);
    await assert.rejects(RawSocket.open(node.url, { user_id: "u1" }));
  });

  it("answers the sends under way before it closes the socket", async () => {
    const node = await startSockets();
    node.conversations.create("s");
    const socket = await RawSocket.open(node.url, { user_id: "u1" });
    await socket.join("session:s");
    const decided = Promise.withResolvers<void>();
    node.conversations.before = (action) => (action === "append" ? decided.promise : undefined);
    const ref = socket.send("session:s", "send", { content: { content: {} } });
    await until("the send is under way", () => node.conversations.calls.append === 1);
    const stopped = node.stop();
    await until("the socket is told", () => socket.frames.some(([, , , event]) => event === "backpressure"));
    assert.equal(socket.closed, null);
    decided.resolve();
    assert.equal((await socket.reply(ref)).status, "ok");
    assert.equal((await socket.untilClosed()).code, 1012);
    await stopped;
  });

  it("can spread the end of its sockets over some time", async () => {
    const node = await startSockets();
    const sockets = await Promise.all(
      Array.from({ length: 10 }, () => RawSocket.open(node.url, { user_id: "u1" })),
    );
    const service = node.broker.getLocalService("gateway") as unknown as {
      drainSockets(spreadMs: number): Promise<void>;
    };
    const began = performance.now();
    const drained = service.drainSockets(500);
    await sockets[0]?.untilClosed();
    assert.equal(sockets[9]?.closed, null);
    await Promise.all([drained, node.stop()]);
    assert.ok(performance.now() - began > 400);
    for (const socket of sockets) assert.equal((await socket.untilClosed()).code, 1012);
  });

  it("does not wait for a client that never answers the close", async () => {
    const node = await startSockets();
    const socket = await RawSocket.open(node.url, { user_id: "u1" });
    socket.ws.pause();
    await node.stop();
    socket.ws.resume();
    await socket.untilClosed();
  });

  it("cannot be started with the sockets after the web server, where they would never be closed", async () => {
    const broker = new ServiceBroker({ logger: false, skipProcessEventRegistration: true });
    const server = createServer();
    const unlistened: Partial<ServiceSchema> = {
      created() {
        this.server = server;
      },
    };
    broker.createService({ name: "gateway", mixins: [socketsMixin, unlistened] });
    await assert.rejects(broker.start(), /list socketsMixin before moleculer-web/);
    await broker.stop();
  });
});
