/** @module The Propagation page: a message that really spreads, and every state that one can be in. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { Acknowledgement, AckStatus } from "../../services/acks/contract.ts";
import { type Actions, ask, DISCOVERY } from "../helpers/console.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visit, Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { listens } from "./listens.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";

const marker = (page: Page, node: string) => page.locator(`svg [data-node="${node}"]`);
const kindsOf = (page: Page, node: string) => marker(page, node).getAttribute("data-kinds");
const row = (page: Page, node: string) =>
  page
    .getByRole("region", { name: "Acknowledgements by node" })
    .locator("tbody tr")
    .filter({ hasText: node });
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const legend = (page: Page, kind: string) => page.getByRole("button", { name: new RegExp(`^${kind}`) });
const count = (page: Page) => page.locator("[data-acks]").first();

function ack(nodeId: string, more: Partial<Acknowledgement> = {}): Acknowledgement {
  return {
    node_id: nodeId,
    region: nodeId,
    timestamp: new Date().toISOString(),
    receipt_timestamp: null,
    latency_ms: 42.4,
    late: false,
    ...more,
  };
}

function status(more: Partial<AckStatus> = {}): AckStatus {
  const acknowledgments = more.acknowledgments ?? [];
  return {
    node_id: "dev-node1",
    latest_message: { pk: "dev-node1_7", timestamp: new Date().toISOString(), node_id: "dev-node1" },
    acknowledgments,
    ack_count: acknowledgments.length,
    regions: [],
    expected: ["dev-node2", "dev-node3"],
    state: "pending",
    transport: "gossip",
    deadline_at: new Date(Date.now() + 30_000).toISOString(),
    ...more,
  };
}

const NOTHING: Partial<AckStatus> = {
  latest_message: null,
  expected: [],
  state: null,
  transport: null,
  deadline_at: null,
};

const discovered = (...ids: string[]) => ({
  ...DISCOVERY,
  nodes: ids.map((node_id) => ({ node_id, region: node_id, machine: null })),
});

describe("The Propagation page", function () {
  this.timeout(120_000);
  const pages = openPages();

  async function scripted(
    actions: Actions,
    options: Omit<Visit, "url" | "path"> = {},
  ): Promise<Visited & { readonly node: TestGateway }> {
    const known = { "corrosion.discovery.get": () => discovered("dev-node1", "dev-node2", "dev-node3") };
    return pages.scripted("/", { ...known, ...actions }, options);
  }

  describe("of three real nodes", () => {
    let real: Dashboard;
    before(async () => {
      real = await dashboard();
    });
    beforeEach(async () => {
      await ask({ url: real.url() }, "POST /api/acks/reset");
    });

    for (const look of LOOKS) {
      it(`turns nodes 2 and 3 green when node 1 sends, and grey by a reset (${lookText(look)})`, async () => {
        const { page, picture, shifts } = await pages.at("/", { look });
        await page.getByRole("heading", { level: 1, name: "Geographic Distribution" }).waitFor();
        for (const node of ["dev-node2", "dev-node3"]) {
          await row(page, node).getByText("ready", { exact: true }).waitFor();
          assert.equal(await kindsOf(page, node), "expected");
        }
        await picture("propagation-ready");
        const before = await shifts();
        await press(page, "Send Message");
        await page
          .locator("[data-toast=good]")
          .getByText(/Sent dev-node1_\d+\./)
          .waitFor();
        for (const node of ["dev-node2", "dev-node3"]) {
          await row(page, node).getByText("acked", { exact: true }).waitFor();
          await until("the marker is green", async () => (await kindsOf(page, node)) === "expected acked");
          assert.match((await row(page, node).textContent()) ?? "", /\d ms/);
        }
        assert.equal(await count(page).getAttribute("data-acks"), "good");
        assert.equal(await count(page).textContent(), "2/2 acks");
        await page.getByText("complete", { exact: true }).first().waitFor();
        assert.equal(await kindsOf(page, "dev-node1"), "own");
        assert.ok((await shifts()) - before < 0.01, "nothing jumps when acknowledgements come");
        await assertAccessible(page);
        await assertFits(page);
        await picture("propagation-complete");
        await press(page, "Reset Tracking");
        await page
          .locator("[data-toast=good]")
          .getByText(/Tracking is reset/)
          .waitFor();
        for (const node of ["dev-node2", "dev-node3"]) {
          await until("the marker is grey", async () => (await kindsOf(page, node)) === "expected");
        }
        assert.equal(await count(page).textContent(), "0/2 acks");
      });
    }

    it("shows in another window what the first one sends, with nobody's doing there", async () => {
      const open = await pages.at("/");
      const watching = await pages.at("/");
      await row(watching.page, "dev-node2").getByText("ready", { exact: true }).waitFor();
      await listens(watching.page, "ack_events");
      await press(open.page, "Send Message");
      for (const node of ["dev-node2", "dev-node3"]) {
        await row(watching.page, node).getByText("acked", { exact: true }).waitFor();
        await until(
          "its marker is acked",
          async () => (await kindsOf(watching.page, node)) === "expected acked",
        );
      }
    });

    it("shows a drill over the bus as one, with its acknowledgements", async () => {
      const { page } = await pages.at("/");
      await press(page, "Test Cluster PubSub");
      await page
        .locator("[data-toast=good]")
        .getByText(/Sent pubsub_dev-node1_\d+ over the bus/)
        .waitFor();
      await page.getByText("pubsub", { exact: true }).waitFor();
      await row(page, "dev-node3").getByText("acked", { exact: true }).waitFor();
      await page.getByText("complete", { exact: true }).first().waitFor();
    });
  });

  for (const look of LOOKS) {
    it(`shows who is overdue, late and not awaited, in colours and in words (${lookText(look)})`, async () => {
      const acknowledgments = [ack("dev-node2", { late: true, latency_ms: 31_000 }), ack("dev-node5")];
      const { page, picture } = await scripted(
        { "acks.tracker.status": () => status({ state: "partial", acknowledgments }) },
        { look },
      );
      await row(page, "dev-node3").getByText("overdue").waitFor();
      await row(page, "dev-node2").getByText("acked late").waitFor();
      await row(page, "dev-node5").getByText("extra", { exact: true }).waitFor();
      assert.equal(await kindsOf(page, "dev-node3"), "expected overdue");
      assert.equal(await kindsOf(page, "dev-node2"), "expected acked");
      assert.equal(await kindsOf(page, "dev-node5"), "acked");
      assert.equal(await legend(page, "Expected").textContent(), "Expected2");
      assert.equal(await legend(page, "Overdue").textContent(), "Overdue1");
      assert.equal(await marker(page, "dev-node3").locator("circle").last().getAttribute("fill"), "#ef4444");
      assert.equal(await count(page).getAttribute("data-acks"), "warn");
      assert.equal(await count(page).textContent(), "1/2 acks");
      await assertAccessible(page);
      await assertFits(page);
      await picture("propagation-overdue");
    });
  }

  it("takes each acknowledgement from the event alone", async () => {
    const { node, page } = await scripted({ "acks.tracker.status": () => status() });
    await row(page, "dev-node2").getByText("waiting").waitFor();
    const asked = () =>
      page.evaluate(() => performance.getEntriesByName(`${location.origin}/api/acks`).length);
    await listens(page, "ack_events");
    const before = await asked();
    const told = status({ node_id: node.broker.nodeID, acknowledgments: [ack("dev-node2")] });
    await node.broker.broadcastLocal("ack_events", told);
    await row(page, "dev-node2").getByText("acked", { exact: true }).waitFor();
    assert.equal(await kindsOf(page, "dev-node2"), "expected acked");
    assert.equal(await kindsOf(page, "dev-node3"), "expected");
    assert.equal(await asked(), before);
  });

  it("greens one of two nodes of a region", async () => {
    const nodes = ["ams-1", "ams-2"].map((node_id) => ({ node_id, region: "ams", machine: "m" }));
    const { page } = await scripted({
      "corrosion.discovery.get": () => ({ ...DISCOVERY, nodes }),
      "acks.tracker.status": () =>
        status({ expected: ["ams-1", "ams-2"], acknowledgments: [ack("ams-2", { region: "ams" })] }),
    });
    await until("one is green", async () => (await kindsOf(page, "ams-2")) === "expected acked");
    assert.equal(await kindsOf(page, "ams-1"), "expected");
  });

  it("warns while DNS fails, and shows what it knew", async () => {
    const { page, picture } = await scripted({
      "corrosion.discovery.get": () => ({ ...discovered("dev-node2"), error: "no answer within 5 s" }),
    });
    await page.getByRole("status").filter({ hasText: "DNS: No answer within 5 s." }).waitFor();
    await marker(page, "dev-node2").waitFor();
    await assertAccessible(page);
    await picture("propagation-dns");
  });

  it("tells why nothing was sent, until the toast is closed", async () => {
    const { page } = await scripted(
      {
        "messages.send": () => {
          throw new CorrosionError("agent_unavailable", "nothing listens at 127.0.0.1:8081");
        },
        "acks.drill.send": () => {
          throw new CorrosionError("bus_unavailable", "a drill would reach nobody");
        },
        "acks.tracker.reset": () => {
          throw new CorrosionError("timeout", "the tracker did not answer");
        },
      },
      { expected: [/status of 503/, /status of 504/] },
    );
    const failure = page.locator("[data-toast=bad]");
    await press(page, "Send Message");
    await failure.getByText("The message was not sent: nothing listens at 127.0.0.1:8081").waitFor();
    await press(page, "Test Cluster PubSub");
    await failure.getByText("The drill was not sent: a drill would reach nobody").waitFor();
    await press(page, "Reset Tracking");
    await failure.getByText("Tracking was not reset: the tracker did not answer").waitFor();
    assert.equal(await failure.count(), 3);
  });

  it("does not say that a message was not sent when nobody knows", async () => {
    const { page } = await scripted(
      {
        "messages.send": () => {
          throw new CorrosionError("timeout", "the agent did not say whether it has the message");
        },
      },
      { expected: [/status of 504/] },
    );
    await press(page, "Send Message");
    await page.locator("[data-toast=bad]").getByText("The message may have been sent or not").waitFor();
  });

  it("is busy while it sends, and sends once", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let sends = 0;
    const { page, picture } = await scripted({
      "messages.send": async () => {
        sends += 1;
        await promise;
        return { pk: "n_1", timestamp: new Date().toISOString(), node_id: "n", sequence: 1 };
      },
    });
    const button = page.getByRole("button", { name: "Send Message" });
    await button.click();
    assert.equal(await button.getAttribute("aria-busy"), "true");
    // A person can press what says that it is busy; the browser's driver must be made to.
    await button.click({ force: true });
    await button.press("Enter");
    await picture("propagation-sending");
    resolve();
    await page.locator("[data-toast=good]").getByText("Sent n_1.").waitFor();
    assert.equal(sends, 1);
  });

  it("counts ? where the acknowledgements cannot be asked for, and gets over it by Retry", async () => {
    let broken = true;
    const { page, picture } = await scripted(
      {
        "acks.tracker.status": () => {
          if (broken) throw new CorrosionError("agent_unavailable", "the tracker does not run");
          return status();
        },
      },
      { expected: [/status of 503/] },
    );
    await page.getByRole("alert").getByText("The tracker does not run.").waitFor();
    assert.equal(await legend(page, "Acknowledged").textContent(), "Acknowledged?");
    await assertAccessible(page);
    await picture("propagation-failing");
    await pressRetry(page.getByRole("button", { name: "Retry" }), () => {
      broken = false;
    });
    await row(page, "dev-node2").getByText("waiting").waitFor();
  });

  it("keeps up by asking while the stream is down, and calls stale what it has when that fails too", async () => {
    let broken = false;
    let acknowledgments: readonly Acknowledgement[] = [];
    const { page, picture } = await scripted(
      {
        "acks.tracker.status": () => {
          if (broken) throw new CorrosionError("agent_unavailable", "the tracker does not run");
          return status({ acknowledgments });
        },
      },
      {
        expected: [/status of 503/, /ERR_FAILED/],
        prepare: async (page) => {
          await page.route("**/api/stream?*", (route) => route.abort());
          await page.clock.install();
        },
      },
    );
    await row(page, "dev-node2").getByText("waiting").waitFor();
    await page.locator("[data-banner=disconnected]").waitFor();
    acknowledgments = [ack("dev-node2")];
    await page.clock.runFor(6000);
    await row(page, "dev-node2").getByText("acked", { exact: true }).waitFor();
    assert.equal(await kindsOf(page, "dev-node2"), "expected acked");
    broken = true;
    await page.clock.runFor(6000);
    const card = page.getByRole("region", { name: "Acknowledgements", exact: true });
    await card.getByText("stale", { exact: true }).waitFor();
    await card.getByText("The tracker does not run.").waitFor();
    await page.clock.runFor(6000);
    await card.getByText(/updated \d+ s ago/).waitFor();
    await row(page, "dev-node2").getByText("acked", { exact: true }).waitFor();
    assert.equal(await legend(page, "Acknowledged").textContent(), "Acknowledged?");
    await assertAccessible(page);
    await picture("propagation-stale");
  });

  it("works by keyboard: sends, and hides and shows a kind of marker", async () => {
    let sends = 0;
    const { page } = await scripted({
      "messages.send": () => {
        sends += 1;
        return { pk: "n_1", timestamp: new Date().toISOString(), node_id: "n", sequence: 1 };
      },
      "acks.tracker.status": () => status({ acknowledgments: [ack("dev-node2")] }),
    });
    await marker(page, "dev-node2").waitFor();
    await page.locator("main").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("[data-toast=good]").getByText("Sent n_1.").waitFor();
    assert.equal(sends, 1);
    const acknowledged = legend(page, "Acknowledged");
    for (let i = 0; i < 10 && !(await acknowledged.evaluate((one) => one === document.activeElement)); i++)
      await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    assert.equal(await acknowledged.getAttribute("aria-pressed"), "false");
    assert.equal(await kindsOf(page, "dev-node2"), "expected");
    await page.keyboard.press("Space");
    assert.equal(await kindsOf(page, "dev-node2"), "expected acked");
  });

  it("shows a skeleton while it waits, and a text where there is no other node", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { page, picture } = await scripted({
      "corrosion.discovery.get": () => discovered(),
      "acks.tracker.status": async () => {
        await promise;
        return status(NOTHING);
      },
    });
    const card = page.getByRole("region", { name: "Acknowledgements", exact: true });
    await card.getByRole("status", { name: "Loading" }).waitFor();
    await picture("propagation-loading");
    resolve();
    await card.getByText("None is tracked: send one.").waitFor();
    await card.getByText("No other node is known to this one.").waitFor();
    await picture("propagation-alone");
  });

  it("shows hostile ids as the text that they are", async () => {
    const hostile = `<img src=x onerror="document.title='owned'">"'</td></svg>`;
    const { page, picture } = await scripted({
      "acks.tracker.status": () =>
        status({
          latest_message: { pk: hostile, timestamp: hostile, node_id: hostile },
          expected: [hostile],
          acknowledgments: [ack(hostile, { region: hostile, timestamp: hostile })],
        }),
    });
    await row(page, hostile).waitFor();
    await page.locator("[data-unplaced]").getByText(hostile).first().waitFor();
    await picture("propagation-hostile");
    await assertFits(page);
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Propagation · Fleetport");
  });
});
