/** @module The Conversations page while messages come: connections that break, answers that are streamed. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Page, WebSocketRoute } from "playwright-core";
import type { Message, Session } from "../../services/conversations/contract.ts";
import { Cluster } from "../helpers/cluster.ts";
import { ask } from "../helpers/console.ts";
import { startProxy } from "../helpers/tcp-proxy.ts";
import { until } from "../helpers/until.ts";
import { assertAccessible, assertFits } from "./accessibility.ts";
import type { Visited } from "./browser.ts";
import {
  agentSays,
  agentSaysMuch,
  drawnSeqs,
  isLive,
  log,
  makeSession,
  placeOf,
  write,
} from "./conversations.ts";
import { type Dashboard, dashboard } from "./dashboard.ts";
import { LOOKS, lookText } from "./looks.ts";
import { openPages } from "./open-pages.ts";

/** What the console says of connections that a test breaks. */
const BROKEN = [/WebSocket/, /net::ERR_/, /status of 503/];

describe("An open conversation", function () {
  this.timeout(120_000);
  let real: Dashboard;
  const { at, of } = openPages();

  before(async () => {
    real = await dashboard();
  });

  const says = (made: Session, text: string) => agentSays(real.url(2), made, { text });

  for (const look of LOOKS) {
    it(`goes on after an interruption of the socket, with all that was said meanwhile, each once (${lookText(look)})`, async () => {
      const made = await makeSession(real.url(), 1);
      const sockets: { close(): void }[] = [];
      let blocked = false;
      const { page, picture } = await at(placeOf(made), {
        look,
        expected: [/WebSocket/],
        prepare: (tab) =>
          tab.routeWebSocket(/\/socket\/websocket/, (socket) => {
            if (blocked) return void socket.close({ code: 1012 });
            socket.connectToServer();
            sockets.push({ close: () => void socket.close({ code: 1012 }) });
          }),
      });
      await isLive(page);
      blocked = true;
      for (const socket of sockets) socket.close();
      await page.getByText("The socket is interrupted").waitFor();
      await says(made, "said meanwhile");
      // Asked for every 5 s while nothing is live.
      await log(page).getByText("said meanwhile").waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("conversations-interrupted");
      blocked = false;
      await isLive(page);
      await says(made, "said after");
      await log(page).getByText("said after").waitFor();
      assert.deepEqual(await drawnSeqs(page), [1, 2, 3]);
      assert.equal(await page.getByText("The socket is interrupted").count(), 0);
    });
  }

  it("goes on when the network is back: what was said and written meanwhile is there, each once", async () => {
    const made = await makeSession(real.url(), 1);
    const proxy = await startProxy(Number(new URL(real.url()).port));
    try {
      const url = `http://127.0.0.1:${proxy.port}`;
      const { page, picture } = await of({ url, path: placeOf(made), expected: BROKEN });
      await isLive(page);
      proxy.sever();
      await page.getByText("The socket is interrupted").waitFor();
      await write(page, "written in the dark");
      await page
        .locator("[data-outgoing]")
        .getByText(/Attempt [2-6] of 6/)
        .waitFor();
      await picture("conversations-offline");
      await agentSaysMuch(real.url(2), made, 150);
      proxy.heal();
      await isLive(page);
      await sendAgainIfNeeded(page);
      await log(page).locator("article").getByText("written in the dark").waitFor();
      const all = Array.from({ length: 152 }, (_, i) => i + 1);
      await until("all is there, once", async () => isDeepStrictEqual(await drawnSeqs(page), all));
      assert.equal(await page.locator("[data-outgoing]").count(), 0);
      assert.deepEqual(
        (await stored(real.url(), made)).filter(({ sender_id }) => sender_id === made.user_id).length,
        1,
      );
    } finally {
      await proxy.stop();
    }
  });

  for (const look of LOOKS) {
    it(`shows an answer as it is streamed, and then its message, once (${lookText(look)})`, async () => {
      const made = await makeSession(real.url(), 1);
      const line = new Line(made);
      const { page, picture, shifts } = await at(placeOf(made), { look, prepare: (tab) => line.tap(tab) });
      await isLive(page);
      const before = await shifts();
      const draft = page.locator("[data-draft]");
      const words = ["The capital", " of France", " is\n", "```\nParis\n", "```\n", "as ever."];
      line.chunk(1, { type: "start" });
      line.chunk(1, { type: "text-start", id: "t" });
      line.chunk(1, { type: "text-delta", id: "t", delta: words[0] });
      await draft.getByText("The capital", { exact: true }).waitFor();
      for (const delta of words.slice(1, 4)) line.chunk(1, { type: "text-delta", id: "t", delta });
      await draft.getByText("Paris").waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await picture("conversations-streaming");
      // The attempt breaks; the next one writes anew.
      line.chunk(2, { type: "text-start", id: "t" });
      for (const delta of words) line.chunk(2, { type: "text-delta", id: "t", delta });
      await draft.getByText("is writing, attempt 2").waitFor();
      await until("the text is that of the second attempt", async () =>
        ((await draft.textContent()) ?? "").includes("as ever."),
      );
      assert.equal((await draft.textContent())!.split("The capital").length, 2);
      await agentSays(real.url(3), made, {
        role: "assistant",
        parts: [{ type: "text", text: words.join(""), state: "done" }],
      });
      line.chunk(2, { type: "finish" });
      await log(page).locator("[data-seq='2']").getByText("as ever.").waitFor();
      await until("the draft is gone", async () => (await draft.count()) === 0);
      assert.equal(await log(page).getByText("as ever.").count(), 1);
      assert.ok((await shifts()) - before < 0.01, "nothing jumps");
    });
  }

  it("tells when an agent's answer failed", async () => {
    const made = await makeSession(real.url(), 1);
    const line = new Line(made);
    const { page } = await at(placeOf(made), { prepare: (tab) => line.tap(tab) });
    await isLive(page);
    line.chunk(5, { type: "text-delta", id: "t", delta: "almost" });
    await page.locator("[data-draft]").getByText("almost").waitFor();
    line.push("dispatch_failed", {
      agent_id: made.agent_id,
      dispatch_id: `${made.id}.1`,
      from_seq: 1,
      to_seq: 1,
      attempts: 5,
      reason: "timeout",
    });
    await page.locator("[data-toast=bad]").getByText("bot did not answer: timeout, 5 attempts.").waitFor();
    await until("the draft is gone", async () => (await page.locator("[data-draft]").count()) === 0);
  });
});

