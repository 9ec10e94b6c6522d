/** @module The Analytics page of three real nodes: runs that are watched live, read back from their files, and deleted. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import type { Locator, Page } from "playwright-core";
import { msText } from "../../public/data/wording.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { card, cells, figure, lineCount } from "./analytics-parts.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { openPages } from "./open-pages.ts";

const RUN_LIMIT_MS = 60_000;
const MESSAGES = 40;

interface Plan {
  readonly id: string;
  readonly messages: number;
  readonly interval: number;
  readonly transport?: "gossip" | "pubsub";
}

describe("The Analytics page of three real nodes", function () {
  this.timeout(180_000);
  let real: Dashboard;
  const open = openPages();

  before(async () => {
    real = await dashboard();
  });

  after(async () => {
    await until(
      "no run is on",
      async () =>
        (await ask({ url: real.url() }, "GET /api/analytics/aggregation/status")).body.experiment === null,
      RUN_LIMIT_MS,
    );
    await ask({ url: real.url() }, "DELETE /api/analytics/experiments");
  });

  async function start(page: Page, { id, messages, interval, transport = "gossip" }: Plan): Promise<void> {
    await page.getByLabel("Transport").selectOption(transport);
    await page.getByLabel("Experiment id").fill(id);
    await page.getByLabel("Messages").fill(String(messages));
    await page.getByLabel("Interval, ms").fill(String(interval));
    await page.getByLabel("Refresh", { exact: true }).selectOption("1000");
    await page.getByRole("button", { name: "Start Experiment" }).click();
    await page.locator("[data-toast=good]").getByText(`Experiment ${id} has begun.`).waitFor();
  }

  const acked = (page: Page, count: number) =>
    until(
      `${count} acknowledgements are counted`,
      async () => (await figure(page, "Acked")) === String(count),
      RUN_LIMIT_MS,
    );

  const over = (page: Page, id: string, status: string) =>
    page
      .getByRole("region", { name: `Experiment ${id}` })
      .getByText(status, { exact: true })
      .waitFor({ timeout: RUN_LIMIT_MS });

  /** The content of the file behind a link. */
  async function file(page: Page, link: Locator, name: string): Promise<string> {
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    assert.equal(download.suggestedFilename(), name);
    return readFileSync(await download.path(), "utf8");
  }

  it("fills its charts while a run goes on, without a jump, and unlocks the form at its end", async () => {
    const { page, picture, shifts } = await open.at("/analytics");
    await start(page, { id: "live", messages: MESSAGES, interval: 300 });
    assert.match(page.url(), /experiment_id=live$/);
    assert.ok(await page.getByLabel("Experiment id").isDisabled());
    await until("both nodes have a line", async () => (await lineCount(page, "Latency over time")) === 2);
    const sent = await until("some are counted", async () => Number(await figure(page, "Sent")));
    assert.ok(sent > 0 && sent < MESSAGES, `${sent} of ${MESSAGES}: the run is still on`);
    const bar = page.getByRole("progressbar");
    assert.ok(Number(await bar.getAttribute("aria-valuenow")) < MESSAGES);
    const marks = () => card(page, "Receipt staircase").locator('svg g[aria-label="dot"] path').count();
    const [before, drawn] = [await shifts(), await marks()];
    await until("more is drawn while it is on", async () => (await marks()) > drawn);
    assert.ok((await shifts()) - before < 0.01, `nothing jumps: ${(await shifts()) - before}`);
    await picture("analytics-live");
    await over(page, "live", "completed");
    await acked(page, 2 * MESSAGES);
    await until(
      "the bar is full",
      async () => (await bar.getAttribute("aria-valuenow")) === String(MESSAGES),
    );
    await until("the form is unlocked", () => page.getByLabel("Experiment id").isEnabled());
    for (const [title, value] of [
      ["Nodes", "3"],
      ["Sent", String(MESSAGES)],
      ["Ack rate", "100 %"],
      ["Snapshots", "3"],
    ] as const)
      await until(`${title} is ${value}`, async () => (await figure(page, title)) === value);
    await picture("analytics-run");
  });

  it("gives a run as JSON and as CSV that read back as what the page shows", async () => {
    const { page } = await open.at("/analytics?experiment_id=live");
    await acked(page, 2 * MESSAGES);
    await card(page, "Latency distribution").locator("svg text").first().waitFor();
    const shown = {
      performance: await cells(page, "Node performance"),
      marks: (await card(page, "Latency distribution").locator("svg text").allTextContents()).filter((text) =>
        /^P\d\d /.test(text),
      ),
      metrics: Number(await figure(page, "Metrics")),
    };

    const json = JSON.parse(
      await file(page, page.getByRole("link", { name: "Experiment live as JSON" }), "experiment_live.json"),
    );
    assert.equal(json.metadata.exporter_version, "2.0.0");
    assert.deepEqual(
      [
        json.experiment.id,
        json.experiment.send_count,
        json.experiment.ack_count,
        json.experiment.success_rate,
      ],
      ["live", MESSAGES, 2 * MESSAGES, 100],
    );
    assert.deepEqual(json.topology.nodes.toSorted(), ["dev-node1", "dev-node2", "dev-node3"]);
    assert.equal(json.raw_events.length, 3 * MESSAGES);
    assert.equal(json.system_metrics.length, shown.metrics);
    const { latency, per_node_performance: nodes } = json.performance;
    assert.deepEqual(shown.marks, [
      `P50 ${msText(latency.median_ms)}`,
      `P95 ${msText(latency.p95_ms)}`,
      `P99 ${msText(latency.p99_ms)}`,
    ]);
    const rowOf = (node: Readonly<Record<string, string | number>>) => [
      String(node.node_id),
      String(node.ack_count),
      ...["min_ms", "avg_ms", "max_ms", "p50_ms", "p95_ms", "p99_ms"].map((key) => msText(Number(node[key]))),
    ];
    assert.deepEqual(nodes.map(rowOf), shown.performance);

    const csv = await file(
      page,
      page.getByRole("link", { name: "Experiment live as CSV" }),
      "experiment_live.csv",
    );
    const records: { section: string; key: string; field: string; value: string }[] = parse(csv, {
      columns: true,
      record_delimiter: "\r\n",
    });
    const fieldsOf = (section: string, key: string) =>
      Object.fromEntries(
        records
          .filter((row) => row.section === section && row.key === key)
          .map(({ field, value }) => [field, value]),
      );
    assert.deepEqual(
      ["dev-node2", "dev-node3"].map((node_id) =>
        rowOf({ node_id, ...fieldsOf("performance.per_node_performance", node_id) }),
      ),
      shown.performance,
    );
    assert.equal(records.find(({ field }) => field === "success_rate")?.value, "100");
  });

  it("shows on another node what this one runs, and stops it there", async () => {
    const [first, second] = [await open.at("/analytics"), await open.at("/analytics", { node: 2 })];
    await second.page.getByLabel("Refresh", { exact: true }).selectOption("1000");
    await start(first.page, { id: "by-hand", messages: 0, interval: 1000, transport: "pubsub" });
    await second.page.getByText("led by dev-node1; locked").waitFor();
    await second.page.waitForURL(/experiment_id=by-hand$/);
    await second.page.getByText("It sends nothing by itself").waitFor();
    await second.page.getByRole("button", { name: "Stop", exact: true }).click();
    await over(first.page, "by-hand", "stopped");
    await over(second.page, "by-hand", "stopped");
    await until("the form is unlocked", () => first.page.getByLabel("Experiment id").isEnabled());
  });

  it("puts runs beside each other, as a table and as a file, and deletes them on every node", async () => {
    const { page, picture } = await open.at("/analytics", { node: 3 });
    await start(page, { id: "drill", messages: 5, interval: 50, transport: "pubsub" });
    await over(page, "drill", "completed");
    await acked(page, 10);
    for (const id of ["live", "drill"]) await page.getByLabel(`Compare ${id}`).check();
    await page.getByRole("button", { name: "Compare 2" }).click();
    await until("both are there", async () => (await cells(page, "Comparison")).length === 2);
    const shown = await cells(page, "Comparison");
    await picture("analytics-compared");
    const csv = await file(
      page,
      page.getByRole("link", { name: "The comparison as CSV" }),
      "experiment_comparison.csv",
    );
    const rows: string[][] = parse(csv, { from_line: 2 });
    assert.deepEqual(
      rows.map(([id, , , nodes, messages, acks, rate, average, p95]) => [
        id,
        nodes,
        messages,
        acks,
        `${rate} %`,
        msText(Number(average)),
        msText(Number(p95)),
      ]),
      shown.map(([id, , , ...others]) => [id, ...others]),
    );

    await page.getByRole("button", { name: "Delete drill" }).click();
    await page.getByRole("button", { name: "Delete experiment" }).click();
    await page.getByText("Experiment drill was deleted on 3 nodes.").waitFor();
    await page.waitForURL(/\/analytics$/);
    await until("it is gone from the list", async () =>
      (await cells(page, "History")).every((row) => !row.includes("drill")),
    );
    await page.getByRole("button", { name: "Clear History" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Clear History" }).click();
    await page.getByText("No experiment was run yet.").waitFor();
    const { body } = await ask(
      { url: real.url(2) },
      "GET /api/analytics/experiments/live/summary?scope=local",
    );
    assert.equal(body.message_count, 0, "nor does another node have it");
  });

  it("refuses wrong values at their fields, and starts nothing", async () => {
    const { page, picture } = await open.at("/analytics");
    await page.getByLabel("Experiment id").fill("../etc");
    await page.getByLabel("Messages").fill("1001");
    await page.getByLabel("Interval, ms").fill("1");
    await page.getByLabel("Payload, bytes").fill("8193");
    await page.getByRole("button", { name: "Start Experiment" }).click();
    for (const text of ["no dot first", "0 to 1,000", "50 to 60,000", "0 to 8,192"])
      await page.getByRole("alert").filter({ hasText: text }).waitFor();
    await picture("analytics-refused");
    const { body } = await ask({ url: real.url() }, "GET /api/analytics/aggregation/status");
    assert.equal(body.experiment, null);
  });
});
