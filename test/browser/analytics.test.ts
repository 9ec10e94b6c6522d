/** @module The Analytics page: a run of three real nodes, and the states that a test scripts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Context } from "moleculer";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { ExperimentJson } from "../../services/analytics/bodies.ts";
import type { AggregationStatus } from "../../services/analytics/contract.ts";
import { histogram, latencyStats } from "../../services/analytics/maths.ts";
import { type Actions, ask } from "../helpers/console.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import { type Visited, visit } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { scriptedNode } from "./scripted-node.ts";

const AT = "2026-01-02T03:04:05.678901Z";
const RUN_LIMIT_MS = 60_000;

const experiment = (more: Partial<ExperimentJson> = {}): ExperimentJson => ({
  id: "r1",
  status: "completed",
  owner_node: "dev-node1",
  transport: "gossip",
  message_count: 10,
  interval_ms: 1000,
  payload_bytes: 0,
  sent_count: 10,
  failed_count: 0,
  expected_nodes: ["dev-node1", "dev-node2"],
  run_count: 1,
  started_at: AT,
  ended_at: AT,
  error: null,
  ...more,
});

const STATUS: AggregationStatus = {
  active_nodes: [{ node_id: "dev-node2", region: "dev-node2", phoenix_port: 4002, is_local: false }],
  node_count: 1,
  local_node_id: "dev-node1",
  experiment: null,
};

const entry = (id: string) => ({
  experiment_id: id,
  message_count: 20,
  send_count: 10,
  ack_count: 10,
  time_range: { start: AT, end: AT },
  status: "completed",
  transport: "gossip",
  started_at: AT,
  ended_at: AT,
  run_count: 1,
});

const LATENCIES = Float64Array.from([20_000, 340_000, 650_000, 980_000]);
const line = (node_id: string, points: readonly (readonly [number, number])[]) => ({
  node_id,
  points,
  point_count: points.length,
});

const BODIES: Readonly<Record<string, object>> = {
  summary: {
    topology_snapshots_count: 2,
    message_count: 20,
    send_count: 10,
    ack_count: 10,
    system_metrics_count: 2,
    ack_rate: 100,
    remote_node_count: 1,
    experiment: experiment(),
  },
  timing: {
    timing_stats: [
      {
        message_id: "m1",
        send_time: AT,
        ack_count: 1,
        min_latency_ms: 1,
        max_latency_ms: 2,
        avg_latency_ms: 1.5,
      },
    ],
    count: 1,
  },
  metrics: { system_metrics: [], count: 0 },
  performance: {
    summary: { send_count: 10, ack_count: 10, ack_rate: 100, remote_node_count: 1, first_send_at: AT },
    latency: latencyStats(LATENCIES),
    per_node_performance: [
      {
        node_id: "dev-node2",
        ack_count: 4,
        min_ms: 20,
        avg_ms: 497,
        max_ms: 980,
        p50_ms: 340,
        p95_ms: 980,
        p99_ms: 980,
      },
    ],
    latency_histogram: histogram(LATENCIES),
    rtt_time_series: [
      line("dev-node2", [
        [0, 20],
        [1000, 340],
      ]),
      line("dev-node3", [
        [0, 650],
        [1000, 980],
      ]),
    ],
    receipt_staircase: [
      line("dev-node2", [
        [1, 0],
        [2, 1000],
      ]),
    ],
    receipt_summary: { message_count: 10, receipt_count: 4, average_receipts: 0.4, node_count: 2 },
    message_flows: [],
  },
};

const report = (missing: readonly string[] = []) => ({
  node_id: "dev-node1",
  timestamp: AT,
  nodes_reporting: ["dev-node1"],
  nodes_missing: missing,
});

const kindOf = (ctx: Context) => (ctx.params as { kind: string }).kind;

const WELL: Actions = {
  "analytics.aggregator.status": () => STATUS,
  "analytics.aggregator.list": () => ({ experiments: [entry("r1"), entry("r2")], count: 2, ...report() }),
  "analytics.aggregator.get": (ctx: Context) => ({
    experiment_id: "r1",
    ...BODIES[kindOf(ctx)],
    ...report(),
  }),
};

describe("The Analytics page", function () {
  this.timeout(180_000);
  let open: Visited | null = null;
  let gateway: TestGateway | null = null;

  afterEach(async () => {
    const [visited, node] = [open, gateway];
    [open, gateway] = [null, null];
    try {
      await visited?.close();
    } finally {
      await node?.stop();
    }
  });

  async function scripted(
    actions: Actions,
    options: Partial<Parameters<typeof visit>[0]> = {},
  ): Promise<Visited & { readonly node: TestGateway }> {
    gateway = await scriptedNode({ ...WELL, ...actions });
    open = await visit({ url: gateway.url, path: "/analytics?experiment_id=r1", ...options });
    return { ...open, node: gateway };
  }

  const card = (page: Visited["page"], title: string) =>
    page.getByRole("region", { name: title, exact: true });
  const figure = (page: Visited["page"], title: string) =>
    page.getByRole("heading", { name: title, exact: true }).locator("xpath=following-sibling::p[1]");

  describe("of three real nodes", () => {
    let real: Dashboard;
    before(async () => {
      real = await dashboard();
    });

    it("runs an experiment, locks the form meanwhile, draws its charts, and gives it as a file", async () => {
      open = await real.open("/analytics");
      const { page, picture } = open;
      await page.getByLabel("Experiment id").fill("browser-run");
      await page.getByLabel("Messages").fill("10");
      await page.getByLabel("Interval, ms").fill("100");
      await page.getByRole("button", { name: "Start Experiment" }).click();
      await page.locator("[data-toast=good]").getByText("Experiment browser-run has begun.").waitFor();
      assert.ok(await page.getByLabel("Experiment id").isDisabled());
      assert.match(page.url(), /experiment_id=browser-run$/);
      await page.getByRole("progressbar").waitFor();
      await picture("analytics-running");
      await page.getByText("Experiment browser-run: completed.").waitFor({ timeout: RUN_LIMIT_MS });
      await page.getByRole("button", { name: "Refresh Now" }).click();
      await until(
        "all acknowledgements are counted",
        async () => (await figure(page, "Ack rate").textContent()) === "100 %",
      );
      assert.equal(await figure(page, "Nodes").textContent(), "3");
      assert.equal(await figure(page, "Sent").textContent(), "10");
      assert.equal(await figure(page, "Acked").textContent(), "20");
      assert.equal(await figure(page, "Snapshots").textContent(), "3");
      assert.ok(await page.getByLabel("Experiment id").isEnabled());
      assert.ok((await card(page, "Latency distribution").locator("svg rect").count()) > 0);
      for (const title of ["Latency over time", "Receipt staircase"]) {
        assert.equal(await card(page, title).locator('svg g[aria-label="line"] path').count(), 2, title);
      }
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "Experiment browser-run as JSON" }).click(),
      ]);
      assert.equal(download.suggestedFilename(), "experiment_browser-run.json");
      const file = JSON.parse(readFileSync(await download.path(), "utf8"));
      assert.equal(file.experiment.success_rate, 100);
      assert.equal(file.experiment.ack_count, 20);
      await picture("analytics-run");
    });

    it("refuses wrong values at their fields, and starts nothing", async () => {
      open = await real.open("/analytics");
      const { page } = open;
      await page.getByLabel("Experiment id").fill("../etc");
      await page.getByLabel("Interval, ms").fill("1");
      await page.getByRole("button", { name: "Start Experiment" }).click();
      await page.getByRole("alert").filter({ hasText: "no dot first" }).waitFor();
      await page.getByRole("alert").filter({ hasText: "50 to 60,000" }).waitFor();
      const { body } = await ask({ url: real.url() }, "GET /api/analytics/aggregation/status");
      assert.equal(body.experiment, null);
    });
  });

  for (const look of LOOKS) {
    it(`shows a run, is accessible, fits, and does not jump (${lookText(look)})`, async () => {
      const { page, picture, shifts, node } = await scripted({}, { look });
      await card(page, "Latency distribution").locator("svg").waitFor();
      for (const name of ["P50 340 ms", "P95 980 ms", "P99 980 ms"]) {
        assert.equal(
          await card(page, "Latency distribution").locator("svg text", { hasText: name }).count(),
          1,
        );
      }
      for (const colour of ["#10B981", "#F59E0B", "#F97316", "#EF4444"]) {
        assert.equal(
          await card(page, "Latency distribution").locator(`svg rect[fill="${colour}"]`).count(),
          1,
          colour,
        );
      }
      await assertAccessible(page);
      await assertFits(page);
      await picture("analytics");
      const before = await shifts();
      await node.broker.broadcastLocal("analytics_events", {
        node_id: node.broker.nodeID,
        experiment_id: "r1",
        type: "cluster_update",
        node_count: 2,
      });
      await until("it asked again", async () =>
        page.evaluate(
          () =>
            performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/r1/summary"))
              .length > 1,
        ),
      );
      assert.ok((await shifts()) - before < 0.01, "nothing jumps when live data come");
    });
  }

  it("leaves one node alone after a click, keeps its colour, and brings the others back", async () => {
    const { page } = await scripted({});
    const chart = card(page, "Latency over time");
    const paths = chart.locator('svg g[aria-label="line"] path');
    await until("both are drawn", async () => (await paths.count()) === 2);
    const colour = await paths.nth(1).getAttribute("stroke");
    await chart.getByRole("button", { name: "dev-node3" }).click();
    await until("one is alone", async () => (await paths.count()) === 1);
    assert.equal(await paths.first().getAttribute("stroke"), colour);
    await chart.getByRole("button", { name: "dev-node3" }).click();
    await until("both are back", async () => (await paths.count()) === 2);
  });

  it("saves a chart as SVG and as PNG, colours written out", async () => {
    const { page } = await scripted({});
    const saved = async (kind: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: `Save Latency over time as ${kind}` }).click(),
      ]);
      assert.equal(download.suggestedFilename(), `experiment_r1_latency-over-time.${kind.toLowerCase()}`);
      return readFileSync(await download.path());
    };
    await card(page, "Latency over time").locator("svg").waitFor();
    const svg = (await saved("SVG")).toString();
    assert.match(svg, /^<\?xml/);
    assert.match(svg, /Latency over time – r1/);
    assert.doesNotMatch(svg, /var\(/);
    assert.deepEqual([...(await saved("PNG")).subarray(1, 4)], [...Buffer.from("PNG")]);
    await page.locator("[data-toast=good]").getByText("Latency over time saved as PNG.").waitFor();
  });

  it("follows a run that another node leads: the form is locked with its values, failures are told", async () => {
    const on = experiment({ status: "running", sent_count: 2, owner_node: "dev-node2", ended_at: null });
    const { node, page, picture } = await scripted({
      "analytics.aggregator.status": () => ({ ...STATUS, experiment: { ...on, role: "following" } }),
    });
    await page.getByText("led by dev-node2").waitFor();
    assert.equal(await page.getByLabel("Experiment id").inputValue(), "r1");
    assert.ok(await page.getByRole("button", { name: "Start Experiment" }).isDisabled());
    await node.broker.broadcastLocal("analytics_events", {
      node_id: node.broker.nodeID,
      experiment_id: "r1",
      type: "message_progress",
      sent_count: 5,
      failed_count: 2,
      total_count: 10,
    });
    await page.getByText("7 of 10").waitFor();
    await page.locator("[data-failures]").getByText("2 messages could not be sent").waitFor();
    await picture("analytics-following");
  });

  it("names the nodes that are missing from a report", async () => {
    const { page } = await scripted({
      "analytics.aggregator.get": (ctx: Context) => ({ ...BODIES[kindOf(ctx)], ...report(["dev-node3"]) }),
    });
    await page.getByText("Missing from this report: dev-node3.").waitFor();
  });

  it("deletes after a question only, and says where a run still is", async () => {
    const asked: unknown[] = [];
    const { page, picture } = await scripted({
      "analytics.aggregator.delete": (ctx: Context) => {
        asked.push(ctx.params);
        return { experiment_id: "r2", deleted_on: ["dev-node1"], unreachable: ["dev-node2"] };
      },
    });
    await page.getByRole("button", { name: "Delete r2" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.equal(asked.length, 0);
    await page.getByRole("button", { name: "Delete r2" }).click();
    await picture("analytics-delete");
    await page.getByRole("button", { name: "Delete experiment" }).click();
    await page.getByText("Not reached, so still there: dev-node2.").waitFor();
    assert.equal(asked.length, 1);
  });

  it("puts ticked runs beside each other", async () => {
    const compared = (id: string) => ({
      experiment_id: id,
      started_at: AT,
      duration_seconds: 12,
      node_count: 2,
      message_count: 10,
      ack_count: 10,
      success_rate: 100,
      avg_latency_ms: 5,
      p95_latency_ms: 9,
    });
    const { page } = await scripted({
      "analytics.aggregator.compare": () => ({
        experiments: [compared("r1"), compared("r2")],
        count: 2,
        ...report(),
      }),
    });
    const button = page.getByRole("button", { name: /^Compare \d?/ });
    await page.getByLabel("Compare r1").check();
    assert.ok(await button.isDisabled());
    await page.getByLabel("Compare r2").check();
    await button.click();
    await card(page, "Comparison").first().getByText("100 %").first().waitFor();
    const csv = await page.getByRole("link", { name: "The comparison as CSV" }).getAttribute("href");
    assert.match(csv ?? "", /ids=r1,r2&format=csv$/);
  });

  it("gets over a failing report by Retry, and shows a skeleton and empty texts", async () => {
    let broken = true;
    const { page, picture } = await scripted(
      {
        "analytics.aggregator.list": () => ({ experiments: [], count: 0, ...report() }),
        "analytics.aggregator.get": (ctx: Context) => {
          if (broken) throw new CorrosionError("store_unavailable", "the analytics file cannot be read");
          return { ...BODIES[kindOf(ctx)], ...report() };
        },
      },
      { expected: [/status of 50\d/] },
    );
    await page.getByText("No experiment was run yet.").waitFor();
    await page.getByText("The analytics file cannot be read.").first().waitFor();
    await picture("analytics-failing");
    broken = false;
    await page.getByRole("button", { name: "Refresh Now" }).click();
    await until("it is shown", async () => (await figure(page, "Sent").textContent()) === "10");
    await page.getByText("No node has been sampled yet.").waitFor();
  });

  it("shows hostile ids and names as the text that they are", async () => {
    const hostile = `<img src=x onerror="document.title='owned'">`;
    const { page } = await scripted(
      {
        "analytics.aggregator.list": () => ({
          experiments: [entry(hostile)],
          count: 1,
          ...report([hostile]),
        }),
        "analytics.aggregator.status": () => ({
          ...STATUS,
          active_nodes: [{ node_id: hostile, region: hostile, phoenix_port: null, is_local: false }],
        }),
      },
      { path: `/analytics?experiment_id=${encodeURIComponent(hostile)}` },
    );
    await page.getByText("which is no id of an experiment").waitFor();
    await page.getByRole("button", { name: `View ${hostile}` }).waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Analytics · Fleetport");
  });
});
