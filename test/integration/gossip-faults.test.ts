/** @module Gossip under faults: frozen networks, hostile peers, other clusters, copies, slow readers, schema drift. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import packet from "dns-packet";
import { frame } from "../../corrosion/embedded/gossip/frames.ts";
import { encode, type Message } from "../../corrosion/embedded/gossip/wire.ts";
import { actorId, agents, QUICK, stopAll, type TestAgent } from "../helpers/gossips.ts";
import { until } from "../helpers/until.ts";

async function untilConnected(all: readonly TestAgent[]): Promise<void> {
  await until("all see all others alive and are connected", () =>
    all.every(
      (one) =>
        one.gossip?.status().peers === all.length - 1 &&
        all.every((other) => one === other || one.sees(other) === "Alive"),
    ),
  );
}

async function untilEqual(all: readonly TestAgent[]): Promise<void> {
  await until(
    "all hold the same versions",
    () => new Set(all.map(({ replication }) => replication.contents())).size === 1,
  );
}

/** A peer that does as the test says. */
async function stranger(agent: TestAgent, ...bytes: (Message | Buffer)[]): Promise<Socket> {
  const socket = connect(agent.port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => undefined);
  for (const some of bytes) socket.write(Buffer.isBuffer(some) ? some : frame(encode(some)));
  return socket;
}

