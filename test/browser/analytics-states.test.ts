/** @module The states of the Analytics page, as a test scripts them, at every look. */
import assert from "node:assert/strict";
import type { Context } from "moleculer";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { AnalyticsNews } from "../../services/analytics/contract.ts";
import type { Actions } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import {
  AT,
  answered,
  DONE,
  entry,
  experiment,
  type Measured,
  report,
  STATUS,
  WELL,
} from "./analytics-answers.ts";
import { card, figure, lineCount } from "./analytics-parts.ts";
import type { Visit } from "./browser.ts";
import { listens } from "./listens.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";

describe("The Analytics page, whatever the state of its runs", function () {
  this.timeout(180_000);
  const open = openPages();

  /** A page of a node with these actions, and `tell`, by which the node tells it something. */
  async function scripted(
    actions: Actions,
    { path = "/analytics?experiment_id=r1", ...options }: Partial<Omit<Visit, "url">> = {},
  ) {
    const visited = await open.scripted(path, { ...WELL, ...actions }, options);
    const { broker } = visited.node;
    const tell = async (news: AnalyticsNews) => {
      await listens(visited.page, "analytics:r1");
      const payload = { node_id: broker.nodeID, experiment_id: "r1", ...news };
      await broker.broadcastLocal("analytics_events", payload);
    };
    return { ...visited, tell };
  }

  const on = experiment({ status: "running", sent_count: 4, ended_at: null, started_at: AT });
  const compared = (id: string, more: object = {}) => ({
    experiment_id: id,
    started_at: AT,
    duration_seconds: 12,
    node_count: 3,
    message_count: 20,
    ack_count: 40,
    success_rate: 100,
    avg_latency_ms: 320,
    p95_latency_ms: 910,
    ...more,
  });

  for (const look of LOOKS) {
    it(`goes from no run over a live one to its end, in order and without a jump (${lookText(look)})`, async () => {
      let known: readonly object[] = [];
      let measured: Measured = { row: null, from: [], messages: 0 };
      let missing: readonly string[] = [];
      const { page, picture, shifts, tell } = await scripted(
        {
          "analytics.aggregator.status": () => ({
            ...STATUS,
            experiment: measured.row?.status === "running" ? { ...measured.row, role: "leading" } : null,
          }),
          "analytics.aggregator.list": () => ({
            experiments: known,
            count: known.length,
            ...report(missing),
          }),
          "analytics.aggregator.get": (ctx: Context) => answered(ctx, measured, missing),
          "analytics.aggregator.compare": () => ({
            experiments: [
              compared("r1"),
              compared("r2", {
                success_rate: null,
                avg_latency_ms: null,
                p95_latency_ms: null,
                ack_count: 0,
              }),
            ],
            count: 2,
            ...report(missing),
          }),
        },
        { look, path: "/analytics" },
      );
      const shows = async (name: string) => {
        // A button that was just unlocked is on its way to its full colour.
        await page.waitForFunction(() => document.getAnimations().length === 0);
        await assertAccessible(page);
        await assertFits(page);
        await page.evaluate(() => scrollTo(0, 0));
        await picture(`analytics-${name}`);
      };
      const refreshed = () => page.getByRole("button", { name: "Refresh Now" }).click();
      await page.getByText("No experiment was run yet.").waitFor();
      await shows("none");

      known = [entry("r1", { status: "running", ended_at: null }), entry("r2")];
      measured = { row: on, from: [], messages: 0 };
      await refreshed();
      await page.waitForURL(/experiment_id=r1$/);
      await page.getByText("No acknowledgement is known so far.").first().waitFor();
      await shows("begun");

      measured = { row: on, from: ["dev-node2"], messages: 4 };
      await tell({ type: "cluster_update", node_count: 3 });
      await until("the first line is there", async () => (await lineCount(page, "Latency over time")) === 1);
      await page.getByText("4 of 20").waitFor();
      await shows("running");
      const before = await shifts();
      measured = { row: { ...on, sent_count: 9, failed_count: 2 }, from: DONE.from, messages: 9 };
      await tell({ type: "message_progress", sent_count: 9, failed_count: 2, total_count: 20 });
      await tell({ type: "cluster_update", node_count: 3 });
      await until("the second line is there", async () => (await lineCount(page, "Latency over time")) === 2);
      await page.locator("[data-failures]").getByText("2 messages could not be sent").waitFor();
      await until("its number follows", async () => (await figure(page, "Acked")) === "18");
      assert.ok((await shifts()) - before < 0.01, `nothing jumps: ${(await shifts()) - before}`);

      const row = experiment({
        status: "interrupted",
        sent_count: 9,
        failed_count: 2,
        error: "its owner was not heard of for 35 s",
      });
      known = [entry("r1", { status: "interrupted" }), entry("r2")];
      measured = { ...measured, row };
      await tell({ type: "experiment_stopped", status: "interrupted" });
      await page.getByText("Experiment r1: interrupted.").waitFor();
      await page.getByText("Its owner was not heard of for 35 s.").waitFor();
      await page.locator("button[type=submit]:enabled").waitFor();
      await shows("interrupted");

      missing = ["dev-node3"];
      const over = experiment({ sent_count: 18, failed_count: 2 });
      measured = { row: over, from: ["dev-node2"], messages: 18 };
      known = [entry("r1"), entry("r2", { status: null, ack_count: 0 })];
      await refreshed();
      await page.getByText("Missing from this report: dev-node3.").waitFor();
      await page.getByLabel("Compare r1").check();
      await page.getByLabel("Compare r2").check();
      await page.getByRole("button", { name: "Compare 2" }).click();
      await card(page, "Comparison").first().getByText("100 %").first().waitFor();
      await shows("compare");

      missing = [];
      measured = { row: over, from: DONE.from, messages: 18 };
      await refreshed();
      await until("all is there", async () => (await figure(page, "Ack rate")) === "100 %");
      await shows("done");
    });
  }

  it("shows skeletons while it waits, as large as what comes, so that nothing jumps", async () => {
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { page, picture, shifts } = await scripted(
      {},
      {
        prepare: (page) =>
          page.route("**/api/analytics/**", async (route) => {
            await asked;
            await route.continue();
          }),
      },
    );
    await card(page, "Latency distribution").getByLabel("Loading").waitFor();
    await picture("analytics-loading");
    const before = await shifts();
    answer();
    await card(page, "Latency distribution").locator("svg text").first().waitFor();
    await until("all is there", async () => (await figure(page, "Ack rate")) === "100 %");
    assert.ok((await shifts()) - before < 0.05, `${(await shifts()) - before}`);
  });

  it("follows a run that another node leads: the form is locked with its values, failures are told", async () => {
    const theirs = experiment({ status: "running", sent_count: 2, owner_node: "dev-node2", ended_at: null });
    const { page, tell, picture } = await scripted({
      "analytics.aggregator.status": () => ({ ...STATUS, experiment: { ...theirs, role: "following" } }),
    });
    await page.getByText("led by dev-node2; locked").waitFor();
    assert.equal(await page.getByLabel("Experiment id").inputValue(), "r1");
    for (const field of ["Transport", "Experiment id", "Messages", "Interval, ms", "Payload, bytes"])
      assert.ok(await page.getByLabel(field).isDisabled(), field);
    assert.ok(await page.getByRole("button", { name: "Start Experiment" }).isDisabled());
    await tell({ type: "message_progress", sent_count: 5, failed_count: 2, total_count: 20 });
    await page.getByText("7 of 20").waitFor();
    await page.locator("[data-failures]").getByText("2 messages could not be sent").waitFor();
    await picture("analytics-following");
  });

  it("deletes after a question only, and says where a run still is", async () => {
    const asked: unknown[] = [];
    const { page, picture } = await scripted({
      "analytics.aggregator.delete": (ctx: Context) => {
        asked.push(ctx.params);
        return { experiment_id: "r2", deleted_on: ["dev-node1"], unreachable: ["dev-node2"] };
      },
    });
    await page.getByRole("button", { name: "Delete r2" }).click();
    await page.keyboard.press("Escape");
    assert.equal(asked.length, 0);
    await page.getByRole("button", { name: "Delete r2" }).click();
    await picture("analytics-delete");
    await page.getByRole("button", { name: "Delete experiment" }).click();
    await page.getByText("Not reached, so still there: dev-node2.").waitFor();
    assert.equal(asked.length, 1);
  });

  it("shows a deleted run no more, though the list was asked for just before", async () => {
    const listed = Promise.withResolvers<void>();
    let lists = 0;
    let deleted = false;
    const { page } = await scripted({
      "analytics.aggregator.list": async () => {
        lists += 1;
        const runs = deleted ? [entry("r1")] : [entry("r1"), entry("r2")];
        if (lists === 2) await listed.promise;
        return { experiments: runs, count: runs.length, ...report() };
      },
      "analytics.aggregator.delete": () => {
        deleted = true;
        return { experiment_id: "r2", deleted_on: ["dev-node1"], unreachable: [] };
      },
    });
    await page.getByRole("button", { name: "Delete r2" }).waitFor();
    // Nothing else may ask meanwhile.
    await page.getByRole("combobox", { name: "Refresh" }).selectOption("30000");
    await page.getByRole("button", { name: "Refresh Now" }).click();
    await until("the list is asked for again", () => lists === 2);
    await page.getByRole("button", { name: "Delete r2" }).click();
    await page.getByRole("button", { name: "Delete experiment" }).click();
    await page.getByText("Experiment r2 was deleted").waitFor();
    listed.resolve();
    await page.getByRole("button", { name: "Delete r2" }).waitFor({ state: "detached" });
  });

  it("compares from two to six runs, and no seventh", async () => {
    const runs = Array.from({ length: 12 }, (_, at) => entry(`r${at + 1}`));
    const { page } = await scripted({
      "analytics.aggregator.list": () => ({ experiments: runs, count: 12, ...report() }),
    });
    await page.getByText("10 newest of 12").waitFor();
    assert.equal(await page.getByRole("button", { name: /^View / }).count(), 10);
    const button = page.getByRole("button", { name: /^Compare \d?$/ });
    await page.getByLabel("Compare r1", { exact: true }).check();
    assert.ok(await button.isDisabled());
    for (const id of ["r2", "r3", "r4", "r5", "r6"])
      await page.getByLabel(`Compare ${id}`, { exact: true }).check();
    assert.ok(await button.isEnabled());
    assert.ok(await page.getByLabel("Compare r7", { exact: true }).isDisabled());
  });

  it("gets over a failing report by Retry, each card for itself", async () => {
    let broken = true;
    const { page, picture } = await scripted(
      {
        "analytics.aggregator.get": (ctx: Context) => {
          if (broken) throw new CorrosionError("store_unavailable", "the analytics file cannot be read");
          return answered(ctx, DONE);
        },
      },
      { expected: [/status of 50\d/] },
    );
    await card(page, "Charts").getByText("The analytics file cannot be read.").waitFor();
    await picture("analytics-failing");
    await pressRetry(card(page, "Charts").getByRole("button", { name: "Retry" }), () => {
      broken = false;
    });
    await card(page, "Latency distribution").locator("svg text").first().waitFor();
    broken = true;
    await page.getByRole("button", { name: "Refresh Now" }).click();
    await card(page, "Latency distribution").getByText("stale").waitFor();
    assert.equal(await lineCount(page, "Latency over time"), 2, "what was known is still drawn");
    await picture("analytics-stale");
  });

  it("is worked by keyboard alone: fill in, start by Enter, tick, and open a run", async () => {
    const started: unknown[] = [];
    const { page } = await scripted({
      "analytics.aggregator.start": (ctx: Context) => {
        started.push(ctx.params);
        return { experiment_id: "typed" };
      },
    });
    // Before it is known whether a run is on, Enter starts none.
    await page.locator("button[type=submit]:enabled").waitFor();
    await page.getByLabel("Transport").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("typed");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("3");
    await page.keyboard.press("Enter");
    await page.getByText("Experiment typed has begun.").waitFor();
    assert.equal(started.length, 1);
    await page.getByLabel("Compare r1").focus();
    await page.keyboard.press("Space");
    assert.ok(await page.getByLabel("Compare r1").isChecked());
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL(/experiment_id=r1$/);
  });

  it("shows hostile ids and names as the text that they are", async () => {
    const hostile = `<img src=x onerror="document.title='owned'">`;
    const { page } = await scripted(
      {
        "analytics.aggregator.list": () => ({
          experiments: [entry(hostile)],
          count: 1,
          ...report([hostile]),
        }),
        "analytics.aggregator.status": () => ({
          ...STATUS,
          active_nodes: [{ node_id: hostile, region: hostile, phoenix_port: null, is_local: false }],
        }),
      },
      { path: `/analytics?experiment_id=${encodeURIComponent(hostile)}` },
    );
    await page.getByText("which is no id of an experiment").waitFor();
    await page.getByRole("button", { name: `View ${hostile}` }).waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Analytics · Fleetport");
  });
});
