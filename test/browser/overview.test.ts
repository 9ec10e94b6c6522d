/** @module Overview: both halves of a real node, what needs somebody, and the experiment that was run last. */
import assert from "node:assert/strict";
import type { ListEntry } from "../../services/analytics/bodies.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visited } from "./browser.ts";
import type { DashboardVisit } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";

const LIST = "**/api/analytics/experiments/list";
const experiments = (json: object) => (page: Visited["page"]) =>
  page.route(LIST, (route) => route.fulfill({ json }));
const none = experiments({ status: "success", experiments: [], count: 0 });

describe("Overview", function () {
  this.timeout(120_000);
  const pages = openPages();
  const at = (options?: DashboardVisit) => pages.at("/overview", { prepare: none, ...options });

  it("shows the node, the fleet, the engine, the archive and the agents of a cluster that is well", async () => {
    const { page } = await at();
    const card = (name: string) => page.getByRole("region", { name, exact: true });
    await page.getByText("nothing in the fleet needs attention").waitFor();
    await card("This node").getByText("ready").waitFor();
    await card("Fleet").getByText("3 of 3").waitFor();
    await card("Fleet").getByText("256 of 256").waitFor();
    await card("Log engine").getByText("sqlite", { exact: true }).waitFor();
    await card("Archive").getByText("Lag").waitFor();
    await card("Agents").getByText("running").waitFor();
    await card("Agents").getByText("3 active").waitFor();
    await card("Fleet").getByRole("link", { name: "Groups" }).click();
    await page.getByRole("grid").waitFor();
  });

  it("shows the newest experiment, and leads to it whatever its id", async () => {
    const run: ListEntry = {
      experiment_id: "a<b>&c=1",
      // Sends and acknowledgements.
      message_count: 27,
      send_count: 9,
      ack_count: 18,
      time_range: null,
      status: "completed",
      transport: "pubsub",
      started_at: null,
      ended_at: null,
      run_count: 1,
    };
    const { page } = await at({
      prepare: experiments({
        status: "success",
        experiments: [run, { ...run, experiment_id: "old" }],
        count: 2,
      }),
    });
    const card = page.getByRole("region", { name: "Last experiment" });
    await card.getByText("9", { exact: true }).waitFor();
    const link = card.getByRole("link", { name: "a<b>&c=1" });
    assert.equal(await link.getAttribute("href"), "/analytics?experiment_id=a%3Cb%3E%26c%3D1");
  });

  it("says nothing of experiments where a node records none", async () => {
    const { page } = await at({
      expected: [/status of 404 .*experiments\/list/],
      prepare: (page) => page.route(LIST, (route) => route.fulfill({ status: 404, json: {} })),
    });
    await page.getByText("3 active").waitFor();
    await page.getByRole("region", { name: "Last experiment" }).waitFor({ state: "detached" });
  });

  it("names why the node takes no traffic", async () => {
    const { page } = await at({
      expected: [/status of 503/],
      prepare: async (page) => {
        await none(page);
        await page.route("**/health/ready", (route) =>
          route.fulfill({ status: 503, json: { status: "degraded", reason: "engine_unwritable" } }),
        );
      },
    });
    await page.getByText("degraded: engine unwritable").waitFor();
  });

  for (const look of LOOKS) {
    it(`has no serious problem of accessibility, and fits the screen (${lookText(look)})`, async () => {
      const { page, picture } = await at({ look });
      await page.getByText("nothing in the fleet needs attention").waitFor();
      await page.getByText("3 active").waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("overview");
    });
  }
});
