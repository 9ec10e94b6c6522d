/** @module Rate limits over several gateways on a real Redis, which may go, hang and come back without failing a request. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import type { ServiceSchema } from "moleculer";
import { type GatewayOptions, startGateway, type TestGateway, testBroker } from "../helpers/gateway.ts";
import { request } from "../helpers/http.ts";
import { startRedis, type TestRedis } from "../helpers/redis.ts";
import { until } from "../helpers/until.ts";

const sessions: ServiceSchema = { name: "sessions", actions: { get: () => ({ id: "s" }) } };
const PATH = "/api/sessions/s";

describe("FLEET_RATE_LIMIT", () => {
  let redis: TestRedis;
  let gateways: TestGateway[];
  let fleets = 0;

  beforeEach(async () => {
    redis = await startRedis();
    gateways = [];
  });
  afterEach(async () => {
    redis.resume();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis.stop();
  });

  async function start(env: Record<string, string>, options: GatewayOptions = {}): Promise<TestGateway> {
    const gateway = await startGateway({ services: [sessions], logLevel: "info", env, ...options });
    gateways.push(gateway);
    return gateway;
  }
  /** Two gateways of one fleet, connected to Redis. */
  async function two(limit: number): Promise<[TestGateway, TestGateway]> {
    const namespace = `rate-${process.pid}-${++fleets}`;
    const env = { FLEET_RATE_LIMIT: String(limit), REDIS_URL: redis.url };
    const [a, b] = [await start(env, { namespace }), await start(env, { namespace })];
    await Promise.all([shared(a), shared(b)]);
    return [a, b];
  }
  const shared = ({ broker }: TestGateway) =>
    until("the gateway is connected to Redis", () => broker.cacher?.connected === true);
  async function status({ url }: TestGateway): Promise<number> {
    return (await request(url, "GET", PATH)).status;
  }
  async function statuses(gateway: TestGateway, count: number): Promise<number[]> {
    const got = [];
    for (let i = 0; i < count; i++) got.push(await status(gateway));
    return got;
  }
  const lines = ({ errors }: TestGateway, text: RegExp) => errors.filter((line) => text.test(line));

  it("is counted over all gateways, and answers 429 with the time to wait", async () => {
    const [a, b] = await two(5);
    assert.deepEqual([...(await statuses(a, 3)), ...(await statuses(b, 2))], [200, 200, 200, 200, 200]);
    for (const { url, metrics } of [a, b]) {
      const { status, headers, body } = await request(url, "GET", PATH);
      assert.equal(status, 429);
      assert.equal(body.code, "rate_limited");
      assert.ok(body.retry_after_ms > 0 && body.retry_after_ms <= 60_000);
      assert.equal(headers.get("retry-after"), String(Math.ceil(body.retry_after_ms / 1000)));
      assert.match(await metrics.metrics(), /^fleet_rate_limited_total 1$/m);
    }
  });

  it("does not concern health and metrics", async () => {
    const [a] = await two(1);
    assert.deepEqual(await statuses(a, 2), [200, 429]);
    assert.equal((await request(a.url, "GET", "/health/live")).status, 200);
    assert.equal((await fetch(`${a.url}/metrics`)).status, 200);
  });

  it("counts sockets too, and refuses them with the same answer", async () => {
    const [a] = await two(2);
    assert.equal(await status(a), 200);
    assert.match(await upgrade(a), /^HTTP\/1\.1 101 /);
    const refusal = await upgrade(a);
    assert.match(refusal, /^HTTP\/1\.1 429 Too Many Requests\r\n/);
    assert.match(refusal, /\r\nretry-after: \d+\r\n/);
    assert.match(refusal, /"code":"rate_limited"/);
  });

  it("is off unless it is set: nothing is refused and nothing is counted", async () => {
    const gateway = await start({ REDIS_URL: redis.url });
    await shared(gateway);
    assert.ok((await statuses(gateway, 20)).every((code) => code === 200));
    assert.deepEqual(await redis.keys(), []);
  });

  it("is each gateway's own without REDIS_URL", async () => {
    const [a, b] = [await start({ FLEET_RATE_LIMIT: "2" }), await start({ FLEET_RATE_LIMIT: "2" })];
    assert.deepEqual(await statuses(a, 3), [200, 200, 429]);
    assert.deepEqual(await statuses(b, 3), [200, 200, 429]);
  });

  it("is each gateway's own while Redis is gone, and shared again when it is back; both are logged once", async () => {
    const [a, b] = await two(3);
    assert.deepEqual(await statuses(a, 3), [200, 200, 200]);
    await redis.kill();
    assert.deepEqual(await statuses(b, 4), [200, 200, 200, 429]);
    assert.deepEqual(await statuses(a, 4), [200, 200, 200, 429]);
    await redis.restart();
    await Promise.all([shared(a), shared(b)]);
    assert.deepEqual([await status(a), await status(b), await status(b)], [200, 200, 200]);
    assert.deepEqual([await status(a), await status(b)], [429, 429]);
    for (const gateway of [a, b]) {
      assert.equal(lines(gateway, /redis does not answer/).length, 1);
      assert.equal(lines(gateway, /redis is back/).length, 1);
      assert.equal(lines(gateway, /"level":50/).length, 0, "nothing is logged as an error");
    }
  });

  it("does not hold up requests while Redis hangs, and is shared again when it goes on", async () => {
    const [a, b] = await two(1000);
    assert.equal(await status(a), 200);
    redis.pause();
    const began = performance.now();
    const first = await Promise.all(Array.from({ length: 20 }, () => status(a)));
    const tookFirst = performance.now() - began;
    assert.ok(first.every((code) => code === 200));
    assert.ok(tookFirst < 2000, `the first requests took ${tookFirst} ms`);
    await until("the connection is given up", () => lines(a, /redis does not answer/).length === 1);
    // Each would take 100 ms if it still asked.
    const then = performance.now();
    assert.ok((await statuses(a, 50)).every((code) => code === 200));
    assert.ok(performance.now() - then < 4000, `50 requests took ${performance.now() - then} ms`);
    redis.resume();
    await Promise.all([shared(a), shared(b)]);
    assert.equal(await status(a), 200);
  });

  it("lets a node start while there is no Redis, and is shared once there is", async () => {
    await redis.kill();
    const env = { FLEET_RATE_LIMIT: "2", REDIS_URL: redis.url };
    const gateway = await start(env);
    assert.deepEqual(await statuses(gateway, 3), [200, 200, 429]);
    await redis.restart();
    await shared(gateway);
    await until("requests are counted in Redis", async () => {
      await status(gateway);
      return (await redis.keys()).length === 1;
    });
  });

  it("leaves a node that is refused its Redis able to stop", async () => {
    const gateway = await start({ FLEET_RATE_LIMIT: "2", REDIS_URL: redis.url });
    redis.pause();
    await gateway.stop();
    gateways = [];
  });
});

describe("The shared cacher", () => {
  it("gives what is cached, and lets the action answer while Redis is gone", async () => {
    const redis = await startRedis();
    const { broker } = testBroker({ env: { REDIS_URL: redis.url } });
    let calls = 0;
    broker.createService({ name: "counted", actions: { next: { cache: true, handler: () => ++calls } } });
    try {
      await broker.start();
      await until("it is connected", () => broker.cacher?.connected === true);
      assert.equal(await broker.call("counted.next"), 1);
      await until("it is cached", async () => (await redis.keys()).length === 1);
      assert.equal(await broker.call("counted.next"), 1);
      redis.pause();
      assert.equal(await broker.call("counted.next"), 2);
      redis.resume();
      await redis.kill();
      assert.equal(await broker.call("counted.next"), 3);
    } finally {
      await broker.stop();
      await redis.stop();
    }
  });
});

/** Asks for a socket and returns the head of the answer, and the body of a refusal. */
async function upgrade({ port }: TestGateway): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    if (/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/.test(text)) resolve(text);
  });
  socket.on("end", () => resolve(text)).on("error", reject);
  socket.write(
    [
      "GET /socket/websocket?vsn=2.0.0&user_id=u HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      "\r\n",
    ].join("\r\n"),
  );
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
