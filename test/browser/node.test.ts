/** @module The Node page: against real agents, and in the states that a test scripts. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Context } from "moleculer";
import type { Route } from "playwright-core";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { AgentStatus, ClusterUpdate, ConfigJob } from "../../services/corrosion/contract.ts";
import { type Actions, AGENT, ask, CONFIGURATION, JOB, UPDATE } from "../helpers/console.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visit, Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { listens } from "./listens.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";
import { FACTS } from "./scripted-node.ts";

type Page = Visited["page"];

const HOSTILE = `<img src=x onerror="document.title='owned'"></td><script>document.title='owned'</script>`;
const RESTART_LIMIT_MS = 40_000;

const fleetNode = (id: string, available = true) => ({
  id,
  available,
  draining: false,
  leads: 0,
  follows: 0,
  url: null,
  archive_problem: null,
});

/** Three nodes, of which the third is away. */
const FLEET = {
  mode: "embedded",
  engine: { kind: "sqlite", connected: true, detail: "", warnings: [] },
  groups: 0,
  node_id: "dev-node1",
  nodes: [fleetNode("dev-node1"), fleetNode("dev-node2"), fleetNode("dev-node3", false)],
  leaders: [],
  applied: [],
  archived: [],
  followers: [],
  problems: [],
  resident_sessions: 0,
  generated_at: "2026-01-02T03:04:05.000Z",
};

const ROW = {
  node_id: "dev-node1",
  corrosion_actor_id: "00000000-0000-0000-0000-000000000001",
  bootstrap_hosts: '["127.0.0.1:8788"]',
  updated_at: "2026-01-02T03:04:05.000001Z",
  updated_by: "dev-node2",
};

const PHASES = ["Stopping", "Starting", "Checking", "Settling"];

/** Grows by each text that an element shows, in its order: also by those that are gone when a test looks. */
async function textsOf(page: Page, selector: string): Promise<readonly string[]> {
  const seen: string[] = [];
  const name = `told${randomUUID().replaceAll("-", "")}`;
  await page.exposeFunction(name, (text: string) => void seen.push(text));
  await page.evaluate(
    ([selector, name]) => {
      const told = (globalThis as unknown as Record<string, (text: string) => void>)[name!]!;
      let last: string | null = null;
      new MutationObserver(() => {
        const text = document.querySelector(selector!)?.textContent ?? null;
        if (text !== null && text !== last) told(text);
        last = text;
      }).observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true });
    },
    [selector, name],
  );
  return seen;
}

const CURRENT_PHASE = "[data-restart] [data-step=current]";

/** In their order, none twice. A frame may be longer than the start and the settling are, never than the others. */
function assertPhases(texts: readonly string[]): void {
  const seen = texts.map((text) => text.replace(", current", ""));
  assert.deepEqual(
    seen,
    PHASES.filter((phase) => seen.includes(phase)),
  );
  assert.ok(seen.includes("Stopping") && seen.includes("Checking"), seen.join(" "));
}

