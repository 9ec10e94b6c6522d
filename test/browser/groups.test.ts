/** @module Groups: the map of a real fleet, and every state that a fleet can be in. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import { type Dashboard, type DashboardVisit, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";

const STATUS = "**/api/fleet/status";
/** While a group that this node holds has no leader, the node is not ready, and says so with a 503. */
const MOVING = [/status of 503 .*\/health\/ready/];
/** What moving a third of the groups may take on a machine that does much else. */
const MOVED_MS = 60_000;

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
    const { page, shifts, shifted } = await at();
    const detail = page.locator("[data-group-detail]");
    await page.getByText("Point at a group").waitFor();
    const before = await shifts();
    await page.getByRole("gridcell", { name: /^g018/ }).hover();
    await detail.getByText("g018", { exact: true }).waitFor();
    assert.match((await detail.textContent()) ?? "", /3 replicas, followed by dev-node\d, dev-node\d/);
    await detail
      .locator('[data-log="log is well"]')
      .getByText(/^1 of 1 copy, .*[KM]?i?B$/)
      .waitFor();
    await page.getByRole("heading", { name: "Groups", level: 1 }).hover();
    await detail.waitFor({ state: "detached" });
    assert.equal(await shifts(), before, await shifted());

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

  it("drains a node, whose groups get other leaders on the map at once, and takes it back", async () => {
    const { page, picture } = await at({ expected: MOVING });
    const row = page
      .getByRole("region", { name: "Nodes of the fleet" })
      .getByRole("row")
      .filter({ hasText: "dev-node2" });
    const led = page.getByRole("gridcell", { name: /led by dev-node2$/ });
    const dialog = page.getByRole("dialog");
    await row.getByText("available").waitFor();
    assert.ok((await led.count()) > 0);
    try {
      await row.getByRole("button", { name: "Drain dev-node2" }).click();
      await dialog.getByText(/hands the \d+ groups that it leads to the 2 other nodes/).waitFor();
      await dialog.getByRole("button", { name: "Cancel" }).click();
      await row.getByText("available").waitFor();

      await row.getByRole("button", { name: "Drain dev-node2" }).click();
      await picture("groups-drain-question");
      await dialog.getByRole("button", { name: "Drain dev-node2" }).click();
      await page.getByText("Node dev-node2 hands its groups over.").waitFor();
      await row.getByText("drained").waitFor({ timeout: MOVED_MS });
      await until("no square is its", async () => (await led.count()) === 0, MOVED_MS);
      await until(
        "every square has a leader",
        async () => (await page.getByRole("gridcell", { name: /no leader$/ }).count()) === 0,
      );
      await page.getByText(/^Out of placement: dev-node2\./).waitFor();
      await page.getByText(/^\d+ seen$/).waitFor();
      assert.ok((await status()).leaders.every((leader) => leader !== null && leader !== "dev-node2"));
      await assertAccessible(page);
      await picture("groups-drained");

      await row.getByRole("button", { name: "Undrain dev-node2" }).click();
      await dialog.getByText(/takes part in placement again/).waitFor();
      await dialog.getByRole("button", { name: "Undrain dev-node2" }).click();
      await page.getByText("Node dev-node2 takes groups again.").waitFor();
      await row.getByText("available").waitFor();
      await led.first().waitFor({ timeout: MOVED_MS });
      await page.getByText(/^Out of placement/).waitFor({ state: "detached" });
    } finally {
      await ask({ url: real.url() }, "POST /api/fleet/nodes/dev-node2/undrain");
      await until("it leads again", async () => (await status()).leaders.includes("dev-node2"), MOVED_MS);
    }
  });

  it("shows a drain under way with what is left, its end, and that the node went away before it", async () => {
    let left = 84;
    let available = true;
    const { page, picture } = await at({
      prepare: (page) =>
        changed(page, (fleet) => ({
          ...fleet,
          nodes: fleet.nodes.map((node) =>
            node.id === "dev-node2" ? { ...node, available, draining: true, leads: left } : node,
          ),
        })),
    });
    const row = page
      .getByRole("region", { name: "Nodes of the fleet" })
      .getByRole("row")
      .filter({ hasText: "dev-node2" });
    await row.getByText("84 left").waitFor();
    left = 12;
    await row.getByText("12 left").waitFor();
    await picture("groups-draining");
    left = 0;
    await row.getByText("drained").waitFor();
    await page
      .locator("[data-toast=good]")
      .getByText("Node dev-node2 is drained: it leads nothing.")
      .waitFor();
    left = 3;
    await row.getByText("3 left").waitFor();
    available = false;
    await row.getByText("not answering").waitFor();
    await page
      .locator("[data-toast=bad]")
      .getByText(/^Node dev-node2 went away before/)
      .waitFor();
    assert.ok(await row.getByRole("button", { name: "Undrain dev-node2" }).isDisabled());
  });

  it("says why a node was not drained, and offers no drain where nobody could take over", async () => {
    let others = true;
    const { page, picture } = await at({
      expected: [/status of 409/],
      prepare: async (page) => {
        await changed(page, (fleet) => ({
          ...fleet,
          nodes: fleet.nodes.map((node) => ({ ...node, available: others || node.id === "dev-node3" })),
        }));
        await page.route("**/api/fleet/nodes/dev-node3/drain", (route) =>
          route.fulfill({
            status: 409,
            json: { status: "error", code: "no_other_node", error: "No other node takes groups." },
          }),
        );
      },
    });
    const button = page.getByRole("button", { name: "Drain dev-node3" });
    await button.click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain dev-node3" }).click();
    await page
      .locator("[data-toast=bad]")
      .getByText("Node dev-node3 was not drained: No other node takes groups.")
      .waitFor();
    await picture("groups-drain-refused");
    others = false;
    await page.getByText("Not answering: dev-node1, dev-node2.").waitFor();
    assert.ok(await button.isDisabled());
  });

  it("shows a change of leader by its event alone, without waiting for the next poll", async () => {
    let asked = 0;
    const { page } = await at({
      expected: MOVING,
      prepare: async (page) => {
        page.on("request", (request) => {
          if (request.url().endsWith("/api/fleet/status")) asked += 1;
        });
        await page.clock.install();
      },
    });
    const led = page.getByRole("gridcell", { name: /led by dev-node3$/ });
    await led.first().waitFor();
    await page.clock.pauseAt(Date.now() + 3_600_000);
    const before = asked;
    await until("a poll has just been", async () => {
      await page.clock.runFor(50);
      return asked > before;
    });
    try {
      assert.equal((await ask({ url: real.url() }, "POST /api/fleet/nodes/dev-node3/drain")).status, 202);
      await until("it leads nothing", async () => !(await status()).leaders.includes("dev-node3"), MOVED_MS);
      // Time enough for frames and for what events start, and not for a poll, which comes each 2 s.
      let left = 1500;
      await until("no square is its", async () => {
        if (left > 0) await page.clock.runFor(20);
        left -= 20;
        return (await led.count()) === 0;
      });
    } finally {
      await ask({ url: real.url() }, "POST /api/fleet/nodes/dev-node3/undrain");
      await until("it leads again", async () => (await status()).leaders.includes("dev-node3"), MOVED_MS);
    }
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
    await pressRetry(map.getByRole("button", { name: "Retry" }), () => {
      starting = false;
    });
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
