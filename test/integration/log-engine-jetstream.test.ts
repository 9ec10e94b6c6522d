/** @module What holds of the jetstream log engine alone: outcomes of broken connections, servers that come and go, replay speed. */
import assert from "node:assert/strict";
import { connect } from "nats";
import type { LogEngine } from "../../services/raft/engine/engine.ts";
import { Unavailable, Unknown } from "../../services/raft/engine/errors.ts";
import { openJetStreamEngine } from "../../services/raft/engine/jetstream.ts";
import { type NatsServers, startNats } from "../helpers/nats.ts";
import { startProxy, type TcpProxy } from "../helpers/tcp-proxy.ts";
import { until } from "../helpers/until.ts";

const MILLION = 1_000_000;
/** Entries that are under way to the server at a time; it drops what is over 10,000. */
const BURST = 5000;

describe("the jetstream log engine", function () {
  this.timeout(90_000);

  /** What a test has started; ended in the reverse order. */
  const cleanups: (() => Promise<void>)[] = [];

  const servers = async (...args: Parameters<typeof startNats>): Promise<NatsServers> => {
    const nats = await startNats(...args);
    cleanups.push(() => nats.stop());
    return nats;
  };
  const open = async (urls: readonly string[], appendTimeoutMs = 1000, replicas = 3): Promise<LogEngine> => {
    const engine = await openJetStreamEngine({ servers: urls, name: "test", replicas, appendTimeoutMs });
    cleanups.push(() => engine.close());
    return engine;
  };
  const proxied = async (nats: NatsServers): Promise<TcpProxy> => {
    const proxy = await startProxy(Number(new URL(nats.servers[0]!).port));
    cleanups.push(() => proxy.stop());
    return proxy;
  };

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  it("says to start the server with -js when it runs without JetStream", async () => {
    const nats = await servers({ size: 1, jetstream: false });
    await assert.rejects(open(nats.servers), (error) => {
      assert.ok(error instanceof Unavailable);
      assert.match(error.message, /without JetStream: start it with -js$/);
      return true;
    });
  });

  it("says which address does not answer", async () => {
    const nats = await servers({ size: 1 });
    await nats.kill(0);
    const address = nats.servers[0]!;
    await assert.rejects(
      open(nats.servers),
      (error) =>
        error instanceof Unavailable && error.message.startsWith(`no NATS server answers at ${address}`),
    );
  });

  it("finds its own commit again when the acknowledgement was lost on the way", async () => {
    const nats = await servers({ size: 1 });
    const proxy = await proxied(nats);
    const engine = await open([`nats://127.0.0.1:${proxy.port}`]);
    await engine.provision(1);
    const log = await engine.open(0);
    await log.append(Buffer.from("one"), 0, "one");
    proxy.swallowAnswers();
    await assert.rejects(log.append(Buffer.from("two"), 1, "two"), Unknown);
    const witness = await (await open(nats.servers)).open(0);
    assert.deepEqual(await witness.bounds(), { first: 1, last: 2 });
    proxy.cut();
    assert.equal(await asked(() => log.append(Buffer.from("two"), 1, "two")), 2);
    assert.deepEqual(await witness.bounds(), { first: 1, last: 2 });
  });

  it("says at once that an outcome is open when the connection goes, and refuses while there is none", async () => {
    const nats = await servers({ size: 1 });
    const proxy = await proxied(nats);
    const engine = await open([`nats://127.0.0.1:${proxy.port}`], 30_000);
    await engine.provision(2);
    const logs = await Promise.all([engine.open(0), engine.open(1)]);
    proxy.swallowAnswers();
    const started = performance.now();
    const append = assert.rejects(logs[0]!.append(Buffer.from("x"), 0, "x"), Unknown);
    const witness = await (await open(nats.servers)).open(0);
    await until("the entry has come through", async () => (await witness.bounds()).last === 1);
    await nats.kill(0);
    proxy.cut();
    await append;
    assert.ok(performance.now() - started < 20_000);
    await until("the engine notices", () => !engine.status().connected);
    await assert.rejects(logs[1]!.append(Buffer.from("y"), 0, "y"), Unavailable);
    await assert.rejects(engine.probe(), Unavailable);
    await nats.restart(0);
    await until("the engine is back", () => engine.status().connected);
    assert.equal(await asked(() => logs[0]!.append(Buffer.from("x"), 0, "x")), 1);
    assert.equal(await asked(() => logs[1]!.append(Buffer.from("y"), 0, "y")), 1);
  });

  it("knows that an entry which a full stream refused was not written", async () => {
    const nats = await servers({ size: 1 });
    const engine = await open(nats.servers);
    await engine.provision(1);
    const log = await engine.open(0);
    await log.append(Buffer.from("x"), 0, "m0");
    const operator = await connect({ servers: [...nats.servers] });
    cleanups.push(() => operator.close());
    const jsm = await operator.jetstreamManager();
    await jsm.streams.update("fleet-log-000", { max_msgs: 1 });
    await assert.rejects(log.append(Buffer.from("y"), 1, "m1"), Unavailable);
    await jsm.streams.update("fleet-log-000", { max_msgs: -1 });
    assert.equal(await log.append(Buffer.from("y"), 1, "m1"), 2);
  });

  it("refuses to delete single entries", async () => {
    const nats = await servers({ size: 1 });
    const engine = await open(nats.servers);
    await engine.provision(1);
    await (await engine.open(0)).append(Buffer.from("x"), 0, "m0");
    const operator = await connect({ servers: [...nats.servers] });
    cleanups.push(() => operator.close());
    const jsm = await operator.jetstreamManager();
    await assert.rejects(jsm.streams.deleteMessage("fleet-log-000", 1));
  });

  it("follows on after its connection was cut", async () => {
    const nats = await servers({ size: 1 });
    const proxy = await proxied(nats);
    const follower = await (await provisioned(await open([`nats://127.0.0.1:${proxy.port}`]))).open(0);
    const writer = await (await open(nats.servers)).open(0);
    const stop = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { index } of follower.follow(1, stop.signal)) seen.push(index);
    })();
    for (let last = 0; last < 60; last++) {
      if (last % 20 === 10) proxy.cut();
      await writer.append(Buffer.from("x"), last, `m${last}`);
    }
    await until("everything was seen", () => seen.length >= 60);
    stop.abort();
    await following;
    assert.deepEqual(
      seen,
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
  });

  it("makes as many copies as there are servers, more when one joins, and no fewer when one is lost", async () => {
    const nats = await servers({ size: 3, late: 1 });
    const engine = await open(nats.servers.slice(0, 2));
    const copies = async (): Promise<number> => (await (await engine.open(3)).health()).replicas.length;
    await engine.provision(4);
    assert.equal(await copies(), 2);
    assert.match(engine.status().warnings.join(), /2 of the 3 copies wanted/);
    const other = await open(nats.servers.slice(0, 2));
    await other.provision(4);
    await nats.restart(2);
    await until(
      "the third copy is made",
      async () => {
        await engine.provision(4);
        return (await copies()) === 3;
      },
      60_000,
    );
    assert.deepEqual(engine.status().warnings, []);
    assert.match(other.status().warnings.join(), /2 of the 3 copies wanted/);
    await other.inspect();
    assert.deepEqual(other.status().warnings, []);
    await nats.kill(2);
    await engine.provision(4);
    assert.equal(await copies(), 3);
  });

  it("replays a million small entries within twenty seconds", async () => {
    const nats = await servers({ size: 1, syncAlways: false });
    const engine = await provisioned(await open(nats.servers));
    const log = await engine.open(0);
    const writer = await connect({ servers: [...nats.servers] });
    cleanups.push(() => writer.close());
    const bulk = writer.jetstream();
    for (let i = 1; i <= MILLION; i++) {
      // Only some are acknowledged, as often as the server's queue needs it.
      if (i % BURST === 0) await bulk.publish("fleet.log.0", `entry ${i}`);
      else writer.publish("fleet.log.0", `entry ${i}`);
    }
    assert.deepEqual(await log.bounds(), { first: 1, last: MILLION });
    const started = performance.now();
    let next = 1;
    for await (const { index } of log.read(1)) assert.equal(index, next++);
    const ms = performance.now() - started;
    assert.equal(next, MILLION + 1);
    assert.ok(ms < 20_000, `it took ${ms} ms`);
  });
});

async function provisioned(engine: LogEngine): Promise<LogEngine> {
  await engine.provision(1);
  return engine;
}

/** Asks again for as long as the outcome is open. */
function asked(append: () => Promise<number>): Promise<number> {
  return until("the append is settled", async () => {
    try {
      return await append();
    } catch (error) {
      if (error instanceof Unknown || error instanceof Unavailable) return null;
      throw error;
    }
  });
}
