/** @module Groups: the map of a real fleet, and every state that a fleet can be in. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { ask } from "../helpers/console.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import { type Dashboard, type DashboardVisit, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";

const STATUS = "**/api/fleet/status";

describe("Groups", function () {
  this.timeout(120_000);
  const pages = openPages();
  const at = (options?: DashboardVisit) => pages.at("/groups", options);
  let real: Dashboard;
  before(async () => {
    real = await dashboard();
  });

  async function status(): Promise<FleetStatus> {
    return JSON.parse((await ask({ url: real.url() }, "GET /api/fleet/status")).text);
  }

  /** What the node answers, changed by `change`. */
  function changed(page: Page, change: (fleet: FleetStatus) => FleetStatus): Promise<unknown> {
    return page.route(STATUS, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ json: change(await response.json()) });
    });
  }

  it("shows 16 × 16 groups, each with its leader's name, and how many each node leads", async () => {
    const { page } = await at();
    const map = page.getByRole("grid", { name: "Map of the groups" });
    await map.waitFor();
    const { leaders, nodes } = await status();
    assert.equal(await map.getByRole("row").count(), 16);
    const names = await map
      .getByRole("gridcell")
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute("aria-label")));
    assert.deepEqual(
      names,
      leaders.map((leader, group) => `g${String(group).padStart(3, "0")}: led by ${leader}`),
    );
    for (const { id } of nodes) {
      const count = leaders.filter((leader) => leader === id).length;
      await page
        .getByRole("list", { name: "Leaders" })
        .getByRole("listitem")
        .filter({ hasText: id })
        .getByText(`${count} groups`)
        .waitFor();
    }
  });

  it("tells of the group under the pointer, and walks from group to group by the arrow keys", async () => {
    const { page, shifts } = await at();
    const detail = page.locator("[data-group-detail]");
    await page.getByText("Point at a group").waitFor();
    const before = await shifts();
    await page.getByRole("gridcell", { name: /^g018/ }).hover();
    await detail.getByText("g018", { exact: true }).waitFor();
    assert.match((await detail.textContent()) ?? "", /3 replicas, followed by dev-node\d, dev-node\d/);
    await page.getByRole("heading", { name: "Groups", level: 1 }).hover();
    await detail.waitFor({ state: "detached" });
    // What a number's width makes, and nothing that an eye would see.
    assert.ok((await shifts()) - before < 0.001);

    await page.getByRole("gridcell", { name: /^g000/ }).focus();
    for (const key of ["ArrowRight", "ArrowDown", "End"]) await page.keyboard.press(key);
    await detail.getByText("g031", { exact: true }).waitFor();
    assert.equal(await page.locator("[aria-selected=true]").getAttribute("data-group"), "31");
    assert.equal(await page.locator("[role=gridcell][tabindex='0']").count(), 1);
  });

  it("shows a change of leader as it happens, and a group that has none", async () => {
    let taken = false;
    const { page, picture } = await at({
      prepare: (page) =>
        changed(page, (fleet) =>
          taken
            ? {
                ...fleet,
                leaders: fleet.leaders.with(7, null),
                problems: ["dev-node1: <b>the disk</b> is full"],
              }
            : fleet,
        ),
    });
    await page.getByText("No group changed its leader").waitFor();
    taken = true;
    await page.getByRole("gridcell", { name: "g007: no leader" }).waitFor();
    const changes = page.getByRole("region", { name: "Changes of leaders" });
    await changes.getByRole("row").filter({ hasText: "g007" }).getByText("no leader").waitFor();
    await page.getByRole("alert").getByText("Groups without a leader: 1 of 256.").waitFor();
    await page.getByText("dev-node1: <b>the disk</b> is full", { exact: true }).waitFor();
    await picture("groups-leaderless");
    await assertAccessible(page);
    taken = false;
    await changes.getByText("2 seen").or(page.getByText("2 seen")).waitFor();
    await page.getByRole("gridcell", { name: /^g007: led by/ }).waitFor();
  });

  it("keeps the last state with its age when the node stops answering, and goes on when it is back", async () => {
    let lost = false;
    const { page, picture } = await at({
      expected: [/ERR_FAILED/],
      prepare: (page) => page.route(STATUS, (route) => (lost ? route.abort() : route.fallback())),
    });
    await page.getByRole("grid").waitFor();
    lost = true;
    const map = page.getByRole("region", { name: "Who leads what" });
    await map.getByText("stale").waitFor();
    assert.equal(await map.getByRole("gridcell").count(), 256);
    await picture("groups-stale");
    lost = false;
    await map.getByText("stale").waitFor({ state: "detached" });
  });

  it("says why there is nothing to show, and tries again when it is told to", async () => {
    let starting = true;
    const { page, picture } = await at({
      expected: [/status of 503/],
      prepare: (page) =>
        page.route(STATUS, (route) =>
          starting
            ? route.fulfill({
                status: 503,
                json: { error: "This node is still starting.", code: "leader_unavailable" },
              })
            : route.fallback(),
        ),
    });
    const map = page.getByRole("region", { name: "Who leads what" });
    await map.getByText("This node is still starting.").waitFor();
    await picture("groups-error");
    starting = false;
    await map.getByRole("button", { name: "Retry" }).click();
    await map.getByRole("grid").waitFor();
  });

  for (const look of LOOKS) {
    it(`has no serious problem of accessibility, and fits the screen (${lookText(look)})`, async () => {
      const { page, picture } = await at({ look });
      await page.getByRole("gridcell", { name: /^g017/ }).click();
      await assertAccessible(page);
      await assertFits(page);
      await picture("groups");
    });
  }
});
