/** @module The Messages page: messages that really spread, and the states that a test scripts. */
import assert from "node:assert/strict";
import type { Context } from "moleculer";
import type { Page } from "playwright-core";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { AckStatus, Reception } from "../../services/acks/contract.ts";
import type { MessageRow } from "../../services/corrosion/contract.ts";
import { type Actions, ask, SUBSCRIBER } from "../helpers/console.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visit, Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { listens } from "./listens.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";

const AT = "2026-01-02T03:04:05.678901Z";
const HOSTILE = `<img src=x onerror="document.title='owned'">"'</td></svg><script>document.title='owned'</script>`;

const table = (page: Page) => page.getByRole("region", { name: "Messages", exact: true }).last();
const rows = (page: Page) => table(page).locator("tbody tr");
const ackRow = (page: Page, node: string) =>
  page
    .getByRole("region", { name: "Acknowledgements by node" })
    .locator("tbody tr")
    .filter({ hasText: node });
const heatRow = (page: Page, node: string) =>
  page
    .getByRole("region", { name: "Receptions by node and message" })
    .locator("tbody tr")
    .filter({ hasText: node });
const heatOf = (page: Page, node: string) =>
  heatRow(page, node)
    .locator("[data-heat]")
    .evaluateAll((cells) => cells.map((cell) => cell.getAttribute("data-heat")));
const field = (page: Page) => page.getByRole("textbox", { name: "Content" });
const sendButton = (page: Page) => page.getByRole("button", { name: "Send Message", exact: true });
const toast = (page: Page, tone: "good" | "bad") => page.locator(`[data-toast=${tone}]`);

function message(sequence: number, node = "dev-node1", more: Partial<MessageRow> = {}): MessageRow {
  return {
    pk: `${node}_${sequence}`,
    node_id: node,
    message: `text ${sequence}`,
    sequence,
    timestamp: AT,
    originating_endpoint: "127.0.0.1:5001",
    region: node,
    ...more,
  };
}

/** How often the list was asked for. */
const asked = (page: Page) =>
  page.evaluate(
    () =>
      performance.getEntriesByType("resource").filter(({ name }) => name.includes("/api/messages")).length,
  );

/** When its stream opens the page asks for the list again: what it is told after that stays. */
async function listensToMessages(page: Page): Promise<void> {
  await listens(page, "message_updates");
  await until("the list is asked for again", async () => (await asked(page)) >= 2);
}

const list = (messages: readonly MessageRow[]) => ({ messages, count: messages.length });

function reception(node_id: string, message_pk: string, more: Partial<Reception> = {}): Reception {
  return {
    node_id,
    message_pk,
    reception_count: 1,
    first_seen: AT,
    last_seen: AT,
    ack_state: "acked",
    attempts: 1,
    last_error: null,
    ...more,
  };
}

function answered(receptions: readonly Reception[], missing: readonly string[] = []) {
  return {
    receptions,
    count: receptions.length,
    scope: "cluster",
    nodes_reporting: ["dev-node1", "dev-node2"],
    nodes_missing: missing,
  };
}

const TRACKED: AckStatus = {
  node_id: "dev-node1",
  latest_message: { pk: "dev-node1_9", timestamp: AT, node_id: "dev-node1" },
  acknowledgments: [
    {
      node_id: "dev-node2",
      region: "dev-node2",
      timestamp: AT,
      receipt_timestamp: null,
      latency_ms: 12.3,
      late: false,
    },
  ],
  ack_count: 1,
  regions: [],
  expected: ["dev-node2", "dev-node3"],
  state: "partial",
  transport: "gossip",
  deadline_at: AT,
};

