/** @module The frame around every page: tabs, lamps, theme, toasts, the token, and what happens when live events stop. */
import assert from "node:assert/strict";
import { ask } from "../helpers/console.ts";
import { startProxy } from "../helpers/tcp-proxy.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { listens } from "./listens.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";

const TABS = [
  ["Overview", "/overview"],
  ["Propagation", "/"],
  ["Cluster", "/cluster"],
  ["Messages", "/messages"],
  ["Node", "/node"],
  ["Analytics", "/analytics"],
  ["Query Console", "/query-console"],
  ["Groups", "/groups"],
  ["Conversations", "/conversations"],
] as const;

/** The agent's tables cannot be asked for while it is away, or on its way out. */
const WITHOUT_AGENT = [/status of 503 .*\/api\/cluster\/corrosion/];

describe("The dashboard's shell", function () {
  this.timeout(120_000);
  const pages = openPages();
  const { at } = pages;
  let real: Dashboard;
  before(async () => {
    real = await dashboard();
  });

  it("opens each page by its tab, without loading the document again, and by its address", async () => {
    const { page } = await at("/cluster");
    await page.evaluate(() => {
      document.documentElement.dataset.same = "yes";
    });
    const tabs = page.getByRole("navigation", { name: "Pages" });
    assert.deepEqual(
      await tabs.getByRole("link").allTextContents(),
      TABS.map(([title]) => title),
    );
    for (const [title, path] of TABS) {
      await tabs.getByRole("link", { name: title, exact: true }).click();
      await page.waitForFunction((wanted) => document.title === wanted, `${title} · Fleetport`);
      assert.equal(new URL(page.url()).pathname, path);
      assert.deepEqual(await tabs.locator("[aria-current=page]").allTextContents(), [title]);
    }
    assert.equal(await page.evaluate(() => document.documentElement.dataset.same), "yes");
    await page.goBack();
    await page.waitForFunction(() => document.title === "Groups · Fleetport");
    await page.reload();
    assert.equal(await page.title(), "Groups · Fleetport");
  });

  it("shows on a narrow screen that there are more tabs, goes to them, and keeps the open one in sight", async () => {
    const { page } = await at("/conversations", { look: { theme: "light", width: 390 } });
    const tabs = page.getByRole("navigation", { name: "Pages" });
    const inSight = (name: string) =>
      tabs.getByRole("link", { name, exact: true }).evaluate((link) => {
        const { left, right } = link.getBoundingClientRect();
        return left >= 0 && right <= document.documentElement.clientWidth;
      });
    const more = (side: string) => page.locator(`[data-more-tabs=${side}]`);
    await until("the open tab is in sight", () => inSight("Conversations"));
    await more("left").waitFor();
    assert.deepEqual([await more("right").count(), await inSight("Overview")], [0, false]);
    await more("left").click();
    await more("right").waitFor();
    await more("left").click();
    await until("the first tab is in sight", () => inSight("Overview"));
    await more("left").waitFor({ state: "detached" });
    await tabs.getByRole("link", { name: "Node", exact: true }).click();
    await until("the open tab is in sight", () => inSight("Node"));

    await page.setViewportSize({ width: 1280, height: 900 });
    await until("all fit", async () => (await page.locator("[data-more-tabs]").count()) === 0);
  });

  it("works by keyboard: skips to the content, goes through the tabs, and tells a change of page by the focus", async () => {
    const { page } = await at("/cluster");
    await page.getByRole("heading", { name: "Cluster", level: 1 }).waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "main");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Refresh All");

    await page.getByRole("link", { name: "Groups" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.title.startsWith("Groups"));
    await page.waitForFunction(() => document.activeElement?.id === "main");
  });

  it("shows whose page it is, and each node its own", async () => {
    for (const node of [1, 3]) {
      const { page } = await at("/cluster", { node });
      await page.locator("[data-node-id]").getByText(`dev-node${node}`, { exact: true }).waitFor();
      await pages.close();
    }
  });

  it("has a lamp for the agent that follows it, and no other node's", async () => {
    const { page } = await at("/cluster", { node: 3, expected: WITHOUT_AGENT });
    const lamp = page.locator("[data-lamp=agent]");
    await lamp.getByText("running").waitFor();
    assert.match((await page.locator("[data-lamp=bus]").textContent()) ?? "", /up/);
    const other = await at("/cluster", { node: 2 });
    await other.page.locator("[data-lamp=agent]").getByText("running").waitFor();
    try {
      assert.equal((await ask({ url: real.url(3) }, "POST /api/agent/stop")).status, 202);
      await lamp.getByText("stopped").waitFor();
      assert.match((await other.page.locator("[data-lamp=agent]").textContent()) ?? "", /running/);
    } finally {
      await ask({ url: real.url(3) }, "POST /api/agent/start");
      await lamp.getByText("running").waitFor();
    }
  });

  it("goes from the system's theme to light and dark, and remembers what was chosen", async () => {
    const { page } = await at("/cluster", { look: { theme: "dark", width: 1280 } });
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    const toggle = page.getByRole("button", { name: /^Theme/ });
    assert.equal(await theme(), "dark");
    await page.emulateMedia({ colorScheme: "light" });
    await until("the system's theme holds", async () => (await theme()) === "light");
    await toggle.click();
    await toggle.click();
    assert.equal(await theme(), "dark");
    await page.reload();
    assert.equal(await theme(), "dark");
    await toggle.click();
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await toggle.getAttribute("aria-label"), "Theme: system. Change to light");
  });

  it("says when live events stop, asks every 5 s meanwhile, and fetches anew when they are back", async () => {
    let asked = 0;
    let cut = false;
    const { page, picture } = await at("/cluster", {
      expected: [/ERR_FAILED/],
      prepare: async (page) => {
        await page.route("**/api/stream?*", (route) => (cut ? route.abort() : route.fallback()));
        page.on("request", (request) => {
          if (request.url().endsWith("/api/cluster/disagreements")) asked += 1;
        });
        await page.clock.install();
      },
    });
    const banner = page.locator("[data-banner=disconnected]");
    await page.getByRole("table").first().waitFor();
    assert.equal(await banner.count(), 0);
    cut = true;
    // A page that comes and goes asks for other topics, and so for a stream anew.
    await page.getByRole("link", { name: "Groups" }).click();
    await page.getByRole("heading", { name: "Groups", level: 1 }).waitFor();
    await page.clock.runFor(200);
    await page.getByRole("link", { name: "Cluster" }).click();
    await page.clock.runFor(4000);
    await banner.waitFor();
    assert.match((await banner.textContent()) ?? "", /interrupted/);
    await picture("shell-disconnected");
    const before = asked;
    await page.clock.runFor(11_000);
    await until("it was asked twice", () => asked >= before + 2);
    cut = false;
    const last = asked;
    await page.clock.runFor(4000);
    await banner.waitFor({ state: "detached" });
    await until("it was asked at once", () => asked > last);
  });

  it("notices a connection over which nothing comes any more, though nothing says so", async () => {
    const proxy = await startProxy(Number(new URL(real.url()).port));
    try {
      const { page } = await pages.of({
        url: `http://127.0.0.1:${proxy.port}`,
        path: "/messages",
        expected: [/ERR_/],
        prepare: (page) => page.clock.install(),
      });
      await listens(page, "message_updates");
      proxy.freeze();
      await ask({ url: real.url() }, "POST /api/messages/send", { content: "while nobody heard" });
      const banner = page.locator("[data-banner=disconnected]");
      await page.clock.runFor(20_000);
      assert.equal(await banner.count(), 0, "that long nodes may be silent");
      await page.clock.runFor(40_000);
      await banner.waitFor();
      proxy.heal();
      proxy.cut();
      await until("it is back", async () => {
        await page.clock.runFor(2000);
        return (await banner.count()) === 0;
      });
      await page
        .getByRole("region", { name: "Messages", exact: true })
        .last()
        .getByText("while nobody heard")
        .waitFor();
    } finally {
      await proxy.stop();
    }
  });

  it("lets go of its stream while nobody looks, and shows what came meanwhile when somebody does", async () => {
    const { page } = await at("/messages");
    await listens(page, "message_updates");
    const look = (visibility: "visible" | "hidden") =>
      page.evaluate((state) => {
        Object.defineProperty(document, "visibilityState", { configurable: true, value: state });
        document.dispatchEvent(new Event("visibilitychange"));
      }, visibility);
    const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("/api/stream"));
    await look("hidden");
    await ended;
    assert.equal(await page.locator("html[data-stream]").count(), 0);
    await ask({ url: real.url() }, "POST /api/messages/send", { content: "while nobody looked" });
    await look("visible");
    await page
      .getByRole("region", { name: "Messages", exact: true })
      .last()
      .getByText("while nobody looked")
      .waitFor();
    await listens(page, "message_updates");
    assert.equal(await page.locator("[data-banner=disconnected]").count(), 0);
    await look("hidden");
    await look("visible");
    await listens(page, "message_updates");
  });

  it("refuses nothing silently: a failure's toast has the node's sentence and stays, a success goes after 4 s", async () => {
    const { page, picture } = await at("/cluster", {
      expected: [/status of 500/],
      prepare: (page) => page.clock.install(),
    });
    const success = page.locator("[data-toast=good]");
    await page.getByRole("button", { name: "Refresh DNS nodes" }).click();
    // The page's clock goes on by itself too, so there is room on both sides.
    await success.getByText("The list of DNS nodes is fresh.").waitFor();
    await page.clock.runFor(2000);
    assert.equal(await success.count(), 1);
    await page.clock.runFor(2000);
    await success.waitFor({ state: "detached" });

    await page.route("**/api/cluster/dns/refresh", (route) =>
      route.fulfill({ status: 500, json: { status: "error", code: "disk_full", error: "the disk is full" } }),
    );
    await page.getByRole("button", { name: "Refresh DNS nodes" }).click();
    const failure = page.locator("[data-toast=bad]");
    await failure.getByText("could not be refreshed: the disk is full").waitFor();
    await page.clock.runFor(60_000);
    assert.equal(await failure.count(), 1);
    await picture("shell-toast");
    await failure.getByRole("button", { name: "Close this notification" }).click();
    assert.equal(await failure.count(), 0);
  });

  for (const look of LOOKS) {
    it(`has no serious problem of accessibility, and fits the screen (${lookText(look)})`, async () => {
      const { page, picture } = await at("/no-such-tab", { look, prepare: (page) => asPage(page) });
      await page.getByRole("heading", { name: "Not found" }).waitFor();
      await page.locator("[data-lamp=agent]").getByText("running").waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("shell");
    });
  }

  /** The gateway knows no such page; what the dashboard says to one is seen by giving it the document all the same. */
  async function asPage(page: Visited["page"]): Promise<void> {
    const html = await (await fetch(real.url(1))).text();
    await page.route("**/no-such-tab", (route) => route.fulfill({ contentType: "text/html", body: html }));
  }

  describe("of a node that wants a token", () => {
    const locked = () =>
      pages.scripted("/cluster", {}, { expected: [/401/] }, { CONSOLE_TOKEN: "open-sesame" });

    it("asks for it when a change is refused, says when it is wrong, and keeps it for the tab alone", async () => {
      const { page, picture } = await locked();
      const dialog = page.getByRole("dialog", { name: "This node wants its token" });
      await page.getByRole("button", { name: "Refresh DNS nodes" }).click();
      await dialog.waitFor();
      await picture("shell-token");
      await dialog.getByLabel("CONSOLE_TOKEN").fill("wrong");
      await dialog.getByRole("button", { name: "Go on" }).click();
      await dialog.getByText("The node refused the last one.").waitFor();
      await dialog.getByLabel("CONSOLE_TOKEN").fill("open-sesame");
      await page.keyboard.press("Enter");
      await page.getByText("The list of DNS nodes is fresh.").waitFor();
      assert.equal(await dialog.count(), 0);

      await page.reload();
      await page.getByRole("button", { name: "Refresh DNS nodes" }).click();
      await page.getByText("The list of DNS nodes is fresh.").waitFor();
      assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("open-sesame")), false);
    });

    it("does without a change that nobody gives the token for, and says so", async () => {
      const { page } = await locked();
      await page.getByRole("button", { name: "Refresh DNS nodes" }).click();
      await page.getByRole("dialog").waitFor();
      await page.keyboard.press("Escape");
      await page
        .locator("[data-toast=bad]")
        .getByText(/CONSOLE_TOKEN/)
        .waitFor();
      assert.equal(await page.getByRole("dialog").count(), 0);
    });
  });
});