/** Resolves when the connection is over, also by a reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("close", () => resolve()));
}

const helloOf = (name: string, port = 1): Message => ({
  t: "hello",
  actor: actorId(name),
  instance: `run of ${name}`,
  dial: 1,
  address: `127.0.0.1:${port}`,
  cluster: 0,
  member: null,
});

describe("gossip under faults", () => {
  let all: TestAgent[] = [];
  let sockets: Socket[] = [];

  async function pair(): Promise<[TestAgent, TestAgent]> {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    await a.start([b]);
    await b.start([a]);
    await untilConnected(all);
    return [a, b];
  }

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    await stopAll(all);
    all = [];
  });

  it("notices connections over which nothing comes any more, and takes up when they are replaced", async () => {
    const [a, b] = await pair();
    for (const { proxy } of all) proxy.freeze();
    await until("each calls the other Suspect", () => a.sees(b) === "Suspect" && b.sees(a) === "Suspect");
    await until("both gave up the connection", () => all.every(({ gossip }) => gossip?.status().peers === 0));
    await until("each calls the other Down", () => a.sees(b) === "Down" && b.sees(a) === "Down");
    a.replication.commit();
    for (const { proxy } of all) proxy.heal();
    await untilConnected(all);
    await untilEqual(all);
    assert.ok(a.eventsOf("disconnected").length <= 2, "said once, not every second");
  });

  it("blames nobody for the time in which its own process stood still", async () => {
    const [a, b] = await pair();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    const version = a.replication.commit();
    await until("changes come", () => b.replication.has(a.id, version));
    const rounds = a.gossip!.members()[0]!.rtts!.length;
    await until("some rounds pass", () => a.gossip!.members()[0]!.rtts!.length >= Math.min(20, rounds + 5));
    for (const { events } of all) {
      assert.ok(!events.some((event) => event.kind === "disconnected"));
      assert.ok(!events.some((event) => event.kind === "member" && event.state !== "Alive"));
    }
  });

  it("drops whoever speaks another protocol, with one line and nothing else", async () => {
    const [a, b] = await pair();
    const noise: Buffer[] = [
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      frame("{}"),
      Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(100)]),
      frame(encode(helloOf("x")).replace("fleetport-embedded-gossip/1", "another/2")),
      Buffer.concat([frame(encode(helloOf("x"))), frame('{"t":"push","chunks":[7]}')]),
      Buffer.concat([frame(encode(helloOf("x"))), Buffer.from([0x7f, 0xff, 0xff, 0xff])]),
    ];
    for (const bytes of noise) {
      const before = a.eventsOf("rejected").length;
      for (let again = 0; again < 3; again++) {
        const socket = await stranger(a, bytes);
        socket.resume();
        await closed(socket);
      }
      assert.equal(a.eventsOf("rejected").length, before + 1, JSON.stringify(a.eventsOf("rejected")));
    }
    assert.match(JSON.stringify(a.eventsOf("rejected")), /it speaks .*another\/2/);
    const version = a.replication.commit();
    await until("the others go on", () => b.replication.has(a.id, version));
  });

  it("drops whoever is slow on purpose: no hello, half a hello, a frame that never ends, silence after hello", async () => {
    const [a] = await pair();
    const hello = frame(encode(helloOf("x")));
    sockets = [
      await stranger(a),
      await stranger(a, hello.subarray(0, 20)),
      await stranger(a, hello, Buffer.from([0, 0, 1, 0])),
      await stranger(a, helloOf("y")),
    ];
    const drip = setInterval(() => sockets[2]?.write(" "), 50);
    for (const socket of sockets) socket.resume();
    await Promise.all(sockets.map(closed));
    clearInterval(drip);
    await until("both are told", () => a.eventsOf("rejected").length === 2);
    const said = a.eventsOf("rejected").map(({ message }) => message);
    assert.deepEqual(said.sort(), ["a frame was not whole within 1000 ms", "it said no hello within 500 ms"]);
  });

  it("lets agents of another cluster be, says so once, and joins them when its own cluster changes", async () => {
    all = await agents("a", "b", "c");
    const [a, b, c] = all as [TestAgent, TestAgent, TestAgent];
    await a.start([b, c]);
    await c.start([]);
    await b.start([a], { clusterId: 7, pace: { ...QUICK, redialMs: 20 } });
    await untilConnected([a, c]);
    a.replication.commit();
    await until("it was refused", () => a.eventsOf("rejected").length > 0);
    await until("it was tried more than once", () => b.eventsOf("rejected").length > 0);
    assert.equal(a.sees(b), null);
    assert.ok(!b.replication.has(a.id, 1n));
    assert.match(JSON.stringify(b.eventsOf("rejected")), /is in cluster 0, this one in cluster 7/);
    b.gossip!.setClusterId(0);
    b.gossip!.rejoin();
    await untilConnected(all);
    await untilEqual(all);
    assert.ok(a.eventsOf("rejected").length <= 2, JSON.stringify(a.eventsOf("rejected")));
    assert.equal(b.gossip!.members()[0]?.state.cluster_id, 0);
  });

  it("leaves the members of its cluster when it goes to another", async () => {
    const [a, b] = await pair();
    a.gossip!.setClusterId(5);
    assert.deepEqual(a.gossip!.membershipStates(), []);
    await until("b calls it Down", () => b.sees(a) === "Down");
    b.gossip!.setClusterId(5);
    await untilConnected(all);
  });

  it("joins anew under a newer identity", async () => {
    const [a, b] = await pair();
    const before = b.gossip!.membershipStates()[0]!;
    a.gossip!.rejoin();
    await until("b sees the new identity", () => {
      const now = b.gossip!.membershipStates()[0]!;
      return now.id.ts > before.id.ts && now.state === "Alive";
    });
  });

  it("refuses a copy of its own database and of another's", async () => {
    const [a, b] = await pair();
    const [copy] = await agents("b");
    all = [...all, copy!];
    await copy!.start([a, b]);
    await until("the original says what is wrong", () =>
      b.eventsOf("rejected").some(({ message }) => message.includes("same actor id")),
    );
    await until("so does the third", () =>
      a.eventsOf("rejected").some(({ message }) => message.includes("have the same actor id")),
    );
    assert.equal(copy!.gossip!.status().peers, 0);
    assert.equal(a.gossip!.status().peers, 1);
  });

  it("comes back as the same member after it was killed, also with a clock that was set back by an hour", async () => {
    const [a, b] = await pair();
    const first = a.gossip!.membershipStates()[0]!;
    for (let run = 0; run < 2; run++) {
      await b.stop();
      b.clockMs -= 3_600_000;
      await until("a was told", () => a.sees(b) === "Down");
      await b.start([]);
      await untilConnected(all);
    }
    const last = a.gossip!.membershipStates()[0]!;
    assert.ok(last.id.ts > first.id.ts);
    assert.equal(a.gossip!.membershipStates().length, 1);
    // Jumps while it runs change nothing: silence is measured on another clock.
    a.clockMs += 86_400_000;
    b.clockMs -= 86_400_000;
    const version = b.replication.commit();
    await until("changes come", () => a.replication.has(b.id, version));
    assert.equal(a.sees(b), "Alive");
  });

  it("keeps a refused version as a gap, tells it once, and takes it after a reload", async () => {
    const [a, b] = await pair();
    b.replication.lacking.add("new");
    for (let i = 0; i < 50; i++) a.replication.commit(i % 2 === 0 ? "new" : "t");
    await until("all others are there", () => b.replication.has(a.id, 50n) && b.replication.has(a.id, 2n));
    const told = b.eventsOf("refused");
    assert.deepEqual(
      told.map(({ origin, version, message }) => [origin, version, message]),
      [[a.id, 1n, "no such table: new"]],
    );
    const need = (await b.replication.known()).get(a.id)!.need;
    assert.equal(need.length, 25);
    b.replication.lacking.clear();
    b.gossip!.retryRefused();
    await untilEqual(all);
  });

  it("does not ask every second for what it refused", async () => {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    b.replication.lacking.add("new");
    a.replication.commit("new");
    await a.start([]);
    await b.start([a], { pace: { ...QUICK, askMs: 50 } });
    await until("it was refused", () => b.eventsOf("refused").length > 0);
    const began = performance.now();
    await until("many rounds pass", () => performance.now() - began > 500);
    assert.equal(b.eventsOf("received").length, 1);
  });

  it("asks again for refused versions after a while without being told", async () => {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    await a.start([b]);
    await b.start([a], { pace: { ...QUICK, refusedMs: 200, askMs: 100 } });
    await untilConnected(all);
    b.replication.lacking.add("new");
    a.replication.commit("new");
    await until("it was refused", () => b.eventsOf("refused").length > 0);
    b.replication.lacking.clear();
    await untilEqual(all);
  });

  it("closes gaps of versions of which nothing stands any more", async () => {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    for (let i = 0; i < 600; i++) a.replication.commit();
    for (let version = 1n; version < 600n; version++) a.replication.overwrite(a.id, version);
    await a.start([b]);
    await b.start([a]);
    await untilEqual(all);
    assert.deepEqual((await b.replication.known()).get(a.id)!.need, []);
  });

  it("gets from others what its origin can no longer give", async () => {
    all = await agents("a", "b", "c");
    const [a, b, c] = all as [TestAgent, TestAgent, TestAgent];
    await a.start([]);
    await b.start([a]);
    await untilConnected([a, b]);
    for (let i = 0; i < 20; i++) a.replication.commit();
    await untilEqual([a, b]);
    await a.stop();
    await c.start([b]);
    await untilEqual([b, c]);
  });

  it("notes versions above the head as gaps while nobody has them", async () => {
    const [a, b] = await pair();
    await a.replication.noteHead(actorId("gone"), 9n);
    await until("b knows of the gap", async () => {
      const known = (await b.replication.known()).get(actorId("gone"));
      return known?.head === 9n && known.need[0]?.end === 9n;
    });
  });

  it("sends a transaction that no buffer holds, part by part, and asks only for what is missing", async () => {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    await a.start([b], { pace: { ...QUICK, sendBufferBytes: 100_000, chunkBytes: 8000 } });
    await b.start([a]);
    await untilConnected(all);
    b.proxy.freeze();
    a.proxy.freeze();
    const version = a.replication.commit("t", 300, 3, 100_000);
    assert.equal(a.eventsOf("push_skipped").length, 1);
    for (const { proxy } of all) proxy.heal();
    await until("it is whole", () => b.replication.has(a.id, version));
    const [applied] = b.eventsOf("applied");
    assert.equal(applied?.via, "sync");
  });

  it("holds no more than its buffers for a peer that does not read", async () => {
    const [a, b] = await pair();
    sockets = [await stranger(a, helloOf("x"))];
    sockets[0]!.pause();
    await until("the stranger is a peer", () => a.gossip!.status().peers === 2);
    const keepAlive = setInterval(() => sockets[0]!.write(frame('{"t":"pong","n":0}')), 50);
    for (let i = 0; i < 300; i++) a.replication.commit("t", 1, 1, 100_000);
    clearInterval(keepAlive);
    const skipped = a.eventsOf("push_skipped").filter(({ peer }) => peer === actorId("x"));
    assert.ok(skipped.length > 0, "it misses pushes");
    await until("the other one has all", () => b.replication.has(a.id, 300n));
  });

  it("goes on when the database did not answer for a while", async () => {
    const [a, b] = await pair();
    b.replication.broken = true;
    for (let i = 0; i < 10; i++) a.replication.commit();
    await until("the trouble is told", () => b.eventsOf("trouble").length > 0);
    b.replication.broken = false;
    await untilEqual(all);
    assert.ok(b.eventsOf("trouble").length <= 2, "once each, not every second");
  });

  it("says when others know more of this agent's own versions than it does itself", async () => {
    const [a, b] = await pair();
    await b.replication.noteHead(a.id, 12n);
    await until("a says it", () =>
      a.eventsOf("trouble").some(({ message }) => message.includes("its database is an older copy")),
    );
    assert.equal((await a.replication.known()).get(a.id), undefined);
  });

  it("looks for peers under a name, with the DNS server that the address names, and says when there is none", async () => {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    const dns = createSocket("udp4");
    dns.bind(0, "127.0.0.1");
    await once(dns, "listening");
    let known = false;
    dns.on("message", (query, from) => {
      const { id, questions = [] } = packet.decode(query);
      const [question] = questions;
      const answers: packet.Answer[] =
        known && question?.type === "A"
          ? [{ type: "A", name: question.name, ttl: 1, data: "127.0.0.1" }]
          : [];
      const rcode = known ? 0 : 3;
      dns.send(
        packet.encode({ type: "response", id, questions, answers, flags: rcode }),
        from.port,
        from.address,
      );
    });
    const name = `peers.internal:${b.proxy.port}@127.0.0.1:${dns.address().port}`;
    await b.start([]);
    await a.start([], { bootstrap: [name] });
    await until("it is told", () => a.eventsOf("unreachable").length > 0);
    assert.equal(a.eventsOf("unreachable")[0]?.address, name);
    known = true;
    await untilConnected(all);
    assert.equal(a.eventsOf("unreachable").length, 1);
    dns.close();
  });

  it("finds remembered members without any bootstrap, and waits for them for as long as it takes", async () => {
    all = await agents("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    const began = performance.now();
    await a.start([], { remembered: [b.address], pace: { ...QUICK, redialMs: 40 } });
    await until(
      "it was tried for a while",
      () => a.gossip!.status().peers === 0 && performance.now() - began > 300,
    );
    await b.start([]);
    await untilConnected(all);
  });

  it("ends with open connections of strangers, and leaves no socket", async () => {
    // Connections that other tests of this process keep are none of gossip's.
    const before = openSockets();
    const [a, b] = await pair();
    const silent = createServer((socket) => sockets.push(socket));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    sockets.push(await stranger(a), await stranger(a, helloOf("x")));
    await until("the stranger is a peer", () => a.gossip!.status().peers === 2);
    const began = performance.now();
    await Promise.all([a.stop(), b.stop()]);
    assert.ok(performance.now() - began < 2000);
    silent.close();
    for (const { proxy } of all) await proxy.stop();
    for (const socket of sockets) socket.destroy();
    all = [];
    await until("nothing is left", () => openSockets() <= before);
  });
});

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind.includes("TCP")).length;
}