describe("The Messages page", function () {
  this.timeout(120_000);
  const pages = openPages();

  async function scripted(
    actions: Actions,
    options: Omit<Visit, "url" | "path"> = {},
  ): Promise<Visited & { readonly node: TestGateway }> {
    return pages.scripted("/messages", { "acks.sender.all": () => answered([]), ...actions }, options);
  }

  describe("of three real nodes", () => {
    let real: Dashboard;
    before(async () => {
      real = await dashboard();
      await ask({ url: real.url() }, "POST /api/messages/send", { content: "the first" });
    });

    for (const look of LOOKS) {
      it(`sends what was written, sees it arrive, and is accessible (${lookText(look)})`, async () => {
        const { page, picture, shifts } = await pages.at("/messages", { look });
        await heatRow(page, "dev-node1").waitFor();
        await ackRow(page, "dev-node3").waitFor();
        const before = await shifts();
        const text = `hello <b>${look.theme}</b> ${look.width}`;
        await field(page).fill(text);
        await sendButton(page).click();
        await toast(page, "good")
          .getByText(/Sent dev-node1_\d+\./)
          .waitFor();
        assert.equal(await field(page).inputValue(), "");
        await rows(page).filter({ hasText: text }).getByText("Local").waitFor();
        for (const node of ["dev-node2", "dev-node3"]) {
          await ackRow(page, node).getByText("acked", { exact: true }).waitFor();
          await until("it is counted there", async () => Number((await heatOf(page, node))[0]) >= 1, 20_000);
        }
        assert.equal((await heatOf(page, "dev-node1"))[0], "sent");
        assert.ok(
          (await shifts()) - before < 0.01,
          "nothing jumps when a message and its acknowledgements come",
        );
        await assertAccessible(page);
        await assertFits(page);
        await picture("messages");
      });
    }

    it("shows on the pages of two nodes what one of them sends, live, hostile as it may be, as text", async () => {
      const open = await pages.at("/messages", { node: 1 });
      const other = await pages.at("/messages", { node: 2 });
      await heatRow(other.page, "dev-node2").waitFor();
      const before = await other.shifts();
      const text = `${HOSTILE} ${Date.now()}`;
      await field(open.page).fill(text);
      await sendButton(open.page).click();
      for (const { page } of [open, other]) {
        const arrived = rows(page).filter({ hasText: text });
        await arrived.getByText("dev-node1", { exact: true }).waitFor();
        assert.equal(await arrived.getByText("Local").count(), page === open.page ? 1 : 0);
        assert.equal(await page.locator("main img, main script").count(), 0);
        assert.equal(await page.title(), "Messages · Fleetport");
      }
      await until("it is counted there", async () => Number((await heatOf(other.page, "dev-node2"))[0]) >= 1);
      assert.equal((await heatOf(other.page, "dev-node1"))[0], "sent");
      await ackRow(open.page, "dev-node2").getByText("acked", { exact: true }).waitFor();
      assert.ok((await other.shifts()) - before < 0.01, "nothing jumps when a message comes");
      await other.picture("messages-hostile");
    });

    it("sees what another node sends, and acknowledges it", async () => {
      const { page } = await pages.at("/messages", { node: 2 });
      await heatRow(page, "dev-node2").waitFor();
      const { body } = await ask({ url: real.url(3) }, "POST /api/messages/send", { content: "from three" });
      assert.equal(body.status, "success");
      const arrived = rows(page).filter({ hasText: "from three" }).first();
      await arrived.getByText("dev-node3", { exact: true }).waitFor();
      assert.equal(await arrived.getByText("Local").count(), 0);
      await until("it is counted here", async () => Number((await heatOf(page, "dev-node2"))[0]) >= 1);
      await page.locator("[data-sender=idle]").waitFor();
    });
  });

  for (const look of LOOKS) {
    it(`shows every shade, what is missing, who is overdue and why acks fail (${lookText(look)})`, async () => {
      const counts = [0, 1, 2, 3, 4, 5, 17];
      const messages = counts.map((_, i) => message(20 - i)).concat(message(3, "dev-node2"));
      const receptions = [
        reception("dev-node1", "dev-node2_3", {
          ack_state: "failed",
          last_error: "status 403: unknown node",
        }),
        ...counts.flatMap((count, i) =>
          count === 0 ? [] : [reception("dev-node2", `dev-node1_${20 - i}`, { reception_count: count })],
        ),
      ];
      const { page, picture } = await scripted(
        {
          "messages.list": () => list(messages),
          "acks.sender.all": () => answered(receptions, ["dev-node3"]),
          "acks.tracker.status": () => TRACKED,
        },
        { look },
      );
      await heatRow(page, "dev-node2").waitFor();
      assert.deepEqual(await heatOf(page, "dev-node2"), ["0", "1", "2", "3", "4", "5", "17", "sent"]);
      assert.deepEqual(await heatOf(page, "dev-node1"), [...counts.map(() => "sent"), "1"]);
      assert.deepEqual(
        await heatOf(page, "dev-node3"),
        messages.map(() => "?"),
      );
      await page.getByText("No answer from dev-node3.").waitFor();
      await page.locator("[data-sender=failing]").getByText("Status 403: unknown node.").waitFor();
      await ackRow(page, "dev-node3").getByText("overdue").waitFor();
      assert.equal(await page.locator("[data-acks]").getAttribute("data-acks"), "warn");
      await assertAccessible(page);
      await assertFits(page);
      await picture("messages-shades");
    });
  }

  it("refuses what is empty or too long beside the field, and asks the node nothing", async () => {
    let sends = 0;
    const { page, picture } = await scripted({
      "messages.send": () => {
        sends += 1;
        return { pk: "n_1", timestamp: AT, node_id: "n", sequence: 1 };
      },
    });
    await sendButton(page).click();
    await page.getByRole("alert").getByText("Write something").waitFor();
    assert.equal(await field(page).getAttribute("aria-invalid"), "true");
    await field(page).fill(`${"ü".repeat(4096)}x`);
    await page.getByRole("alert").getByText("8,193 bytes").waitFor();
    await picture("messages-too-long");
    await sendButton(page).click();
    assert.equal(sends, 0);
    await field(page).fill("ü".repeat(4096));
    assert.equal(await page.getByRole("alert").count(), 0);
    await field(page).press("Control+Enter");
    await toast(page, "good").getByText("Sent n_1.").waitFor();
    assert.equal(sends, 1);
  });

  it("shows the node's own sentence about the content beside the field, and keeps what was written", async () => {
    const { page } = await scripted(
      {
        "messages.send": () => {
          const problem = "content is no text";
          throw new CorrosionError("invalid_request", `${problem}.`, { fields: { content: problem } });
        },
      },
      { expected: [/status of 400/] },
    );
    await field(page).fill("hello");
    await sendButton(page).click();
    await page.getByRole("alert").getByText("content is no text").first().waitFor();
    await toast(page, "bad").getByText("The message was not sent").waitFor();
    assert.equal(await field(page).inputValue(), "hello");
  });

  it("takes new, changed and deleted rows from the events alone, each key once, highest sequence first", async () => {
    const { node, page } = await scripted({ "messages.list": () => list([message(2), message(1)]) });
    await rows(page).filter({ hasText: "text 2" }).waitFor();
    await listensToMessages(page);
    const before = await asked(page);
    const tell = (update: object) =>
      node.broker.broadcastLocal("message_updates", { ...update, node_id: node.broker.nodeID });
    await tell({ type: "new_message", row: message(9, "dev-node2") });
    await tell({ type: "initial_row", row: message(9, "dev-node2") });
    await tell({
      type: "message_change",
      change: "UPDATE",
      row: message(2, "dev-node1", { message: "new" }),
    });
    await tell({ type: "message_change", change: "DELETE", row: message(1) });
    await until("all is taken", async () => {
      const texts = await rows(page).evaluateAll((all) => all.map((one) => one.textContent ?? ""));
      return texts.length === 2 && texts[0]!.includes("text 9") && texts[1]!.includes("new");
    });
    assert.equal(await asked(page), before);
  });

  it("moves nothing when messages come, and stands still for the pointer and for the focus", async () => {
    const { node, page, picture, shifts } = await scripted({
      "messages.list": () => list(Array.from({ length: 40 }, (_, i) => message(40 - i))),
    });
    await rows(page).filter({ hasText: "text 40" }).waitFor();
    await listensToMessages(page);
    const tell = (sequence: number) =>
      node.broker.broadcastLocal("message_updates", {
        type: "new_message",
        row: message(sequence, "dev-node2"),
        node_id: node.broker.nodeID,
      });
    const isFirst = (sequence: number) =>
      until(`${sequence} is the first`, async () =>
        ((await rows(page).first().textContent()) ?? "").includes(`text ${sequence}`),
      );
    const newer = (count: string) =>
      page.getByText(`The list stands still while you read: ${count}.`).waitFor();
    const before = await shifts();
    for (let sequence = 41; sequence <= 45; sequence++) {
      await tell(sequence);
      await isFirst(sequence);
    }
    assert.ok((await shifts()) - before < 0.01, `${(await shifts()) - before} of the page jumped`);
    // All of the list in sight: a page that scrolls takes it away from under the pointer.
    await page.getByText("45 messages in all.").scrollIntoViewIfNeeded();
    await rows(page).first().hover();
    await tell(46);
    await tell(47);
    await newer("2 newer messages");
    await isFirst(45);
    await page.getByRole("button", { name: "Show them" }).click();
    await isFirst(47);
    await rows(page).first().getByRole("button", { name: "text 47" }).focus();
    await page.mouse.move(0, 0);
    await tell(48);
    await newer("1 newer message");
    await isFirst(47);
    await picture("messages-held");
    await field(page).focus();
    await isFirst(48);
  });

  it("shows what came after its list was made and before its stream was open", async () => {
    let lists = 0;
    const { page } = await scripted({
      "messages.list": () => {
        lists += 1;
        return list(lists === 1 ? [message(1)] : [message(2), message(1)]);
      },
      "corrosion.subscriber.status": () => ({ ...SUBSCRIBER, state: "paused_for_restart" }),
    });
    await rows(page).filter({ hasText: "text 2" }).waitFor();
    await page.getByText("paused: the agent restarts").waitFor();
  });

  it("keeps what it was told while an older list was on its way", async () => {
    const later = Promise.withResolvers<void>();
    let lists = 0;
    const { node, page } = await scripted({
      "messages.list": async () => {
        lists += 1;
        if (lists === 1) return list([message(1)]);
        await later.promise;
        return list([message(2), message(1)]);
      },
    });
    await until("the list is asked for again", () => lists === 2);
    await node.broker.broadcastLocal("message_updates", {
      type: "new_message",
      row: message(5),
      node_id: node.broker.nodeID,
    });
    await rows(page).filter({ hasText: "text 5" }).waitFor();
    later.resolve();
    await rows(page).filter({ hasText: "text 2" }).waitFor();
    assert.equal(await rows(page).filter({ hasText: "text 5" }).count(), 1);
  });

  it("stays stale, with its reason, when it is told something that brings no row", async () => {
    let lists = 0;
    const { node, page } = await scripted(
      {
        "messages.list": () => {
          lists += 1;
          if (lists === 1) return list([message(1)]);
          throw new CorrosionError("agent_unavailable", "nothing listens at 127.0.0.1:8081");
        },
      },
      { expected: [/status of 503/] },
    );
    const card = page.getByRole("region", { name: "Messages", exact: true }).first();
    await card.getByText("Nothing listens at 127.0.0.1:8081.").waitFor();
    await node.broker.broadcastLocal("message_updates", {
      type: "subscription_error",
      reason: "refused",
      node_id: node.broker.nodeID,
    });
    await page.getByText("not live: the agent does not tell").waitFor();
    assert.equal(await card.getByText("stale", { exact: true }).count(), 1);
    assert.equal(await card.getByText("Nothing listens at 127.0.0.1:8081.").count(), 1);
  });

  it("says when the agent does not tell of new messages, and when it does again", async () => {
    const { node, page } = await scripted({ "messages.list": () => list([message(1)]) });
    await rows(page).filter({ hasText: "text 1" }).waitFor();
    await listensToMessages(page);
    const tell = (update: object) =>
      node.broker.broadcastLocal("message_updates", { ...update, node_id: node.broker.nodeID });
    await tell({ type: "subscription_paused_for_restart" });
    await page.getByText("paused: the agent restarts").waitFor();
    await tell({ type: "subscription_error", reason: "refused" });
    await page.getByText("not live: the agent does not tell").waitFor();
    await tell({ type: "subscription_connected", watch_id: "w" });
    await page.getByText("not live: the agent does not tell").waitFor({ state: "detached" });
  });

  it("counts a reception of this node as it comes", async () => {
    const { node, page } = await scripted({
      "messages.list": () => list([message(5, "dev-node2")]),
      "acks.sender.all": ({ broker }: Context) => ({ ...answered([]), nodes_reporting: [broker.nodeID] }),
    });
    const own = node.broker.nodeID;
    await heatRow(page, own).waitFor();
    assert.deepEqual(await heatOf(page, own), ["0"]);
    await listens(page, "reception_updates");
    await node.broker.broadcastLocal(
      "reception_updates",
      reception(own, "dev-node2_5", { reception_count: 3 }),
    );
    await until("it is counted", async () => (await heatOf(page, own))[0] === "3");
  });

  it("draws only the rows in sight of 500, and keeps no more while others come", async () => {
    const { node, page, picture } = await scripted({
      "messages.list": () => list(Array.from({ length: 500 }, (_, i) => message(1000 - i))),
    });
    await rows(page).filter({ hasText: "text 1000" }).waitFor();
    await listensToMessages(page);
    await page.getByText("The newest 500").waitFor();
    await picture("messages-many");
    assert.ok((await rows(page).count()) < 60);
    for (let i = 1; i <= 50; i++) {
      const update = { type: "new_message", row: message(1000 + i), node_id: node.broker.nodeID };
      await node.broker.broadcastLocal("message_updates", update);
    }
    await rows(page).filter({ hasText: "text 1050" }).waitFor();
    assert.equal(await table(page).locator("table").getAttribute("aria-rowcount"), "501");
    await table(page).evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await rows(page).filter({ hasText: "text 551" }).waitFor();
  });

  it("shows a skeleton while it waits, and texts where there is nothing", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { page, picture } = await scripted({
      "messages.list": async () => {
        await promise;
        return list([]);
      },
    });
    const card = page.getByRole("region", { name: "Messages", exact: true }).first();
    await card.getByRole("status", { name: "Loading" }).waitFor();
    await page
      .getByRole("region", { name: "Receptions", exact: true })
      .getByRole("status", { name: "Loading" })
      .waitFor();
    await picture("messages-loading");
    resolve();
    await card.getByText("No message was sent in this cluster yet").waitFor();
    await page.getByText("There is no message that a node could have received.").waitFor();
    await assertAccessible(page);
    await picture("messages-empty");
  });

  it("gets over a failing agent by Retry", async () => {
    let broken = true;
    const { page, picture } = await scripted(
      {
        "messages.list": () => {
          if (broken) throw new CorrosionError("agent_unavailable", "nothing listens at 127.0.0.1:8081");
          return list([message(1)]);
        },
      },
      { expected: [/status of 503/] },
    );
    await page.getByRole("alert").getByText("Nothing listens at 127.0.0.1:8081.").waitFor();
    await page.getByText("The messages could not be listed").waitFor();
    await assertAccessible(page);
    await picture("messages-failing");
    await pressRetry(page.getByRole("button", { name: "Retry" }), () => {
      broken = false;
    });
    await rows(page).filter({ hasText: "text 1" }).waitFor();
  });

  it("shows all of a long message on demand, hostile as it may be, as text", async () => {
    const text = `${HOSTILE}\n${"long ".repeat(500)}end`;
    const { page, picture } = await scripted({
      "messages.list": () =>
        list([
          message(1, HOSTILE, {
            pk: HOSTILE,
            message: text,
            timestamp: HOSTILE,
            originating_endpoint: HOSTILE,
            region: HOSTILE,
          }),
        ]),
      "acks.sender.all": () => answered([reception(HOSTILE, HOSTILE)], [HOSTILE]),
    });
    await rows(page).first().getByRole("button", { name: "<img" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Message" });
    assert.equal(await dialog.getByRole("region", { name: "Text of the message" }).textContent(), text);
    await assertAccessible(page);
    await assertFits(page);
    await picture("messages-dialog");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute("title")),
      "Show the whole text",
    );
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Messages · Fleetport");
  });
});
