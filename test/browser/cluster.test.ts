/** @module The Cluster page: against real nodes, and in the states that a test scripts. */
import assert from "node:assert/strict";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { Disagreements, Member, Membership } from "../../services/corrosion/contract.ts";
import { type Actions, ask, DISCOVERY } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { listens } from "./listens.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";

const now = () => new Date().toISOString();

function member(n: number, more: Partial<Member> = {}): Member {
  return {
    id: `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`,
    node_id: `dev-node${n}`,
    region: `dev-node${n}`,
    address: `127.0.0.1:${8786 + n}`,
    state: "Alive",
    status: "active",
    incarnation: 0,
    cluster_id: 0,
    ring: 0,
    rtts: [1, 2],
    rtt_avg_ms: 1.5,
    ts: null,
    last_seen_at: now(),
    last_sync_at: now(),
    self: n === 1,
    ...more,
  };
}

function membership(members: readonly Member[], error: string | null = null): Membership {
  return {
    members,
    error,
    regions: [...new Set(members.map(({ region }) => region))],
    cache_status: {
      last_updated: now(),
      error,
      status: error ? "error" : "ok",
      member_count: members.length,
    },
  };
}

describe("The Cluster page", function () {
  this.timeout(120_000);
  const pages = openPages();
  const scripted = (actions: Actions, options?: Parameters<typeof pages.scripted>[2]) =>
    pages.scripted("/cluster", actions, options);

  const marker = (page: Visited["page"], node: string) => page.locator(`svg [data-node="${node}"]`);
  const isMarked = (page: Visited["page"], node: string, kinds: string) =>
    until(`${node} is ${kinds}`, async () => (await marker(page, node).getAttribute("data-kinds")) === kinds);
  const row = (page: Visited["page"], table: string, text: string) =>
    page.getByRole("region", { name: table, exact: true }).locator("tbody tr").filter({ hasText: text });

  describe("of three real nodes", () => {
    let real: Dashboard;
    before(async () => {
      real = await dashboard();
    });

    for (const look of LOOKS) {
      it(`shows all three everywhere, is accessible, fits, and does not jump (${lookText(look)})`, async () => {
        const { page, picture, shifts } = await pages.at("/cluster", { look });
        for (const node of ["dev-node1", "dev-node2", "dev-node3"]) {
          await row(page, "DNS nodes", node).waitFor();
          await row(page, "Members", node).getByText("active").waitFor();
          await row(page, "Who thinks what of whom", node).waitFor();
        }
        await row(page, "__corro_members", "dev-node2").getByText("Alive").waitFor();
        await row(page, "__corro_members", "dev-node3").getByText("Alive").waitFor();
        await page.getByText("All nodes whose views are under 90 s old think the same.").waitFor();
        await isMarked(page, "dev-node1", "expected own");
        await isMarked(page, "dev-node2", "expected active");
        assert.equal(await page.getByRole("alert").count(), 0);
        await assertAccessible(page);
        await assertFits(page);
        await picture("cluster");
        const before = await shifts();
        // Events come each second: every member table is drawn anew.
        await until("members were seen again", async () =>
          page.evaluate(
            () => performance.getEntriesByName(`${location.origin}/api/cluster/corrosion`).length > 2,
          ),
        );
        assert.ok((await shifts()) - before < 0.01, "nothing jumps when live data come");
      });
    }

    it("refreshes everything by one button, and says so", async () => {
      const { page } = await pages.at("/cluster");
      await row(page, "Members", "dev-node3").waitFor();
      const posted: string[] = [];
      page.on("request", (request) => {
        if (request.method() === "POST") posted.push(new URL(request.url()).pathname);
      });
      const button = page.getByRole("button", { name: "Refresh All" });
      const { promise: seen, resolve: goOn } = Promise.withResolvers<void>();
      await page.route("**/api/cluster/dns/refresh", async (route) => {
        await seen;
        await route.continue();
      });
      await button.click();
      assert.equal(await button.getAttribute("aria-busy"), "true");
      goOn();
      await page.locator("[data-toast=good]").getByText("All sources are fresh.").waitFor();
      assert.equal(await button.getAttribute("aria-busy"), "false");
      assert.deepEqual(
        posted.sort(),
        ["corrosion", "disagreements", "dns", "members"].map((name) => `/api/cluster/${name}/refresh`),
      );
    });

    it("sees an agent go and come back without being touched", async () => {
      // While the agent goes, what asks its tables fails.
      const { page, picture } = await pages.at("/cluster", { node: 2, expected: [/status of 503/] });
      await row(page, "Members", "dev-node3").getByText("active").waitFor();
      try {
        assert.equal((await ask({ url: real.url(3) }, "POST /api/agent/stop")).status, 202);
        const down = () =>
          row(page, "Who thinks what of whom", "dev-node3").getByText("Down", { exact: true });
        await until("it is down in the matrix", async () => (await down().count()) > 0, 40_000);
        await until(
          "it is active no more",
          async () => (await marker(page, "dev-node3").getAttribute("data-kinds")) === "expected",
          40_000,
        );
        await picture("cluster-agent-down");
      } finally {
        await ask({ url: real.url(3) }, "POST /api/agent/start");
        await until(
          "it is active again",
          async () => (await marker(page, "dev-node3").getAttribute("data-kinds")) === "expected active",
          40_000,
        );
      }
    });
  });

  for (const look of LOOKS) {
    it(`shows where nodes disagree, what is down, and rows that cannot be read (${lookText(look)})`, async () => {
      const members = [member(1), member(2), member(3, { state: "Down", status: "reachable" })];
      const { page, picture } = await scripted(
        {
          "corrosion.members.get": () => membership(members),
          "corrosion.members.disagreements": () => MATRIX,
          "corrosion.members.corrosion": () => TABLES,
        },
        { look },
      );
      const differs = row(page, "Who thinks what of whom", "dev-node3");
      await differs.getByText("differs").waitFor();
      assert.equal(await row(page, "Who thinks what of whom", "dev-node2").getByText("differs").count(), 0);
      await page.getByText("dev-node4: it is not connected to the bus").waitFor();
      await row(page, "__corro_members", "Suspect").waitFor();
      await row(page, "__corro_members", "{broken").waitFor();
      await row(page, "Tracked peers", "10.0.0.9:8787").waitFor();
      // Down is never active.
      assert.equal(await marker(page, "dev-node3").count(), 0);
      await assertAccessible(page);
      await assertFits(page);
      await picture("cluster-disagreement");
    });
  }

  it("switches what the legend names, and says how many there are", async () => {
    const { page } = await scripted({
      "corrosion.members.get": () => membership([member(1), member(2), member(3)]),
    });
    const entry = (name: string) =>
      page.getByRole("button", { name, exact: false }).and(page.locator("[aria-pressed]"));
    await marker(page, "dev-node3").waitFor();
    await isMarked(page, "dev-node1", "expected own");
    assert.match((await entry("Active").textContent()) ?? "", /3$/);
    assert.match((await entry("Expected").textContent()) ?? "", /1$/);
    await entry("Active").click();
    assert.equal(await entry("Active").getAttribute("aria-pressed"), "false");
    assert.equal(await marker(page, "dev-node3").count(), 0);
    assert.equal(await marker(page, "dev-node1").getAttribute("data-kinds"), "expected own");
    await entry("Active").click();
    assert.equal(await marker(page, "dev-node3").count(), 1);
  });

  it("places two nodes of one region side by side, and lists those whose place nobody knows", async () => {
    const nodes = [
      { node_id: "ams-1", region: "ams", machine: "1" },
      { node_id: "ams-2", region: "ams", machine: "2" },
      { node_id: "xyz-9", region: "xyz", machine: "9" },
    ];
    const { page } = await scripted({ "corrosion.discovery.get": () => ({ ...DISCOVERY, nodes }) });
    await marker(page, "ams-1").waitFor();
    const at = async (node: string) => {
      const circle = marker(page, node).locator("circle").first();
      return [Number(await circle.getAttribute("cx")), Number(await circle.getAttribute("cy"))] as const;
    };
    const [[x1, y1], [x2, y2]] = [await at("ams-1"), await at("ams-2")];
    assert.equal(Math.round(Math.hypot(x1 - x2, y1 - y2)), 16);
    assert.match(
      (await page.locator("[data-unplaced]").textContent()) ?? "",
      /Not on the map: xyz-9 \(xyz\)/,
    );
    assert.equal(await marker(page, "xyz-9").count(), 0);
  });

  for (const look of [LOOKS[0]!, LOOKS[3]!]) {
    it(`names each source that fails, keeps what it knew with its age, and counts "?" (${lookText(look)})`, async () => {
      const { page, picture } = await scripted(
        {
          "corrosion.members.get": () => membership([member(1)], "the admin socket is gone"),
          "corrosion.members.corrosion": () => {
            throw new CorrosionError("agent_unavailable", "nothing listens at 127.0.0.1:8081");
          },
        },
        { look, expected: [/status of 503/] },
      );
      const alerts = page.getByRole("alert");
      await alerts.filter({ hasText: "The member list: The admin socket is gone." }).waitFor();
      await alerts.filter({ hasText: "The agent's table of members: Nothing listens at" }).waitFor();
      await row(page, "Members", "dev-node1").waitFor();
      const entry = page.getByRole("button", { name: /^Active/ });
      assert.match((await entry.textContent()) ?? "", /\?$/);
      await page.getByRole("button", { name: "Retry" }).waitFor();
      await picture("cluster-failing");
    });
  }

  it("gets over a failure by Retry", async () => {
    let broken = true;
    const { page } = await scripted(
      {
        "corrosion.members.corrosion": () => {
          if (broken) throw new CorrosionError("agent_unavailable", "nothing listens at 127.0.0.1:8081");
          return TABLES;
        },
      },
      { expected: [/status of 503/] },
    );
    await pressRetry(page.getByRole("button", { name: "Retry" }), () => {
      broken = false;
    });
    await row(page, "__corro_members", "Suspect").waitFor();
    assert.equal(await page.getByRole("alert").count(), 0);
  });

  it("shows a skeleton while it waits, and a text where there is nothing", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { page, picture } = await scripted({
      "corrosion.discovery.get": async () => {
        await promise;
        return { ...DISCOVERY, nodes: [] };
      },
    });
    const card = page.getByRole("region", { name: "DNS nodes" });
    await card.getByRole("status", { name: "Loading" }).waitFor();
    await picture("cluster-loading");
    resolve();
    await card.getByText("DNS names no node of this application.").waitFor();
    await page.getByText("The agent knows no member.").waitFor();
    await picture("cluster-empty");
  });

  it("takes a new member from the event alone, without asking for the list again", async () => {
    const { node, page } = await scripted({ "corrosion.members.get": () => membership([member(1)]) });
    await row(page, "Members", "dev-node1").waitFor();
    const lists = () =>
      page.evaluate(() => performance.getEntriesByName(`${location.origin}/api/cluster/members`).length);
    await listens(page, "cluster_membership");
    const before = await lists();
    await node.broker.broadcastLocal("cluster_membership", membership([member(1), member(7)]));
    await row(page, "Members", "dev-node7").waitFor();
    await page.locator('svg [data-node="dev-node7"]').waitFor();
    assert.equal(await lists(), before);
  });

  it("draws only the rows in sight of a cluster of 1,000 nodes, and reaches the last one", async () => {
    const members = Array.from({ length: 1000 }, (_, i) => member(i + 1, { node_id: `dev-node${i + 1}` }));
    const { page } = await scripted({ "corrosion.members.get": () => membership(members) });
    const table = page.getByRole("region", { name: "Members", exact: true }).last();
    await table.getByText("dev-node1", { exact: true }).waitFor();
    assert.ok((await table.getByRole("row").count()) < 60);
    assert.equal(await table.getByText("dev-node1000", { exact: true }).count(), 0);
    await table.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await table.getByText("dev-node1000", { exact: true }).waitFor();
    assert.ok((await table.getByRole("row").count()) < 60);
  });

  it("shows hostile names, addresses and errors as the text that they are", async () => {
    const hostile = `<img src=x onerror="document.title='owned'">"'</td></svg><script>document.title='owned'</script>`;
    const { page } = await scripted({
      "corrosion.members.get": () =>
        membership(
          [member(1), member(2, { id: hostile, node_id: hostile, address: hostile, region: hostile })],
          hostile,
        ),
      "corrosion.discovery.get": () => ({
        ...DISCOVERY,
        nodes: [{ node_id: hostile, region: hostile, machine: hostile }],
      }),
      "corrosion.members.corrosion": () => ({ ...TABLES, tracked_peers: [{ [hostile]: hostile }] }),
    });
    await page.getByRole("alert").getByText(hostile).waitFor();
    await row(page, "Members", hostile).waitFor();
    await row(page, "DNS nodes", hostile).waitFor();
    await page.getByRole("columnheader", { name: hostile }).waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Cluster · Fleetport");
  });
});

