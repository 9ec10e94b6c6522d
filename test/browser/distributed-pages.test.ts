/** @module Every page of the dashboard on a distributed cluster whose nodes have agents: what one process told another. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import type { MembersAnswer } from "../../public/data/sourced.ts";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { Cluster } from "../helpers/cluster.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible } from "./accessibility.ts";
import { figure, lineCount } from "./analytics-parts.ts";
import type { Visited } from "./browser.ts";
import { isLive, log, makeSession, placeOf, write } from "./conversations.ts";
import { openPages } from "./open-pages.ts";

const IDS = ["dev-node1", "dev-node2", "dev-node3"];
/** While groups go from node to node, their node may say that it is not ready. */
const MOVING = /status of 503 .*\/health\/ready/;
const START_LIMIT_MS = 60_000;
const RUN_LIMIT_MS = 60_000;

const row = (page: Page, region: string, text: string) =>
  page.getByRole("region", { name: region, exact: true }).locator("tbody tr").filter({ hasText: text });
const shows = (page: Page, node: string, kind: string) =>
  until(
    `${node} is ${kind}`,
    async () =>
      ((await page.locator(`svg [data-node="${node}"]`).getAttribute("data-kinds")) ?? "")
        .split(" ")
        .includes(kind),
    RUN_LIMIT_MS,
  );
const toast = (page: Page, text: string | RegExp) => page.locator("[data-toast=good]").getByText(text);
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();

