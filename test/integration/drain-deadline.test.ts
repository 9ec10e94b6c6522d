/** @module A node that is told to stop while its groups cannot be handed over: it ends in its time, and tells its clients. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Cluster } from "../helpers/cluster.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { RawSocket } from "../helpers/sockets.ts";
import { suspend } from "../helpers/suspend.ts";

/** Less than the others may be silent before they count as lost. */
const DRAIN_MS = 5000;

describe("A node whose groups cannot be handed over", function () {
  this.timeout(120_000);
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start({ groups: 4, env: { FLEET_DRAIN_TIMEOUT_MS: String(DRAIN_MS) } });
  });
  afterEach(() => cluster?.stop());

  async function endsInTime(id: string, order: () => Promise<unknown>): Promise<void> {
    const { program, url } = cluster.node(id);
    const socket = await RawSocket.open(url, { user_id: "u" });
    const closed = once(socket.ws, "close");
    // They count as live for some seconds yet, and take nothing over.
    await Promise.all(["n2", "n3"].map((other) => suspend(cluster.node(other).program.child.pid!)));
    const began = performance.now();
    await order();
    const exit = await program.exited;
    const took = performance.now() - began;
    assert.deepEqual(exit, { code: 0, signal: null }, program.output);
    assert.ok(took < DRAIN_MS + 1000 * loadShare(), `it took ${took} ms`);
    assert.match(program.output, /not all groups were handed over in time/);
    const [code] = await closed;
    assert.equal(code, 1012, "its clients are told to connect elsewhere");
  }

  it("ends after a signal within FLEET_DRAIN_TIMEOUT_MS, and closes its sockets in order", async () => {
    await endsInTime("n1", async () => cluster.node("n1").program.signal("SIGTERM"));
  });

  it("ends after the action as well", async () => {
    const broker = await cluster.observer();
    await endsInTime("n1", () => broker.call("fleet.ops.drain", {}, { nodeID: "n1", timeout: 5000 }));
  });
});
