/** @module A long run: a thousand messages, 50 ms apart, over three nodes with real agents. */
import assert from "node:assert/strict";
import type { MetricsBody, TopologyBody } from "../../services/analytics/bodies.ts";
import { ask, ended, type RunCluster, start, startRuns, summary } from "../helpers/run-cluster.ts";
import { until } from "../helpers/until.ts";

const MESSAGES = 1000;
const INTERVAL_MS = 50;

describe("A run of a thousand messages", function () {
  this.timeout(240_000);
  let cluster: RunCluster;
  before(async () => {
    cluster = await startRuns({ nodes: 3, env: { METRICS_INTERVAL_MS: "5000" } });
  });
  after(() => cluster?.console.stop());

  it("50 ms apart on three nodes is acknowledged by all others, 100.0 %", async () => {
    const [one, two] = cluster.nodes;
    await start(one!, { experiment_id: "long", message_count: MESSAGES, interval_ms: INTERVAL_MS });
    const row = await ended(two!, "long", 180_000);
    assert.deepEqual(
      [row.status, row.sent_count, row.failed_count, row.error],
      ["completed", MESSAGES, 0, null],
    );
    const whole = await until("all is acknowledged", async () => {
      const now = await summary(two!, "long");
      return now.ack_count === 2 * MESSAGES ? now : null;
    });
    assert.equal(whole.send_count, MESSAGES);
    assert.equal(whole.ack_rate, 100);
    assert.equal(whole.nodes_missing.length, 0);
    const { system_metrics } = (await ask(one!, "GET /experiments/long/metrics"))
      .body as unknown as MetricsBody;
    for (const node of cluster.nodes) {
      const own = system_metrics.filter(({ node_id }) => node_id === node.id);
      // One each 5 s of the 50 s at least.
      assert.ok(own.length >= 10, `${own.length} samples of ${node.id}`);
    }
    assert.equal(
      ((await ask(one!, "GET /experiments/long/topology")).body as unknown as TopologyBody).count,
      3,
    );
  });
});
