/** @module The Conversations page: three real nodes, and failures that a test puts between them and the page. */
import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import type { Session } from "../../services/conversations/contract.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visited } from "./browser.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";

let users = 0;

describe("The Conversations page", function () {
  this.timeout(120_000);
  let real: Dashboard;
  const opened: Visited[] = [];

  before(async () => {
    real = await dashboard();
  });
  afterEach(async () => {
    for (const visited of opened.splice(0)) await visited.close();
  });

  async function at(path: string, options: Parameters<Dashboard["open"]>[1] = {}): Promise<Visited> {
    const visited = await real.open(path, options);
    opened.push(visited);
    return visited;
  }

  /** A session of a user whom no other test has, with messages of the agent. */
  async function session(messages: number, user = freshUser()): Promise<Session> {
    const { body, status } = await ask({ url: real.url() }, "POST /api/sessions", {
      user_id: user,
      agent_id: "bot",
    });
    assert.equal(status, 201);
    const made = body.session as unknown as Session;
    for (let i = 1; i <= messages; i++) await says(made, `word ${i}`);
    return made;
  }

  async function says({ id }: Session, text: string, node = 2): Promise<void> {
    const { status } = await ask({ url: real.url(node) }, `POST /api/sessions/${id}/messages`, {
      agent_id: "bot",
      content: { text },
    });
    assert.equal(status, 200);
  }

  const place = ({ id, user_id }: Session) =>
    `/conversations?user_id=${encodeURIComponent(user_id)}&session_id=${encodeURIComponent(id)}`;
  const log = (page: Page) => page.getByRole("log", { name: "Messages" });
  const live = (page: Page) =>
    page.locator("[data-lamp=socket]").getByText("live", { exact: true }).waitFor();

  async function write(page: Page, text: string): Promise<void> {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  }

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
    await live(page);
    const other = await at(new URL(page.url()).pathname + new URL(page.url()).search, { node: 3 });
    await live(other.page);
    await write(page, "hello from node 1");
    await log(other.page).getByText("hello from node 1").waitFor();
    await write(other.page, "hello from node 3");
    await log(page).getByText("hello from node 3").waitFor();
    for (const one of [page, other.page]) assert.equal(await log(one).locator("article").count(), 2);
    assert.equal(await page.locator("[data-outgoing]").count(), 0);
  });

  for (const look of LOOKS) {
    it(`tells what is unread, marks it read, is accessible and fits (${lookText(look)})`, async () => {
      const made = await session(3);
      const { page, picture } = await at(place(made), { look });
      await live(page);
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
    const loud = await session(1, quiet.user_id);
    const { page } = await at(place(quiet));
    await live(page);
    await page.getByRole("button").filter({ hasText: loud.id }).waitFor();
    await says(loud, "psst");
    const row = page.getByRole("button").filter({ hasText: loud.id });
    await row.getByText("1 new").waitFor();
    await row.click();
    await log(page).getByText("psst").waitFor();
    await until("it is seen", async () => (await row.getByText("1 new").count()) === 0);
  });

  it("goes on after an interruption of the socket, with all that was said meanwhile, each once", async () => {
    const made = await session(1);
    const sockets: { close(): void }[] = [];
    let blocked = false;
    const { page, picture } = await at(place(made), {
      expected: [/WebSocket/],
      prepare: (tab) =>
        tab.routeWebSocket(/\/socket\/websocket/, (socket) => {
          if (blocked) return void socket.close({ code: 1012 });
          socket.connectToServer();
          sockets.push({ close: () => void socket.close({ code: 1012 }) });
        }),
    });
    await live(page);
    blocked = true;
    for (const socket of sockets) socket.close();
    await page.getByText("The socket is interrupted").waitFor();
    await says(made, "said meanwhile");
    // Asked for every 5 s while nothing is live.
    await log(page).getByText("said meanwhile").waitFor();
    await picture("conversations-interrupted");
    blocked = false;
    await live(page);
    await says(made, "said after");
    await log(page).getByText("said after").waitFor();
    assert.deepEqual(
      await log(page)
        .locator("article")
        .evaluateAll((rows) => rows.map((row) => row.getAttribute("data-seq"))),
      ["1", "2", "3"],
    );
    assert.equal(await page.getByText("The socket is interrupted").count(), 0);
  });

  it("stores a message once when the answer to an earlier attempt was lost", async () => {
    const made = await session(0);
    const keys: unknown[] = [];
    const { page } = await at(place(made), {
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
    await live(page);
    await write(page, "once");
    await page.getByText("an earlier attempt had stored it already").waitFor();
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.equal(await log(page).getByText("once", { exact: true }).count(), 1);
  });

  it("keeps what could not be sent, and sends it when the person tries again", async () => {
    const made = await session(0);
    let down = true;
    const { page, picture } = await at(place(made), {
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
    await live(page);
    await write(page, "patience");
    await page.locator("[data-outgoing=waiting], [data-outgoing=sending]").first().waitFor();
    await page
      .locator("[data-outgoing=failed]")
      .getByText("Not sent: the group has no leader now")
      .waitFor({ timeout: 30_000 });
    await picture("conversations-not-sent");
    down = false;
    await page.getByRole("button", { name: "Retry" }).click();
    await log(page).locator("article").getByText("patience").waitFor();
    assert.equal(await page.locator("[data-outgoing]").count(), 0);
  });

  it("archives after a question only, and takes no messages then", async () => {
    const made = await session(1);
    const { page } = await at(place(made));
    await live(page);
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

  it("loads older messages as somebody scrolls up, without moving what is read, and comes back to the newest", async () => {
    const made = await session(450);
    const { page, picture, shifts } = await at(place(made));
    await live(page);
    await log(page).getByText("word 450", { exact: true }).waitFor();
    assert.equal(await log(page).locator("article").count(), 100);
    const before = await shifts();
    for (let first = 351; first > 1; ) {
      const row = log(page).locator(`[data-seq='${first}']`);
      await log(page).evaluate((box) => {
        box.scrollTop = 150;
      });
      const top = await row.evaluate((element) => element.getBoundingClientRect().top);
      await until("older ones are there", async () => (await firstSeq(page)) < first);
      const moved = (await row.evaluate((element) => element.getBoundingClientRect().top)) - top;
      assert.ok(Math.abs(moved) < 2, `message ${first} moved by ${moved} px`);
      first = await firstSeq(page);
    }
    await log(page).getByText("word 1", { exact: true }).waitFor();
    assert.equal(await log(page).locator("article").count(), 300);
    assert.equal(await page.getByRole("button", { name: "Earlier messages" }).count(), 0);
    await says(made, "the newest of all");
    await picture("conversations-scrolled");
    assert.ok((await shifts()) - before < 0.001, "nothing jumps");
    await page.getByRole("button", { name: "1 new message" }).click();
    await log(page).getByText("the newest of all").waitFor();
    await until("it is in sight", () => inSight(log(page).getByText("the newest of all")));
    assert.equal(await page.getByRole("button", { name: /new message|Newest/ }).count(), 0);
  });

  it("stays at the newest message while somebody is there, and where somebody reads otherwise", async () => {
    const made = await session(40);
    const { page } = await at(place(made));
    await live(page);
    await says(made, "followed");
    await until("the newest is in sight", () => inSight(log(page).getByText("followed")));
    await log(page).focus();
    await page.keyboard.press("Home");
    await page.getByRole("button", { name: "Newest messages" }).waitFor();
    await says(made, "not followed");
    await page.getByRole("button", { name: "1 new message" }).waitFor();
    assert.ok(await inSight(log(page).getByText("word 1", { exact: true })));
    await page.keyboard.press("End");
    await until("the newest is in sight", () => inSight(log(page).getByText("not followed")));
    assert.equal(await page.getByRole("button", { name: /new message|Newest/ }).count(), 0);
  });

  it("shows hostile text as the text that it is", async () => {
    const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    const made = await session(0, `${freshUser()}${hostile}`);
    await says(made, hostile);
    const { page } = await at(place(made));
    await log(page).getByText(hostile).waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(await page.title(), "Conversations · Fleetport");
  });
});

/** Seq of the first message that is drawn. */
async function firstSeq(page: Page): Promise<number> {
  return Number(await page.locator("[data-seq]").first().getAttribute("data-seq"));
}

async function inSight(element: Locator): Promise<boolean> {
  return element.evaluate((found) => {
    const { top, bottom } = found.getBoundingClientRect();
    const box = found.closest("[role=log]")!.getBoundingClientRect();
    return top >= box.top && bottom <= box.bottom;
  });
}

function freshUser(): string {
  users += 1;
  return `user-${Date.now()}-${users}`;
}