describe("The pages of a distributed cluster whose nodes have agents", function () {
  this.timeout(120_000);
  const pages = openPages();
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({ agents: true });
    await until(
      "all agents know each other by name",
      async () => {
        const answers = await Promise.all(IDS.map((id) => ask(cluster.node(id), "GET /api/cluster/members")));
        return answers.every(({ text }) => {
          const { data }: MembersAnswer = JSON.parse(text);
          const joined = data.members.filter(
            ({ node_id, status }) => node_id !== null && status === "active",
          );
          return joined.length === IDS.length;
        });
      },
      START_LIMIT_MS,
    );
  });
  after(() => cluster?.stop());

  const at = (id: string, path: string, expected: readonly RegExp[] = []): Promise<Visited> =>
    pages.of({ url: cluster.node(id).url, path, expected });

  async function leaders(): Promise<FleetStatus["leaders"]> {
    const { text } = await ask(cluster.node("dev-node2"), "GET /api/fleet/status");
    return (JSON.parse(text) as FleetStatus).leaders;
  }

  it("Overview: three nodes, their engines and three agents, of each node", async () => {
    for (const id of IDS) {
      const { page, picture } = await at(id, "/overview");
      const local = row(page, "Nodes of both halves", "Local");
      await local.getByText(id, { exact: true }).waitFor();
      for (const figure of ["Nodes", "Agents"])
        await page.locator(`[data-figure="${figure}"]`).getByText("3 / 3", { exact: true }).waitFor();
      if (id === IDS[0]) await picture("distributed-overview");
    }
  });

  it("Groups: what leads what, and another node is drained and comes back", async () => {
    const { page, picture } = await at("dev-node1", "/groups", [MOVING]);
    await page.getByRole("gridcell", { name: /^g003/ }).hover();
    const log = page.locator('[data-group-detail] [data-log="log is well"]');
    await log.getByText(/^3 of 3 copies, led by /).waitFor();
    await picture("distributed-groups-log");
    await page.getByRole("button", { name: "Drain dev-node3" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain dev-node3" }).click();
    await until("it leads nothing", async () => {
      const now = await leaders();
      return !now.includes("dev-node3") && !now.includes(null);
    });
    await page.getByRole("button", { name: "Undrain dev-node3" }).waitFor();
    await picture("distributed-groups-drained");
    await page.getByRole("button", { name: "Undrain dev-node3" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Undrain dev-node3" }).click();
    await page.getByRole("button", { name: "Drain dev-node3" }).waitFor();
    await until("it leads again", async () => (await leaders()).includes("dev-node3"));
  });

  it("Conversations: what is written on one node's page comes to another's", async () => {
    const made = await makeSession(cluster.node("dev-node2").url, 0, { user: "ada" });
    const first = await at("dev-node1", placeOf(made));
    const third = await at("dev-node3", placeOf(made));
    for (const { page } of [first, third]) await isLive(page);
    await write(first.page, "over the bus");
    await log(third.page).getByText("over the bus").waitFor();
    await third.picture("distributed-conversation");
  });

  it("Cluster: each node's members, and what all think of all", async () => {
    for (const id of ["dev-node1", "dev-node3"]) {
      const { page, picture } = await at(id, "/cluster");
      for (const other of IDS) await shows(page, other, other === id ? "own" : "active");
      for (const other of IDS) await row(page, "Who thinks what of whom", other).first().waitFor();
      await page.getByText("All nodes whose views are under 90 s old think the same.").waitFor();
      if (id === "dev-node1") await picture("distributed-cluster");
    }
  });

  it("Propagation: a message of one node turns the others green on its page and on theirs", async () => {
    const first = await at("dev-node1", "/");
    for (const node of ["dev-node2", "dev-node3"])
      await row(first.page, "Acknowledgements by node", node).getByText("ready", { exact: true }).waitFor();
    await press(first.page, "Send Message");
    await toast(first.page, /Sent dev-node1_\d+\./).waitFor();
    for (const node of ["dev-node2", "dev-node3"])
      await row(first.page, "Acknowledgements by node", node).getByText("acked", { exact: true }).waitFor();
    await first.page.getByText("complete", { exact: true }).first().waitFor();
    await assertAccessible(first.page);
    await first.picture("distributed-propagation");
  });

  it("Messages: one that is sent on one node's page comes to another's, received by each once", async () => {
    const third = await at("dev-node3", "/messages");
    const first = await at("dev-node1", "/messages");
    await first.page.getByRole("textbox", { name: "Content" }).fill("between processes");
    await press(first.page, "Send Message");
    await toast(first.page, /Sent dev-node1_\d+\./).waitFor();
    const rows = third.page.getByRole("region", { name: "Messages", exact: true }).last().locator("tbody tr");
    await rows.filter({ hasText: "between processes" }).waitFor();
    for (const node of IDS) await row(third.page, "Receptions by node and message", node).waitFor();
    await third.picture("distributed-messages");
  });

  it("Node: the page of one restarts its agent, and another's page hears of it", async () => {
    const second = await at("dev-node2", "/node");
    await press(second.page, "Restart agent");
    await second.page.locator("[data-restart=ready]").waitFor({ timeout: RUN_LIMIT_MS });
    await second.picture("distributed-node");
    const first = await at("dev-node1", "/cluster");
    await shows(first.page, "dev-node2", "active");
  });

  it("Query Console: a row that one node's console writes is read on another's", async () => {
    const first = await at("dev-node1", "/query-console");
    const editor = (page: Page) => page.getByRole("textbox", { name: "SQL" });
    await editor(first.page).fill("SELECT count(*) AS n FROM node_messages WHERE node_id = 'dev-node1'");
    await press(first.page, "Run");
    await first.page.locator("[data-run=done]").waitFor();
    await first.picture("distributed-query-console");
    const third = await at("dev-node3", "/query-console");
    await until("its messages are there", async () => {
      await editor(third.page).fill(
        "SELECT message FROM node_messages WHERE message LIKE 'between processes%'",
      );
      await press(third.page, "Run");
      await third.page.locator("[data-run=done]").waitFor();
      const result = third.page.getByRole("region", { name: "Result", exact: true }).last();
      return (await result.getByText("between processes").count()) === 1;
    });
  });

  it("Analytics: a run that one node owns is drawn on another's page, and exported there", async () => {
    const first = await at("dev-node1", "/analytics");
    await first.page.getByLabel("Experiment id").fill("far");
    await first.page.getByLabel("Messages").fill("10");
    await first.page.getByLabel("Interval, ms").fill("50");
    await press(first.page, "Start Experiment");
    await toast(first.page, "Experiment far has begun.").waitFor();
    const third = await at("dev-node3", "/analytics?experiment_id=far");
    for (const { page } of [first, third]) {
      await page
        .getByRole("region", { name: "Experiment far" })
        .getByText("completed", { exact: true })
        .waitFor({ timeout: RUN_LIMIT_MS });
      await until(
        "all is acknowledged",
        async () => (await figure(page, "Ack rate")) === "100 %",
        RUN_LIMIT_MS,
      );
      await until("both nodes have a line", async () => (await lineCount(page, "Latency over time")) === 2);
    }
    await third.picture("distributed-analytics");
    const [download] = await Promise.all([
      third.page.waitForEvent("download"),
      third.page.getByRole("link", { name: "Experiment far as JSON" }).click(),
    ]);
    const file = JSON.parse(readFileSync(await download.path(), "utf8"));
    assert.deepEqual(
      [file.metadata.node_id, file.metadata.nodes_reporting, file.experiment.ack_count],
      ["dev-node3", IDS, 20],
    );
  });
});