const TABLES = {
  members: [
    {
      id: member(2).id,
      node_id: "dev-node2",
      address: "127.0.0.1:8788",
      state: "Suspect",
      incarnation: 3,
      rtt_min: 1,
      updated_at: "2026-01-02T03:04:05Z",
      raw: null,
    },
    {
      id: member(3).id,
      node_id: null,
      address: "127.0.0.1:8789",
      state: null,
      incarnation: null,
      rtt_min: null,
      updated_at: null,
      raw: "{broken",
    },
  ],
  tracked_peers: [{ site_id: "0a0b", address: "10.0.0.9:8787", version: 12 }],
  actor_id: member(1).id,
};

const MATRIX: Disagreements = {
  observers: [
    { node_id: "dev-node1", actor_id: member(1).id, at: now(), answered: true, reason: null },
    { node_id: "dev-node2", actor_id: member(2).id, at: now(), answered: true, reason: null },
    {
      node_id: "dev-node4",
      actor_id: null,
      at: null,
      answered: false,
      reason: "it is not connected to the bus",
    },
  ],
  subjects: [
    { id: member(1).id, node_id: "dev-node1", states: ["self", "Alive", "no answer"], disagreement: false },
    { id: member(2).id, node_id: "dev-node2", states: ["Alive", "self", "no answer"], disagreement: false },
    { id: member(3).id, node_id: "dev-node3", states: ["Down", "Alive", "no answer"], disagreement: true },
  ],
  disagreement: true,
};
