/** @module The dashboard of a distributed cluster: three processes on three NATS servers and Postgres, one of them killed. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Page } from "playwright-core";
import type { Session } from "../../services/conversations/contract.ts";
import { Cluster } from "../helpers/cluster.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { type Visited, visit } from "./browser.ts";
import { AGENT_ID, isLive, log, makeSession, placeOf, write } from "./conversations.ts";

const IDS = ["n1", "n2", "n3"];
const VICTIM = "n1";
/** The nodes run no agents, which this is not about: what pages ask them for has no answer. */
const WITHOUT_AGENT = /status of 503 .*\/api\/(cluster|analytics)\//;
/** Of a page whose node is gone: what it asks for comes to nothing, until the node is back. */
const OF_A_LOST_NODE = [/WebSocket/, /net::ERR_/, /status of 503/];
const RECOVERY_MS = 30_000;

describe("The dashboard of a distributed cluster", function () {
  this.timeout(120_000);
  let cluster: Cluster;
  const opened: Visited[] = [];

  before(async () => {
    cluster = await Cluster.start();
  });
  after(() => cluster?.stop());

  async function at(id: string, path: string, expected: readonly RegExp[] = []): Promise<Visited> {
    const { url } = cluster.node(id);
    const visited = await visit({ url, path, expected: [WITHOUT_AGENT, ...expected] });
    opened.push(visited);
    return visited;
  }
  async function closeAll(): Promise<void> {
    for (const visited of opened.splice(0)) await visited.close();
  }

  const session = (user: string) => makeSession(cluster.node("n2").url, 0, { user });

  /** Again until it is stored, as a client does: a key makes that safe. */
  async function says({ id }: Session, text: string, node = "n2"): Promise<void> {
    const body = { agent_id: AGENT_ID, content: { text }, idempotency_key: text };
    await until(
      `"${text}" is stored`,
      async () => {
        const { status } = await ask(cluster.node(node), `POST /api/sessions/${id}/messages`, body);
        assert.ok([200, 503, 504].includes(status), `status ${status}`);
        return status === 200;
      },
      RECOVERY_MS,
    );
  }

  /** What the page shows of the conversation: each message's number and words. */
  const shown = (page: Page) =>
    log(page)
      .locator("article[data-seq]")
      .evaluateAll((rows) =>
        rows.map((row) => `${row.getAttribute("data-seq")} ${row.querySelector("p")?.textContent}`),
      );
  const numbered = (texts: readonly string[]) => texts.map((text, i) => `${i + 1} ${text}`);

  describe("that is well", () => {
    afterEach(closeAll);

    it("says on each node that node's name, and shows the same fleet", async () => {
      const led: string[] = [];
      for (const id of IDS) {
        const { page } = await at(id, "/groups");
        await page.locator("[data-node-id]").getByText(id, { exact: true }).waitFor();
        await page.getByText("distributed", { exact: true }).waitFor();
        const nodes = page.getByRole("region", { name: "Nodes of the fleet" });
        assert.deepEqual(
          await nodes.locator("tbody tr").filter({ hasText: "Local" }).getByRole("link").allTextContents(),
          [id],
        );
        const cells = page.getByRole("grid", { name: "Map of the groups" }).getByRole("gridcell");
        led.push(
          JSON.stringify(
            await cells.evaluateAll((all) => all.map((cell) => cell.getAttribute("aria-label"))),
          ),
        );
        const engines = page.getByRole("region", { name: "Engines" });
        for (const name of ["jetstream", "nats"]) await engines.getByText(name, { exact: true }).waitFor();
        await page.goto("/overview");
        const both = page.getByRole("region", { name: "Nodes of both halves" });
        await both.locator("tbody tr").filter({ hasText: "Local" }).getByText(id, { exact: true }).waitFor();
        await page.locator('[data-figure="Nodes"]').getByText("3 / 3", { exact: true }).waitFor();
      }
      assert.equal(new Set(led).size, 1, "all nodes say the same leaders");
    });

    it("shows in a window of one node what is written in a window of another", async () => {
      const made = await session("ada");
      const first = await at("n1", placeOf(made));
      const third = await at("n3", placeOf(made));
      for (const { page } of [first, third]) await isLive(page);
      await write(first.page, "from one");
      await log(third.page).getByText("from one").waitFor();
      await write(third.page, "from three");
      await log(first.page).getByText("from three").waitFor();
      const both = numbered(["from one", "from three"]);
      for (const { page } of [first, third])
        await until("both are stored", async () => isDeepStrictEqual(await shown(page), both));
    });
  });

  describe("whose node is killed under an open conversation", () => {
    const texts = ["before 1", "before 2"];
    let made: Session;
    let conversation: Visited;
    let elsewhere: Visited;
    let groups: Visited;
    let overview: Visited;

    before(async () => {
      made = await session("grace");
      for (const text of texts) await says(made, text);
      conversation = await at(VICTIM, placeOf(made), OF_A_LOST_NODE);
      // Writes may find no leader for a moment.
      elsewhere = await at("n3", placeOf(made), [/status of 50[34]/]);
      // A node is not ready while a group that it holds has no leader.
      const notReady = [/status of 503 .*\/health\/ready/];
      groups = await at("n2", "/groups", notReady);
      overview = await at("n3", "/overview", notReady);
      for (const { page } of [conversation, elsewhere]) await isLive(page);
      await groups.page.getByRole("grid").waitFor();
      await overview.page.getByText("and nothing needs attention").waitFor();
      await cluster.node(VICTIM).program.end("SIGKILL");
    });
    after(closeAll);

    it("tells the person that the conversation is interrupted, and keeps what was said and is being sent", async () => {
      const { page, picture } = conversation;
      await page.getByText("The socket is interrupted").waitFor();
      await page.locator("[data-banner=disconnected]").waitFor();
      await page.locator("[data-lamp=socket]").getByText("reconnecting", { exact: true }).waitFor();
      await write(page, "written meanwhile");
      await page.locator("[data-outgoing]").getByText("written meanwhile").waitFor();
      assert.deepEqual(await shown(page), numbered(texts));
      await picture("distributed-conversation-lost");
    });

    it("shows on another node's Groups page who is lost, and who leads in its place", async () => {
      const { page, picture } = groups;
      const nodes = page.getByRole("region", { name: "Nodes of the fleet" });
      await nodes.locator("tbody tr").filter({ hasText: VICTIM }).getByText("not answering").waitFor();
      const lost = page.locator(`[role=gridcell][aria-label$="${VICTIM}"], [aria-label$="no leader"]`);
      await until("every group has a leader that lives", async () => (await lost.count()) === 0, RECOVERY_MS);
      assert.equal(await page.getByRole("gridcell").count(), cluster.groups);
      const changes = page.getByRole("region", { name: "Changes of leaders" }).locator("tbody tr");
      await changes.locator("td:nth-child(3)").filter({ hasText: /n2|n3/ }).first().waitFor();
      await page.getByText(`Not answering: ${VICTIM}.`).waitFor();
      await picture("distributed-groups-lost");
    });

    it("shows on another node's Overview who is lost", async () => {
      const { page, picture } = overview;
      await page.getByText(`Not answering: ${VICTIM}.`).waitFor();
      const figure = (title: string) => page.locator(`[data-figure="${title}"]`);
      await figure("Nodes").getByText("2 / 3", { exact: true }).waitFor();
      await figure("Nodes").getByText("not all answer").waitFor();
      await figure("Groups with a leader")
        .getByText(`${cluster.groups} / ${cluster.groups}`, { exact: true })
        .waitFor();
      await picture("distributed-overview-lost");
    });

    it("goes on with the conversation at another node's page, whether that was open or is opened now", async () => {
      for (const text of ["after 1", "after 2"]) {
        await says(made, text);
        texts.push(text);
      }
      const fresh = await at("n2", placeOf(made));
      for (const { page } of [elsewhere, fresh]) {
        await log(page).getByText("after 2").waitFor();
        await isLive(page);
        assert.deepEqual(await shown(page), numbered(texts));
      }
      await write(fresh.page, "after 3");
      texts.push("after 3");
      await log(elsewhere.page).getByText("after 3").waitFor();
    });

    it("goes on by itself when the node is back: nothing is missing, doubled or out of order", async () => {
      const { page, picture } = conversation;
      assert.deepEqual(await shown(page), numbered(texts.slice(0, 2)), "nothing could reach it so far");
      await cluster.startNode(VICTIM);
      await isLive(page, RECOVERY_MS);
      await log(page).getByText("after 3").waitFor();
      // After so long the person decides; the key is that of the first attempt.
      const again = page.locator("[data-outgoing=failed]").getByRole("button", { name: "Retry" });
      const stored = log(page).locator("article[data-seq]").filter({ hasText: "written meanwhile" });
      await until(
        "what was written meanwhile is stored",
        async () => {
          if (await again.isVisible()) await again.click();
          return (await stored.count()) === 1;
        },
        RECOVERY_MS,
      );
      texts.push("written meanwhile");
      await says(made, "after all", VICTIM);
      texts.push("after all");
      for (const one of [page, elsewhere.page]) {
        await log(one).getByText("after all").waitFor();
        assert.deepEqual(await shown(one), numbered(texts));
      }
      assert.equal(await page.locator("[data-outgoing]").count(), 0);
      await page.getByText("The socket is interrupted").waitFor({ state: "detached" });
      await page.locator("[data-banner=disconnected]").waitFor({ state: "detached" });
      await picture("distributed-conversation-back");
      const nodes = groups.page.getByRole("region", { name: "Nodes of the fleet" });
      await nodes.locator("tbody tr").filter({ hasText: VICTIM }).getByText("available").waitFor();
      await overview.page.locator('[data-figure="Nodes"]').getByText("3 / 3", { exact: true }).waitFor();
    });
  });
});