describe("The Node page", function () {
  this.timeout(120_000);
  const pages = openPages();

  async function scripted(
    actions: Actions,
    options: Omit<Visit, "url" | "path"> = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<Visited & { readonly node: TestGateway }> {
    const quiet: Actions = {
      "corrosion.config.job": () => null,
      "corrosion.coordinator.status": () => null,
      "corrosion.identity.configs": () => [ROW],
    };
    const prepare = (page: Page) =>
      page.route("**/api/fleet/status", (route) => route.fulfill({ json: FLEET }));
    return pages.scripted("/node", { ...quiet, ...actions }, { prepare, ...options }, env);
  }

  const card = (page: Page, name: string) => page.getByRole("region", { name, exact: true }).first();
  const hosts = (page: Page, name: string) =>
    card(page, name).getByRole("textbox", { name: "Bootstrap hosts" });
  const agree = (page: Page, action: string) =>
    page.getByRole("dialog").getByRole("button", { name: action }).click();
  const good = (page: Page, text: string) => page.locator("[data-toast=good]").getByText(text).waitFor();
  const bad = (page: Page, text: string) => page.locator("[data-toast=bad]").getByText(text).waitFor();
  const restartButton = (page: Page) => page.getByRole("button", { name: "Restart agent" });
  const update = (page: Page) => page.getByRole("button", { name: "Update & Restart Corrosion" });

  describe("of three real nodes", () => {
    let real: Dashboard;
    before(async () => {
      real = await dashboard();
    });

    for (const look of LOOKS) {
      it(`shows process, agent, configuration, database and files, is accessible and fits (${lookText(look)})`, async () => {
        const { page, picture, shifts } = await pages.at("/node", { look });
        await page.locator("[data-agent=running]").waitFor();
        await card(page, "Runtime").getByText("connected", { exact: true }).waitFor();
        await card(page, "Configuration (TOML)").getByText("[gossip]").waitFor();
        await card(page, "Database").getByRole("cell", { name: "node_messages" }).waitFor();
        await card(page, "Files").getByText("analytics.db", { exact: false }).first().waitFor();
        await card(page, "Services").getByText("corrosion.agent").waitFor();
        await card(page, "Cluster bootstrap").getByRole("cell", { name: "dev-node3", exact: true }).waitFor();
        const jumped = await shifts();
        assert.ok(jumped < 0.1, `what is loading is about as high as what comes: ${jumped}`);
        await page.getByRole("button", { name: "Show schema" }).click();
        await page.getByRole("region", { name: "Schema" }).getByText("node_configs").first().waitFor();
        await assertAccessible(page);
        await assertFits(page);
        await picture("node");
      });
    }

    it("tests the local API: not run, then ok with the time it took", async () => {
      const { page } = await pages.at("/node");
      await page.locator("[data-api-test='not run']").getByText("not run").waitFor();
      await page.getByRole("button", { name: "Test Local API" }).click();
      await page
        .locator("[data-api-test=ok]")
        .getByText(/^ok, [\d.]+ ms$/)
        .waitFor();
      await good(page, "The local API answered in");
    });

    it("restarts the agent, with its phases, to another process, and says when it runs again", async () => {
      const { page, picture } = await pages.at("/node", { node: 2, expected: [/status of 503/] });
      const pid = () => card(page, "Agent").locator("dd").first().textContent();
      await page.locator("[data-agent=running]").waitFor();
      const before = await pid();
      const phases = await textsOf(page, CURRENT_PHASE);
      await restartButton(page).click();
      await page.locator("[data-restart=running]").waitFor();
      await picture("node-restarting");
      await page.locator("[data-restart=ready]").waitFor({ timeout: RESTART_LIMIT_MS });
      await good(page, "The agent runs again.");
      await until("it is another process", async () => (await pid()) !== before);
      assert.equal(await page.locator("[data-restart=ready] [data-step=done]").count(), 4);
      assertPhases(phases);
    });

    it("stops the agent only when that is confirmed, and starts it again", async () => {
      const { page, picture } = await pages.at("/node", { node: 3, expected: [/status of 503/] });
      await page.locator("[data-agent=running]").waitFor();
      const stop = page.getByRole("button", { name: "Stop agent" });
      await stop.click();
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      assert.equal(await page.locator("[data-agent=running]").count(), 1);
      try {
        await stop.click();
        await agree(page, "Stop agent");
        await good(page, "The agent stops.");
        await page.locator("[data-agent=stopped]").waitFor({ timeout: RESTART_LIMIT_MS });
        await page.locator("[data-lamp=agent]").getByText("stopped").waitFor();
        await picture("node-stopped");
      } finally {
        await page.getByRole("button", { name: "Start agent", exact: true }).click();
        await page.locator("[data-agent=running]").waitFor({ timeout: RESTART_LIMIT_MS });
      }
    });

    it("shows an agent that is killed: at its own lamp, on another node's Cluster page, and how a restart brings it back", async function () {
      this.timeout(240_000);
      const status = async (): Promise<AgentStatus> =>
        JSON.parse((await ask({ url: real.url(3) }, "GET /api/agent")).text);
      const expected = [/status of 503/];
      try {
        const { page, picture, shifts } = await pages.at("/node", { node: 3, expected });
        const other = await pages.at("/cluster", { node: 1, expected });
        const member = other.page
          .getByRole("region", { name: "Members", exact: true })
          .getByRole("row")
          .filter({ hasText: "dev-node3" });
        await page.locator("[data-lamp=agent]").getByText("running").waitFor();
        await member.getByText("active", { exact: true }).waitFor();
        const calm = await shifts();

        const lamps = await textsOf(page, "[data-lamp=agent]");
        const conditions = await textsOf(page, "[data-condition]");
        const { pid } = await status();
        process.kill(pid!, "SIGKILL");
        await until("the lamp tells", () => lamps.some((text) => text.includes("starting")));
        await picture("node-killed");
        // It comes back by itself, until that happens too often.
        await until(
          "it is given up",
          async () => {
            const { pid: next, state } = await status();
            if (next !== null) process.kill(next, "SIGKILL");
            return state === "crashed";
          },
          90_000,
        );
        await page.locator("[data-lamp=agent]").getByText("crashed").waitFor();
        assert.ok(
          conditions.some((text) => /ended by SIGKILL.* It is started again \d+ s later\./.test(text)),
        );
        await page.locator("[data-condition=bad]").getByText("not started again by itself").waitFor();
        assert.ok((await shifts()) - calm < 0.01, "nothing jumps while an agent goes down");
        await member.getByText("Down", { exact: true }).waitFor({ timeout: RESTART_LIMIT_MS });
        await other.picture("cluster-agent-down");
        for (const at of LOOKS) {
          const { page, picture } = await pages.at("/node", { node: 3, look: at, expected });
          await page.locator("[data-agent=crashed]").waitFor();
          await card(page, "Database").getByRole("alert").waitFor();
          await assertAccessible(page);
          await assertFits(page);
          await picture("node-crashed");
        }

        const phases = await textsOf(page, CURRENT_PHASE);
        await restartButton(page).click();
        await page.locator("[data-restart=ready]").waitFor({ timeout: RESTART_LIMIT_MS });
        assertPhases(phases);
        await page.locator("[data-lamp=agent]").getByText("running").waitFor();
        await page.locator("[data-condition=good]").getByText("It runs and answers.").waitFor();
        await card(page, "Database").getByRole("cell", { name: "node_messages" }).waitFor();
        await member.getByText("active", { exact: true }).waitFor({ timeout: RESTART_LIMIT_MS });
        assert.equal(await member.getByText("Down", { exact: true }).count(), 0);
      } finally {
        if ((await status()).state !== "running") await ask({ url: real.url(3) }, "POST /api/agent/start");
        await until("its agent runs", async () => (await status()).state === "running", RESTART_LIMIT_MS);
      }
    });

    it("updates the hosts of all nodes, one after the other, with their progress, and another node's page shows it too", async function () {
      this.timeout(240_000);
      const expected = [/status of 503/];
      const other = await pages.at("/node", { node: 2, expected, look: LOOKS[3]! });
      try {
        const { page, picture } = await pages.at("/node", { expected });
        await hosts(page, "Cluster bootstrap").fill(await gossipOfAll());
        await page.getByRole("button", { name: "Update All Nodes" }).click();
        await page.getByRole("dialog").getByText("Update 3 nodes?").waitFor();
        await agree(page, "Update all nodes");
        await page.locator("[data-update=running]").getByText("of 3 nodes ready").waitFor();
        await other.page.locator("[data-update=running] [data-node]").first().waitFor();
        await page
          .locator("[data-update=running]")
          .getByText("1 of 3 nodes ready")
          .waitFor({ timeout: 60_000 });
        await picture("node-cluster-updating");
        await other.picture("node-cluster-updating");
        await page
          .locator("[data-update=succeeded]")
          .getByText("3 of 3 nodes ready")
          .waitFor({ timeout: 120_000 });
        await good(page, "The cluster update succeeded on 3 nodes.");
        await other.page.locator("[data-update=succeeded]").waitFor();
        await picture("node-cluster-updated");
      } finally {
        for (const node of [1, 2, 3]) {
          await ask({ url: real.url(node) }, "POST /api/config/restore-canonical");
          await until("the configuration is what it was", () => jobIsReady(node), RESTART_LIMIT_MS);
        }
      }
    });

    async function gossipOfAll(): Promise<string> {
      const addresses: string[] = [];
      for (const node of [1, 2, 3]) {
        const status: AgentStatus = JSON.parse((await ask({ url: real.url(node) }, "GET /api/agent")).text);
        addresses.push(status.gossip_addr!);
      }
      return addresses.join(", ");
    }

    async function jobIsReady(node: number): Promise<boolean> {
      const job: ConfigJob = JSON.parse((await ask({ url: real.url(node) }, "GET /api/config/job")).text);
      return job.kind === "restore_canonical" && job.state === "ready";
    }

    it("updates the hosts and restarts, shows the new ones, and rolls back to what was before", async () => {
      const { page, picture } = await pages.at("/node", { node: 2, expected: [/status of 503/] });
      const shown = () =>
        card(page, "Local bootstrap").getByRole("list", { name: "Current hosts" }).textContent();
      await until("the hosts are there", async () => (await shown()) !== null);
      const before = await shown();
      await hosts(page, "Local bootstrap").fill("127.0.0.1:1");
      await update(page).click();
      await agree(page, "Update and restart");
      await page
        .locator("[data-toast=good]")
        .getByText("Update of the bootstrap hosts: The agent runs on the new configuration.")
        .waitFor({ timeout: RESTART_LIMIT_MS });
      await until("the new host is shown", async () => (await shown()) === "127.0.0.1:1");
      await picture("node-updated");
      await page
        .getByRole("button", { name: /^Rollback to/ })
        .first()
        .click();
      await agree(page, "Roll back");
      await until("the old hosts are back", async () => (await shown()) === before, RESTART_LIMIT_MS);
      await page.locator("[data-job=ready]").waitFor({ timeout: RESTART_LIMIT_MS });
    });
  });

  for (const look of [LOOKS[0]!, LOOKS[3]!]) {
    it(`names each host that is none before anything is asked, until it is mended (${lookText(look)})`, async () => {
      const { page, picture } = await scripted({}, { look });
      await hosts(page, "Local bootstrap").fill("a:1, b, c:0");
      await update(page).click();
      const problems = card(page, "Local bootstrap").locator("[data-host]");
      await page.getByRole("alert").getByText("2 problems with these hosts:").waitFor();
      assert.equal(await problems.count(), 2);
      assert.equal(await page.getByRole("dialog").count(), 0);
      await assertAccessible(page);
      await picture("node-hosts-refused");
      await hosts(page, "Local bootstrap").fill("a:1, b:2, c:0");
      assert.equal(await problems.count(), 1);
      await hosts(page, "Cluster bootstrap").fill("[::1]");
      await page.getByRole("button", { name: "Update All Nodes" }).click();
      await card(page, "Cluster bootstrap").getByRole("alert").getByText("1 problem with").waitFor();
    });
  }

  it("names each host that only the node refuses, and keeps what was written", async () => {
    const { page } = await scripted(
      {
        "corrosion.config.applyBootstrap": () => {
          const fields = { "b:1": '"b:1" is this node itself.' };
          throw new CorrosionError("invalid_request", "one is wrong", { fields });
        },
      },
      { expected: [/status of 400/] },
    );
    await hosts(page, "Local bootstrap").fill("a:1, b:1");
    await update(page).click();
    await agree(page, "Update and restart");
    await bad(page, "The hosts were not updated");
    await card(page, "Local bootstrap").locator("[data-host='b:1']").waitFor();
    assert.equal(await hosts(page, "Local bootstrap").inputValue(), "a:1, b:1");
  });

  it("shows the phases of a job as events bring them, and which one failed", async () => {
    let known: ConfigJob | null = null;
    const { node, page, picture } = await scripted({
      "corrosion.config.applyBootstrap": () => {
        known = JOB;
        return JOB;
      },
      "corrosion.config.job": () => known,
    });
    const tell = (more: Partial<ConfigJob>) => {
      known = { ...JOB, node_id: node.broker.nodeID, ...more };
      return node.broker.broadcastLocal("config_job", known);
    };
    await hosts(page, "Local bootstrap").fill("127.0.0.1:8788");
    await update(page).click();
    await agree(page, "Update and restart");
    await good(page, "The update has begun.");
    await listens(page, "config_job");
    await tell({ state: "writing", message: "Writing the new configuration." });
    await page.locator("[data-job=writing]").waitFor();
    assert.equal(await page.locator("[data-job] [data-step=done]").count(), 2);
    assert.ok(await page.getByRole("button", { name: "Restore Canonical" }).isDisabled());
    await tell({ state: "error", message: "Nothing was changed: the disk is full." });
    await page.locator("[data-job=error] [data-step=failed]").getByText("Writing").waitFor();
    await bad(page, "Update of the bootstrap hosts: Nothing was changed: the disk is full.");
    await picture("node-job-failed");
  });

  it("refuses a second job with the node's sentence", async () => {
    const { page } = await scripted(
      {
        "corrosion.config.restoreCanonical": () => {
          throw new CorrosionError("busy", "Another change of the configuration is under way.");
        },
      },
      { expected: [/status of 409/] },
    );
    await page.getByRole("button", { name: "Restore Canonical" }).click();
    await agree(page, "Restore canonical");
    await bad(page, "Nothing was changed: Another change of the configuration is under way.");
  });

  for (const look of [LOOKS[0]!, LOOKS[3]!]) {
    it(`changes nothing of an agent that others run, and says why (${lookText(look)})`, async () => {
      const reason = "The Corrosion agent of this node is run by somebody else.";
      const { page, picture } = await scripted(
        {
          "corrosion.agent.status": () => ({
            ...AGENT,
            state: "external",
            kind: "external",
            managed: false,
            pid: null,
          }),
          "corrosion.config.get": () => ({ ...CONFIGURATION, editable: false, reason }),
        },
        { look },
      );
      await card(page, "Local bootstrap").getByText(reason).waitFor();
      await page.locator("[data-agent=external]").waitFor();
      for (const name of ["Start agent", "Restart agent", "Stop agent", "Restore Canonical"])
        assert.ok(await page.getByRole("button", { name, exact: true }).isDisabled(), name);
      assert.ok(await update(page).isDisabled());
      assert.ok(await hosts(page, "Local bootstrap").isDisabled());
      assert.ok(await page.getByRole("button", { name: /^Rollback to/ }).isDisabled());
      await assertAccessible(page);
      await picture("node-external");
    });
  }

  it("updates all nodes that are connected, names the one that is not, and shows each node's progress", async () => {
    let asked: unknown = null;
    let known: ClusterUpdate | null = null;
    const { node, page, picture } = await scripted({
      "corrosion.coordinator.status": () => known,
      "corrosion.coordinator.update": (ctx: Context) => {
        asked = ctx.params;
        known = UPDATE;
        return { update_id: UPDATE.update_id };
      },
    });
    await page.getByText("out of reach of an update: dev-node3").waitFor();
    await hosts(page, "Cluster bootstrap").fill("127.0.0.1:8788,127.0.0.1:8789");
    await page.getByRole("button", { name: "Update All Nodes" }).click();
    await page.getByRole("dialog").getByText("left out: dev-node3").waitFor();
    await agree(page, "Update all nodes");
    await good(page, "The cluster update has begun.");
    assert.deepEqual(asked, {
      hosts: ["127.0.0.1:8788", "127.0.0.1:8789"],
      node_ids: ["dev-node1", "dev-node2"],
    });
    const nodes = (first: string, second: string): Partial<ClusterUpdate> => ({
      nodes: [
        { node_id: "dev-node2", status: first, message: "It does not answer.", timestamp: ROW.updated_at },
        { node_id: "dev-node1", status: second, message: null, timestamp: ROW.updated_at },
      ] as ClusterUpdate["nodes"],
    });
    const tell = (more: Partial<ClusterUpdate>) => {
      known = { ...UPDATE, ...more };
      return node.broker.broadcastLocal("cluster_config_coordination", known);
    };
    await listens(page, "cluster_config_coordination");
    await tell(nodes("restarting", "pending"));
    await page.locator("[data-update=running] [data-node=dev-node2]").getByText("restarting").waitFor();
    assert.ok(await page.getByRole("button", { name: "Update Single Node" }).isDisabled());
    await tell({ ...nodes("failed", "skipped"), state: "rolled_back" });
    await page.locator("[data-update=rolled_back]").waitFor();
    await bad(page, "The cluster update ended rolled back: It does not answer.");
    await picture("node-cluster-update");
  });

  it("updates the one node that is selected", async () => {
    let asked: unknown = null;
    const { page } = await scripted({
      "corrosion.coordinator.update": (ctx: Context) => {
        asked = ctx.params;
        return { update_id: "u2" };
      },
    });
    await card(page, "Local bootstrap").getByText("127.0.0.1:8788").first().waitFor();
    await page.getByRole("combobox", { name: "Node" }).selectOption("dev-node2");
    await page.getByRole("button", { name: "Update Single Node" }).click();
    await agree(page, "Update node");
    await good(page, "The cluster update has begun.");
    assert.deepEqual(asked, { hosts: CONFIGURATION.hosts, node_ids: ["dev-node2"] });
  });

  it("says why a restart failed, and in which phase", async () => {
    const { node, page } = await scripted({});
    // After the agent was last seen to change: a look at it that runs into the restart must not end it.
    const own = { node_id: node.broker.nodeID, restart_id: "x1", timestamp: new Date().toISOString() };
    await page.locator("[data-agent=running]").waitFor();
    await restartButton(page).click();
    await good(page, "The agent restarts.");
    await listens(page, "corrosion");
    await node.broker.broadcastLocal("corrosion.restarting", own);
    await page.locator("[data-restart=running]").waitFor();
    await node.broker.broadcastLocal("corrosion.restart_failed", {
      ...own,
      phase: "health",
      reason: "it does not answer.",
    });
    await page.locator("[data-restart=failed] [data-step=failed]").getByText("Checking").waitFor();
    await bad(page, "The restart failed while checking: it does not answer.");
  });

  it("says that the local API failed, and why", async () => {
    const { page } = await scripted({
      "corrosion.node.ping": () => ({ ok: false, latency_ms: 5, error: "nothing listens at 127.0.0.1:8081" }),
    });
    await page.getByRole("button", { name: "Test Local API" }).click();
    await page.locator("[data-api-test=failed]").waitFor();
    await bad(page, "The local API failed: Nothing listens at 127.0.0.1:8081.");
  });

  it("loads each card alone, and gets over a failure by Retry", async () => {
    let broken = true;
    const { page, picture } = await scripted(
      {
        "corrosion.config.get": () => {
          if (broken) throw new CorrosionError("agent_unavailable", "the file cannot be read");
          return CONFIGURATION;
        },
      },
      { expected: [/status of 503/] },
    );
    await page.locator("[data-agent=running]").waitFor();
    await card(page, "Local bootstrap").getByText("The file cannot be read.").waitFor();
    await picture("node-failing");
    await pressRetry(card(page, "Local bootstrap").getByRole("button", { name: "Retry" }), () => {
      broken = false;
    });
    await card(page, "Local bootstrap").getByText("127.0.0.1:8788").first().waitFor();
  });

  it("shows the places of everything while the node has not answered", async () => {
    const answer = Promise.withResolvers<void>();
    const later = async (route: Route) => {
      await answer.promise;
      await route.fallback();
    };
    const { page, picture } = await scripted(
      {},
      {
        look: LOOKS[1]!,
        prepare: async (page) => {
          await page.route("**/api/fleet/status", (route) => route.fulfill({ json: FLEET }));
          for (const path of ["agent*", "node*", "config/*"]) await page.route(`**/api/${path}`, later);
        },
      },
    );
    await card(page, "Agent").getByRole("status", { name: "Loading" }).first().waitFor();
    await card(page, "Configuration (TOML)").getByRole("status", { name: "Loading" }).waitFor();
    await assertAccessible(page);
    await picture("node-loading");
    answer.resolve();
    await page.locator("[data-agent=running]").waitFor();
    await card(page, "Configuration (TOML)").getByText("[gossip]").waitFor();
  });

  it("keeps what it knows when it is not told more, says since when, and gets over that by Retry", async () => {
    let broken = false;
    const { node, page, picture } = await scripted(
      {
        "corrosion.config.get": () => {
          if (broken) throw new CorrosionError("agent_unavailable", "the file cannot be read");
          return CONFIGURATION;
        },
      },
      { look: LOOKS[3]!, expected: [/status of 503/] },
    );
    const local = card(page, "Local bootstrap");
    await local.getByRole("list", { name: "Current hosts" }).waitFor();
    await listens(page, "config_job");
    broken = true;
    await node.broker.broadcastLocal("config_job", { ...JOB, node_id: node.broker.nodeID, state: "ready" });
    await local.getByText("stale").waitFor();
    await local.getByText("The file cannot be read.").waitFor();
    await local.getByRole("list", { name: "Current hosts" }).getByText("127.0.0.1:8788").waitFor();
    await assertAccessible(page);
    await picture("node-stale");
    await pressRetry(local.getByRole("button", { name: "Retry" }), () => {
      broken = false;
    });
    await local.getByText("stale").waitFor({ state: "detached" });
  });

  it("asks nobody for a token who only looks", async () => {
    let runs = 0;
    const { page } = await scripted(
      {
        "corrosion.node.facts": () => ({ ...FACTS, variables: { CONSOLE_TOKEN: "[redacted]" } }),
        "corrosion.query.run": () => {
          runs += 1;
          return { run_id: "r", columns: [], rows: [], row_count: 0, truncated: false, elapsed_ms: 1 };
        },
      },
      {},
      { CONSOLE_TOKEN: "secret-token" },
    );
    await page.getByText("for which the node may want its token").waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
    assert.equal(runs, 0);
  });

  it("shows hostile log lines, hosts, files and configurations as the text that they are", async () => {
    const { page } = await scripted({
      "corrosion.agent.logs": () => ({ lines: [{ at: ROW.updated_at, stream: "stdout", line: HOSTILE }] }),
      "corrosion.config.get": () => ({ ...CONFIGURATION, toml: HOSTILE, hosts: [HOSTILE], problem: HOSTILE }),
      "corrosion.identity.configs": () => [{ ...ROW, bootstrap_hosts: HOSTILE, updated_by: HOSTILE }],
    });
    await page.getByRole("region", { name: "Log of the agent" }).getByText(HOSTILE).waitFor();
    await card(page, "Configuration (TOML)").getByText(HOSTILE).first().waitFor();
    await card(page, "Cluster bootstrap").getByText(HOSTILE).first().waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Node · Fleetport");
  });
});
