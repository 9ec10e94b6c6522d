/** @module How an actor pauses for restarts of its own node's agent. */
import assert from "node:assert/strict";
import { type Service, ServiceBroker } from "moleculer";
import { defineService } from "../../lib/service.ts";
import { corrosionLifecycle, pausedFor } from "../../mixins/corrosion-lifecycle.ts";
import { until } from "../helpers/until.ts";

const NEVER_MS = 60_000;

describe("An actor that lives with the agent's restarts", () => {
  const brokers: ServiceBroker[] = [];

  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
  });

  async function start(watchdogMs: number) {
    const said: string[] = [];
    const broker = new ServiceBroker({ nodeID: "n1", logger: false, skipProcessEventRegistration: true });
    const service: Service = broker.createService(
      defineService<Service>({
        name: "actor",
        mixins: [
          corrosionLifecycle<Service>({
            watchdogMs,
            paused: ({ restart_id }) => void said.push(`paused ${restart_id}`),
            resumed: ({ kind, restart_id }) => void said.push(`${kind} ${restart_id}`),
          }),
        ],
      }),
    );
    brokers.push(broker);
    await broker.start();
    const event = (name: string, restart_id: string, node_id = "n1") =>
      broker.broadcast(`corrosion.${name}`, {
        node_id,
        restart_id,
        timestamp: "",
        phase: "health",
        reason: "x",
      });
    return { broker, event, said, service };
  }

  it("pauses with the restart and goes on when it is ready", async () => {
    const { event, said, service } = await start(NEVER_MS);
    await event("restarting", "r1");
    assert.equal(pausedFor(service), "r1");
    await event("ready", "r1");
    assert.equal(pausedFor(service), null);
    assert.deepEqual(said, ["paused r1", "ready r1"]);
  });

  it("goes on when the restart failed", async () => {
    const { event, said } = await start(NEVER_MS);
    await event("restarting", "r1");
    await event("restart_failed", "r1");
    await event("restart_failed", "r1");
    assert.deepEqual(said, ["paused r1", "restart_failed r1"]);
  });

  it("goes on by its watchdog when nobody says how it ended, and no later event counts twice", async () => {
    const { event, said, service } = await start(20);
    await event("restarting", "r1");
    await until("the watchdog ends the pause", () => pausedFor(service) === null);
    await event("restart_failed", "r1");
    assert.deepEqual(said, ["paused r1", "watchdog r1"]);
  });

  it("is not released by another restart's end, nor paused or released by another node", async () => {
    const { event, said, service } = await start(NEVER_MS);
    await event("restarting", "r0", "n2");
    assert.equal(pausedFor(service), null);
    await event("restarting", "r1");
    await event("ready", "r0");
    await event("restart_failed", "r0");
    await event("ready", "r1", "n2");
    await event("restart_failed", "r1", "n2");
    assert.equal(pausedFor(service), "r1");
    assert.deepEqual(said, ["paused r1"]);
  });

  it("waits for the last of several restarts, and pauses once", async () => {
    const { event, said, service } = await start(NEVER_MS);
    await event("restarting", "r1");
    await event("restarting", "r1");
    await event("restarting", "r2");
    await event("ready", "r1");
    assert.equal(pausedFor(service), "r2");
    await event("ready", "r2");
    assert.deepEqual(said, ["paused r1", "ready r2"]);
  });

  it("hears of a restart whose beginning it did not see", async () => {
    const { event, said } = await start(NEVER_MS);
    await event("ready", "r1");
    assert.deepEqual(said, ["ready r1"]);
  });

  it("leaves no timer behind when it stops", async () => {
    const { broker, event, said, service } = await start(30);
    await event("restarting", "r1");
    await broker.destroyService(service);
    assert.equal(pausedFor(service), null);
    const other = await start(60);
    await other.event("restarting", "r2");
    await until("a later watchdog has come", () => other.said.length === 2);
    assert.deepEqual(said, ["paused r1"]);
  });
});
