/** @module Tests: the fan-out over a real NATS server, through a network that breaks. */
import assert from "node:assert/strict";
import type { Fanout } from "../../lib/fanout/fanout.ts";
import { openNatsFanout } from "../../lib/fanout/nats.ts";
import { type NatsServers, startNats } from "../helpers/nats.ts";
import { startProxy, type TcpProxy } from "../helpers/tcp-proxy.ts";
import { until } from "../helpers/until.ts";

const fail = (error: unknown) => assert.fail(String(error));

describe("the fan-out over NATS", () => {
  let nats: NatsServers;
  let proxy: TcpProxy;
  let fanout: Fanout;

  before(async () => {
    nats = await startNats({ size: 1, jetstream: false });
    proxy = await startProxy(Number(new URL(nats.servers[0]!).port));
    fanout = await openNatsFanout(`nats://127.0.0.1:${proxy.port}`, "n1", fail);
  });
  after(async () => {
    await fanout?.close();
    await proxy?.stop();
    await nats?.stop();
  });

  it("brings nothing to a subscription that failed with its connection, also once there is a new one", async () => {
    const failed: unknown[] = [];
    const granted: unknown[] = [];
    proxy.swallowAnswers();
    const refusal = assert.rejects(
      fanout.subscribe("session", (payload) => failed.push(payload)),
      /DISCONNECT/,
    );
    proxy.cut();
    await refusal;
    await until("the node is back", () => fanout.isPresent("n1"));

    await fanout.subscribe("session", (payload) => granted.push(payload));
    // The server hands the first to all its subscriptions before it turns to the second.
    fanout.publish("session", "first");
    fanout.publish("session", "second");
    await until("both publications", () => granted.length === 2);
    assert.deepEqual(granted, ["first", "second"]);
    assert.deepEqual(failed, []);
  });
});
