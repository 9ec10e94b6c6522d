/** @module Overview: both halves of a real node, what needs somebody, and the experiment that was run last. */
import assert from "node:assert/strict";
import type { MembersAnswer } from "../../public/data/sourced.ts";
import type { ListEntry } from "../../services/analytics/bodies.ts";
import type { NodeFacts } from "../../services/corrosion/contract.ts";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { ask } from "../helpers/console.ts";
import { UNREACHABLE } from "../helpers/database.ts";
import { startFleet } from "../helpers/fleet.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visited } from "./browser.ts";
import { allJoined, type DashboardVisit, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";

const AGENT_LIMIT_MS = 40_000;
const LIST = "**/api/analytics/experiments/list";
const experiments = (json: object) => (page: Visited["page"]) =>
  page.route(LIST, (route) => route.fulfill({ json }));
const none = experiments({ status: "success", experiments: [], count: 0 });

describe("Overview", function () {
  this.timeout(120_000);
  const pages = openPages();
  const at = (options?: DashboardVisit) => pages.at("/overview", { prepare: none, ...options });

  it("shows the nodes, groups, engines, archive, bus and agents of a cluster that is well, each with its page", async () => {
    const { page } = await at();
    const figure = (title: string) => page.locator(`[data-figure="${title}"]`);
    await page.getByText("and nothing needs attention").waitFor();
    for (const [title, value, path] of [
      ["Nodes", "3 / 3", "/groups"],
      ["Groups with a leader", "256 / 256", "/groups"],
      ["Log engine", "connected", "/groups"],
      ["Archive lag", "0", "/groups"],
      ["Bus", "connected", "/node"],
      ["Agents", "3 / 3", "/cluster"],
    ] as const) {
      await figure(title).getByText(value, { exact: true }).waitFor();
      assert.equal(await figure(title).getByRole("link").getAttribute("href"), path);
      assert.equal(await figure(title).getAttribute("data-tone"), "plain", title);
    }
    const rows = page.getByRole("region", { name: "Nodes of both halves" }).locator("tbody tr");
    for (const node of ["dev-node1", "dev-node2", "dev-node3"]) {
      const row = rows.filter({ hasText: node });
      await row.getByText("available").waitFor();
      await row.getByText("active").waitFor();
    }
    await page.getByRole("region", { name: "Agents", exact: true }).getByText("running").waitFor();
    await figure("Groups with a leader").click();
    await page.getByRole("grid").waitFor();
  });

  it("colours what needs somebody, and says in words what it is", async () => {
    const { page, picture } = await at({
      prepare: async (page) => {
        await none(page);
        await page.route("**/api/fleet/status", async (route) => {
          const fleet: FleetStatus = await (await route.fetch()).json();
          await route.fulfill({
            json: {
              ...fleet,
              leaders: fleet.leaders.with(7, null),
              behind: fleet.behind.with(3, 12_345),
              engine: { ...fleet.engine, connected: false },
              nodes: fleet.nodes.map((node) => ({ ...node, available: node.id !== "dev-node3" })),
            },
          });
        });
        await page.route("**/api/cluster/members", async (route) => {
          const answer: MembersAnswer = await (await route.fetch()).json();
          const members = answer.data.members.map((member) =>
            member.node_id === "dev-node3" ? { ...member, state: "Down" } : member,
          );
          await route.fulfill({ json: { ...answer, data: { ...answer.data, members } } });
        });
        await page.route("**/api/node", async (route) => {
          const facts: NodeFacts = await (await route.fetch()).json();
          await route.fulfill({ json: { ...facts, bus_connected: false } });
        });
      },
    });
    for (const [title, value, words] of [
      ["Nodes", "2 / 3", "not all answer"],
      ["Groups with a leader", "255 / 256", "the others take no messages"],
      ["Log engine", "lost", "sqlite"],
      ["Bus", "lost", "in-process"],
      ["Agents", "2 / 3", "some are down"],
    ] as const) {
      const figure = page.locator(`[data-figure="${title}"][data-tone=bad]`);
      await figure.getByText(value, { exact: true }).waitFor();
      await figure.getByText(words).waitFor();
    }
    await page.locator('[data-figure="Archive lag"]').getByText("12,345", { exact: true }).waitFor();
    const row = page
      .getByRole("region", { name: "Nodes of both halves" })
      .locator("tbody tr")
      .filter({ hasText: "dev-node3" });
    await row.getByText("not answering").waitFor();
    await row.getByText("Down").waitFor();
    for (const text of [
      "The log engine cannot be reached.",
      "This node cannot reach the others over the bus.",
      "Agents that are down: dev-node3.",
    ])
      await page.getByRole("alert").getByText(text).waitFor();
    await assertAccessible(page);
    await picture("overview-trouble");
  });

  it("shows the fleet alone where nodes run without Corrosion, and other pages say why they are empty", async () => {
    const fleet = await startFleet();
    try {
      const { url } = fleet.nodes[0]!;
      const { page, picture } = await pages.of({ url, path: "/overview", expected: [/status of 503/] });
      await page.locator("[data-figure=Agents]").getByText("off", { exact: true }).waitFor();
      await page.getByText("and nothing needs attention").waitFor();
      assert.equal(await page.getByRole("button", { name: "Retry" }).count(), 0);
      await picture("overview-without-corrosion");
      await page.getByRole("link", { name: "Cluster" }).first().click();
      await page.getByText("runs without Corrosion (CORROSION_MODE=off)").first().waitFor();
    } finally {
      // Before the node: a page that is left alone says so in its console.
      await pages.close();
      await fleet.stop();
    }
  });

  it("does not call well what it only remembers while this node's agent is stopped", async () => {
    const { url } = await dashboard();
    const agent = { url: url(2) };
    await ask(agent, "POST /api/agent/stop");
    try {
      const { page, picture } = await at({ node: 2, expected: [/status of 503/] });
      await page.getByText("This node's Corrosion agent is stopped").waitFor();
      const figure = page.locator("[data-figure=Agents][data-tone=warn]");
      await figure.getByText("? / 3", { exact: true }).waitFor();
      await figure.getByText("the agent does not tell them now").waitFor();
      await picture("overview-agent-stopped");
      await ask(agent, "POST /api/agent/start");
      await page.getByText("and nothing needs attention").waitFor({ timeout: AGENT_LIMIT_MS });
      await page.locator("[data-figure=Agents]").getByText("3 / 3", { exact: true }).waitFor();
    } finally {
      await ask(agent, "POST /api/agent/start");
      await until("every node sees all agents again", () => allJoined(url), AGENT_LIMIT_MS);
    }
  });

  it("says that the archive cannot be used, and what that means", async () => {
    const fleet = await startFleet({ databaseUrl: UNREACHABLE });
    try {
      const { url } = fleet.nodes[0]!;
      const { page, picture } = await pages.of({ url, path: "/overview", expected: [/status of 503/] });
      await page.getByRole("alert").getByText("The archive cannot be used by").waitFor();
      await page.locator('[data-figure="Archive lag"][data-tone=bad]').getByText("cannot be used").waitFor();
      await page.getByRole("region", { name: "Engines" }).getByText("not connected").waitFor();
      await picture("overview-without-archive");
    } finally {
      await pages.close();
      await fleet.stop();
    }
  });

  for (const [title, more, state, told, value] of [
    ["has none", { has_agent: false }, "off", "This node runs no Corrosion agent.", /^off$/],
    [
      "could not be asked",
      { problems: ["corrosion.agent.status: late"] },
      "unknown",
      "This node could not ask its agent's actor.",
      /^\d \/ 3$/,
    ],
  ] as const) {
    it(`tells a node whose agent ${title} from others`, async () => {
      const { page } = await at({
        prepare: async (page) => {
          await none(page);
          await page.route("**/api/node", async (route) => {
            const facts: NodeFacts = await (await route.fetch()).json();
            await route.fulfill({ json: { ...facts, agent: null, ...more } });
          });
        },
      });
      await page.getByRole("banner").getByTitle(told).getByText(state, { exact: true }).waitFor();
      await page.locator("[data-figure=Agents]").getByText(value).waitFor();
      const asked = page.getByText("This node could not ask how its Corrosion agent is.");
      if (state === "unknown") await asked.waitFor();
      else assert.equal(await asked.count(), 0);
    });
  }

  it("says that it waits for the node, and that it does not know where the node does not say", async () => {
    const { page, picture } = await at({
      expected: [/ERR_FAILED/],
      prepare: (page) =>
        page.route(/\/api\/(fleet\/status|cluster\/members|analytics)/, (route) => route.abort()),
    });
    await page.getByText("How the fleet is cannot be said").waitFor();
    for (const title of ["Nodes", "Groups with a leader", "Log engine", "Archive lag", "Agents"])
      await page.locator(`[data-figure="${title}"]`).getByText("not known").waitFor();
    await picture("overview-error");
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
      await page.getByText("and nothing needs attention").waitFor();
      await page.getByText("3 active").waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("overview");
    });
  }
});
