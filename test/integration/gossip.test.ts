/** @module Gossip over real sockets, with replication in memory. */
import assert from "node:assert/strict";
import { startGossip } from "../../corrosion/embedded/gossip/gossip.ts";
import { agents, stopAll, type TestAgent } from "../helpers/gossips.ts";
import { until } from "../helpers/until.ts";

const ring = (all: readonly TestAgent[], i: number): TestAgent[] => [all[(i + 1) % all.length]!];

async function cluster(...names: string[]): Promise<TestAgent[]> {
  const all = await agents(...names);
  for (const [i, agent] of all.entries()) await agent.start(ring(all, i));
  await untilMet(all);
  return all;
}

async function untilMet(all: readonly TestAgent[]): Promise<void> {
  await until("all see all others alive and are connected", () =>
    all.every(
      (one) =>
        one.gossip?.status().peers === all.length - 1 &&
        all.every((other) => one === other || one.sees(other) === "Alive"),
    ),
  );
}

async function untilEqual(all: readonly TestAgent[], limitMs?: number): Promise<void> {
  await until(
    "all hold the same versions",
    () => new Set(all.map(({ replication }) => replication.contents())).size === 1,
    limitMs,
  );
}

describe("agents that gossip", () => {
  let all: TestAgent[] = [];
  afterEach(async () => {
    await stopAll(all);
    all = [];
  });

  it("find each other through a chain of bootstrap addresses and measure how far they are", async () => {
    all = await cluster("a", "b", "c", "d");
    await until("round trips are measured", () =>
      all.every((one) => one.gossip?.members().every(({ rtts }) => rtts !== null && rtts.length > 2)),
    );
    const [a, b] = all as [TestAgent, TestAgent];
    const view = a.gossip!.members().find(({ state }) => state.addr === b.address)!;
    assert.match(view.id, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    assert.equal(view.id.replaceAll("-", ""), b.id);
    assert.deepEqual([view.state.cluster_id, view.state.member_id], [0, null]);
    assert.ok(view.state.ring !== null && view.state.last_sync_ts !== null);
  });

  it("push a local version to all others at once", async () => {
    all = await cluster("a", "b", "c");
    const [a, b, c] = all as [TestAgent, TestAgent, TestAgent];
    const began = performance.now();
    const version = a.replication.commit("t", 1000);
    await until("it is everywhere", () => [b, c].every(({ replication }) => replication.has(a.id, version)));
    assert.ok(performance.now() - began < 5000);
    assert.deepEqual(
      b.eventsOf("applied").map(({ via, version: of }) => [via, of]),
      [["push", version]],
    );
  });

  it("catch up what was written while they could not reach each other, on all sides", async () => {
    all = await cluster("a", "b", "c");
    for (const { proxy } of all) proxy.sever();
    await until("all connections broke", () => all.every(({ gossip }) => gossip?.status().peers === 0));
    for (const { replication } of all) for (let i = 0; i < 300; i++) replication.commit("t", 3, 2);
    await until("they call each other Down", () =>
      all.every((one) => all.every((other) => one === other || one.sees(other) === "Down")),
    );
    for (const { proxy } of all) proxy.heal();
    await untilEqual(all);
    await untilMet(all);
  });

  it("catch up 10,000 versions in seconds", async () => {
    all = await agents("a", "b", "c");
    const [a, b, c] = all as [TestAgent, TestAgent, TestAgent];
    for (let i = 0; i < 10_000; i++) a.replication.commit();
    await a.start([]);
    await b.start([a]);
    const began = performance.now();
    await untilEqual([a, b]);
    await c.start([a, b]);
    await untilEqual(all);
    console.log(`      10,000 versions to one, then to another: ${Math.round(performance.now() - began)} ms`);
    assert.equal(c.replication.duplicates, 0, "nothing was asked for twice");
  });

  it("stop within a moment and take their address back", async () => {
    all = await cluster("a", "b");
    const [a, b] = all as [TestAgent, TestAgent];
    const began = performance.now();
    await b.stop();
    assert.ok(performance.now() - began < 5000);
    await until("a was told goodbye", () => a.sees(b) === "Down");
    await b.start([]);
    await untilMet(all);
  });

  it("say in one sentence that the address is taken", async () => {
    all = await cluster("a", "b");
    const [a] = all as [TestAgent];
    await assert.rejects(
      startGossip({
        actorId: "0".repeat(32),
        listen: `127.0.0.1:${a.port}`,
        externalAddr: null,
        bootstrap: [],
        remembered: [],
        clusterId: 0,
        memberId: null,
        replication: a.replication,
        ts: () => 0n,
        onEvent: () => undefined,
      }),
      {
        name: "GossipUnusable",
        message: `cannot listen on gossip.addr 127.0.0.1:${a.port}: another program listens there`,
      },
    );
  });
});
