/** @module The charts of the Analytics page: what is drawn, one node alone, and the files that they are saved as. */
import assert from "node:assert/strict";
import type { Context } from "moleculer";
import { until } from "../helpers/until.ts";
import { answered, DONE, reportsOf, WELL } from "./analytics-answers.ts";
import { card, cells, lineCount } from "./analytics-parts.ts";
import { openPages } from "./open-pages.ts";
import { assertColour, savedBy, seen } from "./pictures.ts";

const BANDS = ["#10B981", "#F59E0B", "#F97316", "#EF4444"];
/** Of the second and the third node by name, on the light ground. */
const NODE_COLOURS = ["#0f766e", "#b45309"];
const CHARTS = ["Latency distribution", "Latency over time", "Receipt staircase"];

describe("The charts of the Analytics page", function () {
  this.timeout(180_000);
  const open = openPages();

  async function chartsOf(measured = DONE, missing: readonly string[] = []) {
    const actions = {
      ...WELL,
      "analytics.aggregator.get": (ctx: Context) => answered(ctx, measured, missing),
    };
    const visited = await open.scripted("/analytics?experiment_id=r1", actions);
    await card(visited.page, "Latency distribution").locator("svg text").first().waitFor();
    return visited;
  }

  it("draw every bar in the colour of its lower edge, and dashed lines at the node's percentiles", async () => {
    const { page } = await chartsOf();
    const chart = card(page, "Latency distribution");
    const { latency, latency_histogram: buckets } = reportsOf(DONE).performance;
    for (const [name, ms] of [
      ["P50", latency.median_ms],
      ["P95", latency.p95_ms],
      ["P99", latency.p99_ms],
    ] as const) {
      assert.equal(await chart.locator("svg text", { hasText: `${name} ${ms} ms` }).count(), 1, name);
    }
    assert.equal(await chart.locator('svg g[stroke-dasharray="4 3"] line').count(), 3);
    const drawn = await chart
      .locator('svg g[aria-label="rect"] rect')
      .evaluateAll((bars) => bars.map((bar) => bar.getAttribute("fill")));
    assert.equal(drawn.length, buckets.buckets.filter(({ count }) => count > 0).length);
    assert.deepEqual([...new Set(drawn)], BANDS, "from left to right");
  });

  it("leave one node alone after a click, keep its colour, and bring the others back", async () => {
    const { page } = await chartsOf();
    const title = "Latency over time";
    const paths = card(page, title).locator('svg g[aria-label="line"] path');
    await until("both are drawn", async () => (await lineCount(page, title)) === 2);
    const colour = await paths.nth(1).getAttribute("stroke");
    const button = card(page, title).getByRole("button", { name: "dev-node3" });
    await button.click();
    await until("one is alone", async () => (await lineCount(page, title)) === 1);
    assert.equal(await paths.first().getAttribute("stroke"), colour);
    assert.equal(await lineCount(page, "Receipt staircase"), 2, "every chart for itself");
    await button.press("Enter");
    await until("both are back", async () => (await lineCount(page, title)) === 2);
  });

  it("say what is pointed at, and leave its node alone after a click on its line", async () => {
    const { page } = await chartsOf();
    const title = "Latency over time";
    const drawing = card(page, title).locator(".chart svg");
    await drawing.scrollIntoViewIfNeeded();
    const dot = drawing.locator('g[aria-label="dot"] path').last();
    const place = (await dot.boundingBox())!;
    await page.mouse.move(place.x + place.width / 2, place.y + place.height / 2);
    const told = drawing.locator('g[aria-label="tip"]');
    await told.getByText("dev-node3").waitFor();
    await told.getByText("sent 9500 ms after the first").waitFor();
    await page.mouse.down();
    await page.mouse.up();
    await until("one is alone", async () => (await lineCount(page, title)) === 1);
  });

  it("name a node without a line, and give it a row without figures", async () => {
    const { page } = await chartsOf({ ...DONE, from: ["dev-node2"] });
    await until("one is drawn", async () => (await lineCount(page, "Latency over time")) === 1);
    await card(page, "Latency over time").getByText("no acknowledgement").waitFor();
    await card(page, "Receipt staircase").getByText("no receipt").waitFor();
    const rows = await cells(page, "Node performance");
    assert.deepEqual(rows[1], ["dev-node3", "0", "–", "–", "–", "–", "–", "–"]);
    assert.equal(
      await card(page, "Latency over time").locator('svg g[aria-label="line"] path').getAttribute("stroke"),
      "var(--leader-1)",
      "its colour is that which it has beside the others",
    );
  });

  it("are saved as SVG and as PNG that open elsewhere and show what the page shows", async () => {
    const { page } = await chartsOf();
    for (const title of CHARTS) {
      const file = `experiment_r1_${title.toLowerCase().replaceAll(" ", "-")}`;
      const svg = await savedBy(page, `Save ${title} as SVG`);
      assert.equal(svg.name, `${file}.svg`);
      const text = svg.bytes.toString();
      assert.match(text, /^<\?xml/);
      assert.match(text, new RegExp(`${title} – r1`));
      assert.doesNotMatch(text, /var\(/, "colours are written out");
      const png = await savedBy(page, `Save ${title} as PNG`);
      assert.equal(png.name, `${file}.png`);
      await page.locator("[data-toast=good]").getByText(`${title} saved as PNG.`).waitFor();
      const [vector, dots] = [
        await seen(page, svg.bytes, "image/svg+xml"),
        await seen(page, png.bytes, "image/png"),
      ];
      assert.ok(vector.width > 500 && vector.height > 300, `${vector.width} × ${vector.height}`);
      assert.deepEqual([dots.width, dots.height], [vector.width * 2, vector.height * 2]);
      for (const picture of [vector, dots]) {
        assertColour(picture, "#ffffff", (picture.width * picture.height) / 2);
        for (const colour of title === "Latency distribution" ? BANDS : NODE_COLOURS)
          assertColour(picture, colour, 100);
      }
    }
  });
});
