/** @module The Conversations page: three real nodes, and failures that a test puts between them and the page. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Session } from "../../services/conversations/contract.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import {
  agentSays,
  agentSaysMuch,
  drawnSeqs,
  freshUser,
  inSight,
  isLive,
  log,
  makeSession,
  placeOf,
  rowOf,
  write,
} from "./conversations.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { LOOKS, lookText, WIDE } from "./looks.ts";
import { openPages } from "./open-pages.ts";
import { pressRetry } from "./retry.ts";

const rowsOf = (page: Page) =>
  page.getByRole("region", { name: "Sessions", exact: true }).first().getByRole("listitem");

describe("The Conversations page", function () {
  this.timeout(120_000);
  let real: Dashboard;
  const { at } = openPages();

  before(async () => {
    real = await dashboard();
  });

  const session = (messages: number, made: Parameters<typeof makeSession>[2] = {}) =>
    makeSession(real.url(), messages, made);
  const says = (made: Session, text: string) => agentSays(real.url(2), made, { text });

  it("creates a session, opens it, and shows what is sent in every window, whichever node it is of", async () => {
    const user = freshUser();
    const { page, picture } = await at(`/conversations?user_id=${user}`);
    await page.getByText(`${user} has no session yet.`).waitFor();
    await picture("conversations-empty");
    await page.getByRole("button", { name: "New session" }).click();
    await page.getByRole("button", { name: "Create session" }).click();
    await page.getByText("With which agent?").waitFor();
    await page.getByLabel("Agent id").fill("bot");
    await picture("conversations-new");
    await page.getByRole("button", { name: "Create session" }).click();
    await page.locator("[data-toast=good]").getByText("is there.").waitFor();
    await isLive(page);
    const other = await at(new URL(page.url()).pathname + new URL(page.url()).search, { node: 3 });
    await isLive(other.page);
    await write(page, "hello from node 1");
    await log(other.page).getByText("hello from node 1").waitFor();
    await write(other.page, "hello from node 3");
    await log(page).getByText("hello from node 3").waitFor();
    for (const one of [page, other.page])
      await until("both are stored", async () => (await log(one).locator("article").count()) === 2);
    assert.equal(await page.locator("[data-outgoing]").count(), 0);
  });

  for (const look of LOOKS) {
    it(`tells what is unread, marks it read, is accessible and fits (${lookText(look)})`, async () => {
      const made = await session(3);
      const { page, picture } = await at(placeOf(made), { look });
      await isLive(page);
      await page.locator("[data-unread='3']").waitFor();
      assert.equal(await log(page).locator("[data-first-unread]").count(), 1);
      await assertAccessible(page);
      await assertFits(page);
      await picture("conversations");
      await page.getByRole("button", { name: "Mark as read" }).click();
      await page.getByText("Read up to message 3; 0 unread.").waitFor();
      await page.locator("[data-unread='0']").waitFor();
      await says(made, "one more");
      await page.locator("[data-unread='1']").waitFor();
    });
  }

  it("says in the list what is new in a session that is not open", async () => {
    const quiet = await session(1);
    const loud = await session(1, { user: quiet.user_id });
    const { page } = await at(placeOf(quiet));
    await isLive(page);
    await rowOf(page, loud).waitFor();
    await says(loud, "psst");
    const row = rowOf(page, loud);
    await row.getByText("1 new").waitFor();
    await row.click();
    await log(page).getByText("psst").waitFor();
    await until("it is seen", async () => (await row.getByText("1 new").count()) === 0);
  });

  it("stores a message once when the answer to an earlier attempt was lost", async () => {
    const made = await session(0);
    const keys: unknown[] = [];
    const { page } = await at(placeOf(made), {
      expected: [/status of 504/],
      prepare: (tab) =>
        tab.route("**/api/sessions/*/messages", async (route) => {
          if (route.request().method() !== "POST") return route.continue();
          keys.push(route.request().postDataJSON().idempotency_key);
          if (keys.length > 1) return route.continue();
          await route.fetch();
          await route.fulfill({ status: 504, json: { error: "no outcome in time", code: "append_timeout" } });
        }),
    });
    await isLive(page);
    await write(page, "once");
    await page.getByText("an earlier attempt had stored it already").waitFor();
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.equal(await log(page).getByText("once", { exact: true }).count(), 1);
  });

  it("keeps what could not be sent, and sends it when the person tries again", async () => {
    const made = await session(0);
    let down = true;
    const { page, picture } = await at(placeOf(made), {
      expected: [/status of 503/],
      prepare: (tab) =>
        tab.route("**/api/sessions/*/messages", (route) =>
          down && route.request().method() === "POST"
            ? route.fulfill({
                status: 503,
                json: { error: "the group has no leader now", code: "leader_unavailable" },
              })
            : route.continue(),
        ),
    });
    await isLive(page);
    await write(page, "patience");
    await page.locator("[data-outgoing=waiting], [data-outgoing=sending]").first().waitFor();
    await page
      .locator("[data-outgoing=failed]")
      .getByText("Not sent: the group has no leader now")
      .waitFor({ timeout: 30_000 });
    await picture("conversations-not-sent");
    await page.getByRole("link", { name: "Overview" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.goBack();
    down = false;
    await page.locator("[data-outgoing=failed]").getByRole("button", { name: "Retry" }).click();
    await log(page).locator("article").getByText("patience").waitFor();
    assert.equal(await page.locator("[data-outgoing]").count(), 0);
  });

  it("discards what could not be sent after a question only", async () => {
    const made = await session(0);
    const { page, picture } = await at(placeOf(made), {
      expected: [/status of 422/],
      prepare: (tab) =>
        tab.route("**/api/sessions/*/messages", (route) =>
          route.request().method() === "POST"
            ? route.fulfill({ status: 422, json: { error: "the kind is none", code: "invalid_message" } })
            : route.continue(),
        ),
    });
    await isLive(page);
    await write(page, "words that cost an hour");
    const failed = page.locator("[data-outgoing=failed]");
    await failed.getByRole("button", { name: "Discard" }).click();
    await picture("conversations-discard");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await failed.getByText("words that cost an hour").waitFor();
    await failed.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard message" }).click();
    await failed.waitFor({ state: "detached" });
  });

  it("says in the dialog why a session was not created: what lies behind it cannot be reached", async () => {
    const { page, picture } = await at(`/conversations?user_id=${freshUser()}`, {
      expected: [/status of 503/],
      prepare: (tab) =>
        tab.route("**/api/sessions", (route) =>
          route.fulfill({
            status: 503,
            json: { error: "the group has no leader now", code: "leader_unavailable" },
          }),
        ),
    });
    await page.getByRole("button", { name: "New session" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Agent id").fill("bot");
    await dialog.getByRole("button", { name: "Create session" }).click();
    await dialog.getByRole("alert").getByText("The group has no leader now.").waitFor();
    await assertAccessible(page);
    await picture("conversations-not-created");
  });

  it("archives after a question only, and takes no messages then", async () => {
    const made = await session(1);
    const { page } = await at(placeOf(made));
    await isLive(page);
    await page.getByRole("button", { name: "Archive", exact: true }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.ok(await page.getByRole("button", { name: "Send" }).isVisible());
    await page.getByRole("button", { name: "Archive", exact: true }).click();
    await page.getByRole("button", { name: "Archive session" }).click();
    await page.getByText("The session is archived.").waitFor();
    await page.getByText("This session is archived: it takes no more messages.").waitFor();
    await log(page).getByText("word 1").waitFor();
  });

  it("finds a session by its id, and says when there is none", async () => {
    const made = await session(1);
    const { page } = await at("/conversations", { expected: [/status of 404/] });
    await page.getByText("Say whose sessions you want to see").waitFor();
    await page.getByLabel("Session id", { exact: true }).fill("nobody");
    await page.getByRole("button", { name: "Find session" }).click();
    await page.locator("main").getByRole("alert").waitFor();
    await page.getByLabel("Session id", { exact: true }).fill(made.id);
    await page.getByRole("button", { name: "Find session" }).click();
    await log(page).getByText("word 1").waitFor();
    assert.match(page.url(), new RegExp(made.user_id));
  });

  it("shows a session to somebody else for reading only", async () => {
    const made = await session(1);
    const { page, picture } = await at(placeOf({ ...made, user_id: freshUser() }));
    await page.getByText("it can be read here, but nothing is live").waitFor();
    await log(page).getByText("word 1").waitFor();
    assert.equal(await page.getByRole("button", { name: "Send" }).count(), 0);
    assert.ok(await page.getByRole("button", { name: "Mark as read" }).isDisabled());
    await picture("conversations-foreign");
    await page.getByRole("link", { name: "Open it as its user" }).click();
    await isLive(page);
    assert.ok(await page.getByRole("button", { name: "Send" }).isVisible());
  });

  it("loads older messages as somebody scrolls up, without moving what is read, and comes back to the newest", async () => {
    const made = await session(0);
    await agentSaysMuch(real.url(), made, 450);
    const { page, picture, shifts } = await at(placeOf(made));
    await isLive(page);
    await log(page).locator("[data-seq='450']").waitFor();
    assert.equal(await log(page).locator("article").count(), 100);
    const before = await shifts();
    // Until the page has seen that, it goes back to the end whenever it is drawn.
    await until("the page stands above its end", async () => {
      await log(page).evaluate((box) => {
        box.scrollTop = box.scrollHeight / 2;
      });
      return page.getByRole("button", { name: "Newest messages" }).isVisible();
    });
    for (let first = 351; first > 1; ) {
      const row = log(page).locator(`[data-seq='${first}']`);
      const top = await row.evaluate((element) => {
        element.closest("[role=log]")!.scrollTop = 150;
        return element.getBoundingClientRect().top;
      });
      await until("older ones are there", async () => (await firstSeq(page)) < first);
      const moved = (await row.evaluate((element) => element.getBoundingClientRect().top)) - top;
      assert.ok(Math.abs(moved) < 2, `message ${first} moved by ${moved} px`);
      first = await firstSeq(page);
    }
    await log(page).locator("[data-seq='1']").waitFor();
    assert.equal(await log(page).locator("article").count(), 300);
    assert.equal(await page.getByRole("button", { name: "Earlier messages" }).count(), 0);
    await says(made, "the newest of all");
    await picture("conversations-scrolled");
    assert.ok((await shifts()) - before < 0.001, "nothing jumps");
    await page.getByRole("button", { name: "1 new message" }).click();
    await log(page).getByText("the newest of all").waitFor();
    await until("it is in sight", () => inSight(log(page).getByText("the newest of all")));
    await page.getByRole("button", { name: /new message|Newest/ }).waitFor({ state: "detached" });
  });

  it("catches up when it follows again, though older messages are still being fetched", async () => {
    const made = await session(0);
    await agentSaysMuch(real.url(), made, 450);
    const [older, newest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const tail = Promise.withResolvers<void>();
    let held = false;
    const { page } = await at(placeOf(made), {
      async prepare(tab) {
        await tab.route(/messages\?after_seq=0&/, async (route) => {
          await older.promise;
          await route.continue();
        });
        await tab.route(/messages\?tail=/, async (route) => {
          if (!held) return route.continue();
          const response = await route.fetch();
          tail.resolve();
          await newest.promise;
          await route.fulfill({ response });
        });
      },
    });
    await isLive(page);
    await log(page).locator("[data-seq='450']").waitFor();
    const up = () =>
      log(page).evaluate((box) => {
        box.scrollTop = 150;
      });
    await until("the newest are not shown any more", async () => {
      await up();
      return (await firstSeq(page)) === 51;
    });
    await until("the first are asked for", async () => {
      await up();
      return (
        (await page.getByRole("button", { name: "Earlier messages" }).getAttribute("aria-busy")) === "true"
      );
    });
    held = true;
    await page.getByRole("button", { name: "Newest messages" }).click();
    await tail.promise;
    await says(made, "said while both are on their way");
    await page.getByRole("button", { name: "1 new message" }).waitFor();
    newest.resolve();
    await log(page).locator("[data-seq='450']").waitFor();
    older.resolve();
    await log(page).getByText("said while both are on their way").waitFor();
  });

  it("has every session in its list, also one that newer ones pushed off the newest page", async () => {
    const user = freshUser();
    const made = await Promise.all(Array.from({ length: 52 }, () => session(0, { user })));
    const { page } = await at(`/conversations?user_id=${user}`);
    await page.getByRole("button", { name: "Older sessions" }).click();
    await until("all are there", async () => (await rowsOf(page).count()) === 52);
    made.push(await session(0, { user }));
    await rowOf(page, made.at(-1)!).waitFor();
    const shown = await rowsOf(page).evaluateAll((rows) => rows.map(({ textContent }) => textContent ?? ""));
    for (const { id } of made) assert.equal(shown.filter((text) => text.includes(id)).length, 1, id);
  });

  it("stays at the newest message while somebody is there, and where somebody reads otherwise", async () => {
    const made = await session(40);
    const { page } = await at(placeOf(made));
    await isLive(page);
    await says(made, "followed");
    await until("the newest is in sight", () => inSight(log(page).getByText("followed")));
    await log(page).focus();
    await page.keyboard.press("Home");
    await page.getByRole("button", { name: "Newest messages" }).waitFor();
    await says(made, "not followed");
    await page.getByRole("button", { name: "1 new message" }).waitFor();
    await until("the oldest comes into sight", () => inSight(log(page).getByText("word 1", { exact: true })));
    await page.keyboard.press("End");
    await until("the newest is in sight", () => inSight(log(page).getByText("not followed")));
    await page.getByRole("button", { name: /new message|Newest/ }).waitFor({ state: "detached" });
  });

  it("keeps what is written and not sent for each session, sends by Enter, and breaks the line by Shift+Enter", async () => {
    const first = await session(1);
    const second = await session(2, { user: first.user_id });
    const { page } = await at(placeOf(first));
    await isLive(page);
    const field = page.getByLabel("Message", { exact: true });
    await field.fill("half a thought");
    await rowOf(page, second).click();
    await log(page).getByText("word 2").waitFor();
    assert.equal(await field.inputValue(), "");
    await rowOf(page, first).click();
    await until("the draft is there", async () => (await field.inputValue()) === "half a thought");
    await field.press("End");
    await field.press("Shift+Enter");
    await field.pressSequentially("  and the rest");
    await field.press("Enter");
    const sent = log(page).locator("[data-seq='2'] p");
    await sent.waitFor();
    await page.getByRole("button", { name: "Archive", exact: true }).focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until("whoever skips is where one writes", () =>
      field.evaluate((element) => element === document.activeElement),
    );
    assert.equal(await sent.textContent(), "half a thought\n  and the rest");
    assert.equal(await field.inputValue(), "");
  });

  it("is two steps on a narrow screen, each of which can be taken by keyboard", async () => {
    const made = await session(1);
    const { page, picture } = await at(`/conversations?user_id=${made.user_id}`, { look: LOOKS[2]! });
    const row = rowOf(page, made);
    await row.waitFor();
    await picture("conversations-list");
    await row.focus();
    await page.keyboard.press("Enter");
    await log(page).getByText("word 1").waitFor();
    assert.ok(!(await row.isVisible()));
    await page.keyboard.press("Enter");
    await row.waitFor();
    assert.ok(!(await log(page).isVisible()));
  });

  it("keeps code as it is, shows what else is stored, and the beginning of what is long", async () => {
    const made = await session(0);
    const code = "for (const a of b) {\n    <b>c</b>;\n}";
    await agentSays(real.url(), made, { text: `Try this:\n\`\`\`js\n${code}\n\`\`\`\nand say how it went.` });
    await agentSays(real.url(), made, {
      id: "a1",
      role: "assistant",
      parts: [
        { type: "reasoning", text: "They want the weather.", state: "done" },
        { type: "tool-weather", toolCallId: "t1", state: "output-available", output: { degrees: 21 } },
        { type: "text", text: "It is 21 °C.", state: "done" },
      ],
    });
    await agentSays(real.url(), made, { text: "long ".repeat(2000) });
    for (const look of LOOKS) {
      const { page, picture } = await at(placeOf(made), { look });
      await isLive(page);
      assert.equal(await log(page).locator("pre").first().textContent(), code);
      assert.equal(await log(page).locator("[data-seq='2'] pre").count(), 1);
      await log(page).getByText("They want the weather.").waitFor();
      assert.ok(((await log(page).locator("[data-seq='3']").textContent()) ?? "").length < 3000);
      await assertAccessible(page);
      await assertFits(page);
      await log(page).evaluate((box) => box.scrollTo(0, 0));
      await picture("conversations-contents");
      await page.getByRole("button", { name: "Show all 10,000 characters" }).click();
      await until("all is shown", async () =>
        ((await log(page).locator("[data-seq='3'] p").last().textContent()) ?? "").endsWith("long long "),
      );
      await page.getByRole("button", { name: "Show less" }).waitFor();
    }
  });

  for (const look of LOOKS) {
    it(`has a look for each state: nobody chosen, loading, failed (${lookText(look)})`, async () => {
      const made = await session(1);
      const nobody = await at("/conversations", { look });
      await nobody.page.getByLabel("User id").waitFor();
      await assertFits(nobody.page);
      await nobody.picture("conversations-nobody");
      let answer: "later" | "failure" | "real" = "later";
      const waiting: (() => void)[] = [];
      const { page, picture } = await at(placeOf(made), {
        look,
        expected: [/status of 503/],
        prepare: (tab) =>
          tab.route(/\/api\/sessions/, async (route) => {
            if (answer === "later") await new Promise<void>((resolve) => waiting.push(resolve));
            if (answer === "real") return route.continue();
            await route.fulfill({
              status: 503,
              json: { error: "the group has no leader now", code: "leader_unavailable" },
            });
          }),
      });
      await page.getByRole("status", { name: "Loading" }).last().waitFor();
      await picture("conversations-loading");
      answer = "failure";
      for (const go of waiting.splice(0)) go();
      const retry = page.getByRole("button", { name: "Retry" }).last();
      await retry.waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("conversations-error");
      await pressRetry(retry, () => {
        answer = "real";
      });
      await log(page).getByText("word 1").waitFor();
    });
  }

  for (const look of [WIDE, LOOKS[2]!]) {
    it(`shows hostile text as the text that it is, and long ids within their place (${lookText(look)})`, async () => {
      const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
      const user = `${freshUser()}${hostile}`;
      const agent = `${"long".repeat(30)}${hostile}`;
      const made = await session(0, { user, agent });
      await says(made, hostile);
      await agentSays(real.url(), made, { parts: [{ type: hostile }], [hostile]: hostile });
      const { page, picture } = await at(placeOf(made), { look });
      await log(page).locator("[data-seq='1']").getByText(hostile, { exact: true }).waitFor();
      await write(page, hostile);
      await log(page).locator("[data-seq='3']").getByText(hostile, { exact: true }).waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("conversations-hostile");
      assert.equal(await page.locator("main img, main script").count(), 0);
      assert.equal(await page.title(), "Conversations · Fleetport");
    });
  }
});

/** Seq of the first message that is drawn. */
async function firstSeq(page: Page): Promise<number> {
  return (await drawnSeqs(page))[0]!;
}