describe("An open conversation of a distributed fleet", function () {
  this.timeout(240_000);
  let cluster: Cluster;
  const pages = openPages();

  before(async () => {
    cluster = await Cluster.start({ servers: 1, nodes: 2 });
  });
  after(() => cluster?.stop());

  async function at(node: string, made: Session): Promise<Visited> {
    const visited = await pages.of({ url: cluster.node(node).url, path: placeOf(made), expected: BROKEN });
    await isLive(visited.page);
    return visited;
  }

  it("is the same in windows of all nodes, and survives the node of one of them", async () => {
    const made = await makeSession(cluster.node("n2").url, 1);
    const [one, two] = [await at("n1", made), await at("n2", made)];
    await write(one.page, "from the one");
    await log(two.page).locator("article").getByText("from the one").waitFor();
    await write(two.page, "from the other");
    await log(one.page).locator("article").getByText("from the other").waitFor();
    await cluster.node("n1").program.end("SIGKILL");
    await one.page.getByText("The socket is interrupted").waitFor();
    await cluster.settled();
    await write(two.page, "meanwhile");
    await log(two.page).locator("article").getByText("meanwhile").waitFor();
    await cluster.startNode("n1");
    await isLive(one.page, 60_000);
    await log(one.page).getByText("meanwhile").waitFor();
    await write(one.page, "back again");
    await log(two.page).locator("article").getByText("back again").waitFor();
    await one.picture("conversations-node-back");
    for (const { page } of [one, two]) {
      await until("nothing is on its way", async () => (await page.locator("[data-outgoing]").count()) === 0);
      assert.deepEqual(await drawnSeqs(page), [1, 2, 3, 4, 5]);
    }
  });
});

/** A person's second try, where the first six attempts were over before the network was back. */
async function sendAgainIfNeeded(page: Page): Promise<void> {
  const out = page.locator("[data-outgoing]");
  await until(
    "the message is sent, or given up",
    async () => (await out.count()) === 0 || (await page.locator("[data-outgoing=failed]").count()) === 1,
  );
  if ((await out.count()) === 0) return;
  await page.locator("[data-outgoing=failed]").getByRole("button", { name: "Retry" }).click();
}

async function stored(url: string, { id }: Session): Promise<readonly Message[]> {
  const { text } = await ask({ url }, `GET /api/sessions/${id}/messages?limit=1000`);
  const { messages }: { messages: readonly Message[] } = JSON.parse(text);
  return messages;
}

/** The socket between a page and its node, on which a test says what a fleet does while an agent answers. */
class Line {
  readonly #session: Session;
  #page: WebSocketRoute | null = null;
  #joinRef: string | null = null;
  #next: Record<number, number> = {};

  constructor(session: Session) {
    this.#session = session;
  }

  async tap(tab: Page): Promise<void> {
    await tab.routeWebSocket(/\/socket\/websocket/, (page) => {
      const node = page.connectToServer();
      this.#page = page;
      page.onMessage((frame) => {
        const [joinRef, , topic, event] = JSON.parse(String(frame));
        if (event === "phx_join" && topic === this.#topic) this.#joinRef = joinRef;
        node.send(frame);
      });
    });
  }

  /** The next chunk of an attempt to answer. */
  chunk(attempt: number, chunk: object): void {
    const index = this.#next[attempt] ?? 0;
    this.#next[attempt] = index + 1;
    const { agent_id, id } = this.#session;
    this.push("stream_chunk", { agent_id, chunk, dispatch_id: `${id}.1`, attempt, index });
  }

  push(event: string, payload: object): void {
    assert.ok(this.#page, "the page has no socket yet");
    this.#page.send(JSON.stringify([this.#joinRef, null, this.#topic, event, payload]));
  }

  get #topic(): string {
    return `session:${this.#session.id}`;
  }
}
