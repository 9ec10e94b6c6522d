/** @module Nodes by DNS: a server that answers, one that is silent, one that talks nonsense; nobody waits for it. */
import assert from "node:assert/strict";
import type { ServiceBroker } from "moleculer";
import type { Discovery } from "../../services/corrosion/contract.ts";
import { BadRecord, nodesOf } from "../../services/corrosion/discovery/txt.ts";
import discovery from "../../services/corrosion/discovery.service.ts";
import gatewayService from "../../services/gateway/gateway.service.ts";
import { ask } from "../helpers/console.ts";
import { type DnsServer, NXDOMAIN, startDnsServer, txt } from "../helpers/dns-server.ts";
import { testBroker } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";

const NAME = "vms.fleetport-test.internal";
const PROD = { FLEETPORT_ENV: "prod", HOST: "127.0.0.1", FLY_APP_NAME: "fleetport-test", DNS_TTL_MS: "100" };

describe("Discovery by DNS", () => {
  let dns: DnsServer;
  const brokers: ServiceBroker[] = [];

  before(async () => {
    dns = await startDnsServer();
  });
  after(() => dns.stop());
  beforeEach(() => {
    dns.questions.length = 0;
    dns.reply = () => null;
  });
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
  });

  /** A node with the actor; silence of the DNS counts after 300 ms instead of 5 s. */
  async function start(env: Record<string, string>, settings: object = {}) {
    const { broker } = testBroker({ env });
    brokers.push(broker);
    broker.createService({ ...discovery, settings: { servers: [dns.address], limitMs: 300, ...settings } });
    await broker.start();
    const call = (action: string) =>
      broker.call<Discovery, object>(`corrosion.discovery.${action}`, {}, { nodeID: broker.nodeID });
    return { get: () => call("get"), refresh: () => call("refresh") };
  }

  it("finds the machines of the app with their regions", async () => {
    dns.reply = (name) => txt(name, "9185e2d ams,3d8d9e0 iad");
    const { get, refresh } = await start(PROD);
    const { age_ms, last_updated, ...found } = await refresh();
    assert.deepEqual(found, {
      nodes: [
        { node_id: "ams-9185e2d", region: "ams", machine: "9185e2d" },
        { node_id: "iad-3d8d9e0", region: "iad", machine: "3d8d9e0" },
      ],
      error: null,
      status: "ok",
      source: "dns",
    });
    assert.ok(last_updated !== null && age_ms !== null && age_ms < 5000);
    assert.deepEqual(new Set(dns.questions), new Set([`TXT ${NAME}`]));
    assert.equal((await get()).nodes.length, 2);
  });

  it("answers at once from memory, and renews behind the answer when that is too old", async () => {
    dns.reply = (name) => txt(name, "a1 ams");
    const { get, refresh } = await start(PROD, { limitMs: 60_000 });
    await refresh();
    dns.reply = (name) => txt(name, "a1 ams,b2 fra");
    await until("the answer got too old and was renewed", async () => (await get()).nodes.length === 2);
    dns.reply = () => null;
    dns.questions.length = 0;
    await until(
      "another look waits for an answer",
      async () => (await get()).status === "fetching" && dns.questions.length > 0,
    );
    const held = await get();
    assert.deepEqual([held.nodes.length, held.status, held.error], [2, "fetching", null]);
  });

  it("never waits for a server that is silent: readers get what there is, the look ends in time and says why", async () => {
    const { get, refresh } = await start(PROD, { limitMs: 1500 });
    const began = performance.now();
    const first = await get();
    assert.deepEqual(
      [first.nodes, first.status, first.last_updated, first.age_ms],
      [[], "fetching", null, null],
    );
    const failed = await refresh();
    assert.ok(performance.now() - began < 3000);
    assert.deepEqual(
      [failed.status, failed.error],
      ["error", `the DNS gave no answer for ${NAME} within 1.5 s`],
    );
    dns.reply = (name) => txt(name, "a1 ams");
    assert.deepEqual([(await refresh()).status, (await refresh()).error], ["ok", null]);
    dns.reply = () => null;
    const stale = await refresh();
    assert.deepEqual([stale.status, stale.nodes.length], ["error", 1], "what was known stays");
  });

  it("holds up no request over HTTP while a server is silent, and says so once it is known", async () => {
    const { broker } = testBroker({ env: PROD });
    brokers.push(broker);
    broker.createService({ ...discovery, settings: { servers: [dns.address], limitMs: 2000 } });
    broker.createService(gatewayService);
    await broker.start();
    const gateway = { url: String(broker.metadata.url) };
    for (const target of ["GET /api/cluster/dns", "POST /api/cluster/dns/refresh", "GET /health/live"]) {
      const began = performance.now();
      const { status } = await ask(gateway, target);
      assert.ok(performance.now() - began < 1500, `${target} waited`);
      assert.ok(status === 200 || status === 202, `${target} ${status}`);
    }
    const { body } = await until("the look has ended", async () => {
      const answer = await ask(gateway, "GET /api/cluster/dns");
      return answer.body.error === null ? null : answer;
    });
    assert.equal(body.error, `the DNS gave no answer for ${NAME} within 2 s`);
    assert.ok(dns.questions.length > 0);
  });

  it("gives all silent servers together no more time than one", async () => {
    const second = await startDnsServer();
    try {
      const { refresh } = await start(PROD, { servers: [dns.address, second.address], limitMs: 2000 });
      const began = performance.now();
      assert.match((await refresh()).error ?? "", /gave no answer for .* within 2 s/);
      const took = performance.now() - began;
      assert.ok(took < 3800, `it took ${took} ms`);
    } finally {
      await second.stop();
    }
  });

  it("gives the DNS 5 s", () => {
    assert.deepEqual(discovery.settings, { servers: null, limitMs: 5000 });
  });

  it("says what is wrong with an answer: no such name, no machines, nonsense", async () => {
    const { refresh } = await start(PROD);
    dns.reply = () => NXDOMAIN;
    assert.match(
      (await refresh()).error ?? "",
      /knows no TXT record vms\.fleetport-test\.internal: is FLY_APP_NAME right/,
    );
    dns.reply = (name) => txt(name, "a1 ams,what is this");
    assert.match((await refresh()).error ?? "", /names a machine as nobody does: "what is this"/);
    dns.reply = () => Buffer.from("0000858000010001000000000373", "hex");
    assert.match((await refresh()).error ?? "", /no usable answer|no answer/);
    dns.reply = () => ({ rcode: 2 });
    assert.match((await refresh()).error ?? "", /no usable answer/);
    assert.equal((await refresh()).nodes.length, 0);
  });

  it("leaves nothing behind when its node stops in the midst of a look", async () => {
    const { get } = await start(PROD, { limitMs: 60_000 });
    await get();
    await until("the DNS was asked", () => dns.questions.length > 0);
    const began = performance.now();
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
    assert.ok(performance.now() - began < 5000);
  });

  it("says in production without an app what is missing, and asks nobody", async () => {
    const { refresh } = await start({ ...PROD, FLY_APP_NAME: "" });
    assert.match((await refresh()).error ?? "", /^FLY_APP_NAME is not set/);
    assert.deepEqual(dns.questions, []);
  });

  it("counts nodes to CLUSTER_SIZE in development, and asks nobody", async () => {
    const { refresh } = await start({ CLUSTER_SIZE: "2" });
    const { nodes, source, status } = await refresh();
    assert.deepEqual(nodes, [
      { node_id: "dev-node1", region: "dev-node1", machine: null },
      { node_id: "dev-node2", region: "dev-node2", machine: null },
    ]);
    assert.deepEqual([source, status], ["development", "ok"]);
    assert.deepEqual(dns.questions, []);
  });

  it("reads records that are cut into parts, and lists a machine once", () => {
    const nodes = nodesOf([["a1 am", "s,b2 fra, "], ["a1 ams"], [""]]);
    assert.deepEqual(
      nodes.map(({ node_id }) => node_id),
      ["ams-a1", "fra-b2"],
    );
    assert.deepEqual(nodesOf([]), []);
    for (const bad of ["a1", "a1 ams x", "a1 toolong", "a-1 ams"])
      assert.throws(() => nodesOf([[bad]]), BadRecord);
  });
});
