/** @module The subscriber against an agent whose every answer a test decides, on a clock that the test moves. */
import assert from "node:assert/strict";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { MESSAGE_COLUMNS } from "../../lib/corrosion/message-columns.ts";
import { MessageSubscriber } from "../../services/corrosion/subscriber.ts";
import { SUBSCRIBER_TIMES } from "../../services/corrosion/subscriber-timing.ts";
import type { Update } from "../../services/corrosion/subscription.ts";
import { FakeTimers } from "../helpers/fake-timers.ts";
import { quietLogger } from "../helpers/quiet.ts";
import { type Exchange, ScriptedAgent } from "../helpers/scripted-agent.ts";
import { until } from "../helpers/until.ts";

const cells = (pk: string) => [pk, "n", "hello", 1, "2026-01-01T00:00:00.000000Z", "127.0.0.1:5001", "ams"];
const COLUMNS = { columns: MESSAGE_COLUMNS };
const row = (pk: string) => ({ row: [1, cells(pk)] });
const eoq = (id: number) => ({ eoq: { time: 0.1, change_id: id } });
const insert = (id: number, pk: string) => ({ change: ["insert", 1, cells(pk), id] });

function word(update: Update): string {
  if (update.type === "new_message") return `new ${update.row.pk}${update.catch_up ? " catch_up" : ""}`;
  if (update.type === "initial_row") return `initial ${update.row.pk}`;
  if (update.type === "message_change") return `${update.change} ${update.row.pk}`;
  return update.type.replace("subscription_", "");
}

describe("The subscriber", () => {
  let agent: ScriptedAgent;
  let timers: FakeTimers;
  let said: string[];
  /** Reasons that the log has a warning for. */
  let warned: string[];
  let subscriber: MessageSubscriber;
  /** Null while nobody knows where the agent is. */
  let url: string | null;

  beforeEach(async () => {
    agent = await ScriptedAgent.start();
    url = agent.url;
    timers = new FakeTimers();
    said = [];
    warned = [];
    const warn = (_line: string, { reason }: { reason: string }) => void warned.push(reason);
    subscriber = new MessageSubscriber({
      connect: async () => {
        if (url === null) throw new Error("nobody knows where the agent is");
        return new CorrosionClient({ url, token: null, timeoutMs: 1000 });
      },
      emit: (update) => said.push(word(update)),
      logger: { ...quietLogger, warn },
      times: SUBSCRIBER_TIMES,
      timers,
      random: () => 0.5,
    });
  });

  afterEach(async () => {
    await subscriber.stop();
    assert.deepEqual(timers.waits, [], "no timer is left");
    await until("no connection is left open", async () => (await agent.connections()) === 0, 5000);
    await agent.stop();
  });

  const heard = (...words: string[]) =>
    until(
      `"${words.join('", "')}" was said; it was "${said.join('", "')}"`,
      () => words.every((w, i) => said.at(i - words.length) === w),
      5000,
    );
  const isWaiting = (ms: number) =>
    until(
      `the next attempt is ${ms} ms away`,
      () => timers.waits.length === 1 && timers.waits[0] === ms,
      5000,
    );
  const state = () => subscriber.status().state;

  /** Connected for the first time, with row `a` and change 3. */
  async function connected(): Promise<Exchange> {
    subscriber.start();
    const exchange = await agent.next();
    exchange.subscribed("one").lines(COLUMNS, row("a"), eoq(3));
    await heard("ready");
    return exchange;
  }

  it("is connected with the first valid line, takes what is there as history and tells what comes", async () => {
    assert.equal(state(), "initializing");
    subscriber.start();
    const exchange = await agent.next();
    assert.deepEqual([exchange.method, exchange.path], ["POST", "/v1/subscriptions"]);
    assert.match(
      exchange.body,
      /^"SELECT pk, node_id, message, sequence, timestamp, originating_endpoint, region FROM node_messages"$/,
    );
    exchange.subscribed("one");
    assert.equal(state(), "connecting");
    exchange.lines(COLUMNS, row("a"), eoq(3), insert(4, "b"));
    await heard("connected", "columns_received", "initial a", "ready", "new b");
    assert.deepEqual(
      [state(), subscriber.status().query_id, subscriber.status().change_id, subscriber.status().rows],
      ["connected", "one", 4, 2],
    );
  });

  it("comes at once when its agent is there again, with what it knew, and only if it waits", async () => {
    subscriber.hasten();
    assert.equal(state(), "initializing");
    (await connected()).cut();
    await heard("closed");
    await isWaiting(1000);
    subscriber.hasten();
    const again = await agent.next();
    assert.deepEqual([again.method, again.path], ["GET", "/v1/subscriptions/one?from=3"]);
    again.subscribed("one").lines(insert(4, "b"));
    await heard("connected", "new b");
    subscriber.hasten();
    assert.equal(state(), "connected");
    assert.equal(subscriber.status().reconnects, 1);
  });

  it("resumes by id after the end of rows, one second later, and misses nothing", async () => {
    (await connected()).cut();
    await heard("closed");
    assert.equal(state(), "disconnected");
    await isWaiting(1000);
    timers.advance(1000);
    const again = await agent.next();
    assert.deepEqual([again.method, again.path], ["GET", "/v1/subscriptions/one?from=3"]);
    again.subscribed("one").lines(insert(4, "b"));
    await heard("connected", "new b");
    assert.equal(subscriber.status().reconnects, 1);
  });

  it("counts a resumed stream as connected after a quiet second", async () => {
    (await connected()).end();
    await isWaiting(1000);
    timers.advance(1000);
    (await agent.next()).subscribed("one");
    await until("the head was read", () => timers.waits[0] === SUBSCRIBER_TIMES.settledMs);
    assert.equal(state(), "connecting");
    timers.advance(1000);
    assert.equal(state(), "connected");
    assert.deepEqual(timers.waits, [30_000], "now it listens for silence");
  });

  it("subscribes afresh when it broke before the end of rows", async () => {
    subscriber.start();
    (await agent.next()).subscribed("one").lines(COLUMNS, row("a")).end();
    await isWaiting(1000);
    timers.advance(1000);
    const again = await agent.next();
    assert.equal(again.method, "POST");
    again.subscribed("two").lines(COLUMNS, row("a"), row("b"), eoq(0));
    await heard("connected", "columns_received", "initial b", "ready");
  });

  for (const [what, answer] of [
    [
      "the agent lost the subscription",
      (e: Exchange) => e.reply(404, { error: "could not find subscription with id one" }),
    ],
    [
      "older changes were deleted",
      (e: Exchange) =>
        e
          .subscribed("one")
          .lines({ error: "subscription already deleted older changes, min change id: 9" })
          .end(),
    ],
    ["an id was left out", (e: Exchange) => e.subscribed("one").lines(insert(5, "x"))],
    ["a line makes no sense", (e: Exchange) => e.subscribed("one").lines("<html>")],
  ] as const) {
    it(`compares all rows by key when ${what}`, async () => {
      (await connected()).cut();
      await isWaiting(1000);
      timers.advance(1000);
      answer(await agent.next());
      await heard("error");
      await isWaiting(1000);
      timers.advance(1000);
      const fresh = await agent.next();
      assert.equal(fresh.method, "POST");
      fresh.subscribed("two").lines(COLUMNS, row("b"), eoq(0));
      await heard("columns_received", "new b catch_up", "DELETE a", "ready");
      assert.ok(!said.includes("new x"));
    });
  }

  it("waits 1, 2, 5, 10, 15, 30, 30 s after failures in a row, each one attempt", async () => {
    subscriber.start();
    for (const [i, s] of [1, 2, 5, 10, 15, 30, 30].entries()) {
      (await agent.next()).reply(500, "broken");
      await isWaiting(s * 1000);
      assert.equal(state(), "error");
      assert.equal(agent.exchanges.length, i + 1, "one failure, one attempt");
      timers.advance(s * 1000 - 1);
      assert.equal(agent.exchanges.length, i + 1);
      timers.advance(1);
    }
    (await agent.next()).subscribed("one").lines(COLUMNS, eoq(0));
    await heard("ready");
  });

  it("begins with 1 s again only after 10 s of connection", async () => {
    subscriber.start();
    for (const s of [1, 2]) {
      (await agent.next()).reply(500, "broken");
      await isWaiting(s * 1000);
      timers.advance(s * 1000);
    }
    const short = await agent.next();
    short.subscribed("one").lines(COLUMNS, eoq(0));
    await heard("ready");
    timers.advance(9999);
    short.cut();
    await isWaiting(5000);
    timers.advance(5000);
    const long = await agent.next();
    long.subscribed("one").lines(COLUMNS, eoq(0));
    await heard("ready");
    timers.advance(10_000);
    long.cut();
    await isWaiting(1000);
  });

  it("starts without an agent and finds it later", async () => {
    url = null;
    subscriber.start();
    await heard("closed");
    assert.equal(state(), "disconnected");
    assert.match(subscriber.status().reason ?? "", /nobody knows/);
    url = agent.url;
    timers.advance(1000);
    (await agent.next()).subscribed("one").lines(COLUMNS, eoq(0));
    await heard("ready");
    assert.equal(subscriber.status().reason, null);
  });

  it("takes three failures of an agent that never answered for its start, and warns once of the fourth", async () => {
    url = null;
    subscriber.start();
    for (const [i, ms] of [1000, 2000, 5000, 10_000].entries()) {
      await isWaiting(ms);
      assert.equal(warned.length, i < 3 ? 0 : 1);
      timers.advance(ms);
    }
    assert.match(warned[0] ?? "", /nobody knows/);
  });

  it("warns at once when a connection is lost", async () => {
    (await connected()).cut();
    await heard("closed");
    assert.equal(warned.length, 1);
    url = null;
    timers.advance(1000);
    await heard("closed", "closed");
    assert.equal(warned.length, 2);
  });

  it("tells an agent's refusal from a connection that was lost", async () => {
    subscriber.start();
    (await agent.next()).reply(401, "");
    await heard("error");
    assert.equal(state(), "error");
    assert.match(subscriber.status().reason ?? "", /refuses the token/);
    await isWaiting(1000);
    timers.advance(1000);
    (await agent.next()).cut();
    await heard("closed");
    assert.equal(state(), "disconnected");
  });

  it("pauses at once for a restart, hears nothing meanwhile, and goes on with what it missed", async () => {
    const exchange = await connected();
    subscriber.pause("the agent restarts");
    assert.equal(state(), "paused_for_restart");
    exchange.lines(insert(4, "lost"));
    await until("the stream was closed", () => exchange.closed);
    assert.deepEqual(timers.waits, []);
    assert.equal(said.at(-1), "paused_for_restart");
    assert.equal(agent.exchanges.length, 1, "it stays away");
    subscriber.start();
    const again = await agent.next();
    assert.equal(again.path, "/v1/subscriptions/one?from=3");
    again.subscribed("one").lines(insert(4, "lost"));
    await heard("paused_for_restart", "connected", "new lost");
  });

  it("pauses also while it waits to try again, or while it connects", async () => {
    subscriber.start();
    (await agent.next()).reply(500, "broken");
    await isWaiting(1000);
    subscriber.pause("the agent restarts");
    assert.deepEqual(timers.waits, []);
    subscriber.start();
    const open = await agent.next();
    subscriber.pause("again");
    await until("the request was ended", () => open.closed);
    assert.equal(state(), "paused_for_restart");
    subscriber.start();
    (await agent.next()).subscribed("one").lines(COLUMNS, eoq(0));
    await heard("ready");
    assert.equal(agent.exchanges.length, 3);
  });

  it("takes 30 s of silence for a failure only when the agent is not well", async () => {
    const exchange = await connected();
    timers.advance(29_999);
    assert.equal(agent.exchanges.length, 1);
    timers.advance(1);
    (await agent.next()).reply(503, { error: "no p99 lag information available" });
    await until("it listens on", () => timers.waits[0] === 30_000);
    assert.equal(state(), "connected");
    timers.advance(30_000);
    const unanswered = await agent.next();
    assert.equal(unanswered.path, "/v1/health");
    await until("the health request timed out", () => said.at(-1) === "closed", 5000);
    assert.ok(exchange.closed);
    await isWaiting(1000);
    assert.match(subscriber.status().reason ?? "", /nothing came any more/);
  });

  it("forgets a bad health answer when something came meanwhile", async () => {
    const exchange = await connected();
    timers.advance(30_000);
    const health = await agent.next();
    exchange.lines(insert(4, "b"));
    await heard("new b");
    health.reply(500, { error: "broken" });
    await until("the health request is over", () => health.closed);
    assert.equal(state(), "connected");
    assert.deepEqual(timers.waits, [30_000]);
  });

  it("connects anew when it is told to, and compares", async () => {
    const exchange = await connected();
    subscriber.restart();
    const again = await agent.next();
    assert.ok(exchange.closed, "never two connections at a time");
    assert.equal(again.method, "POST");
    again.subscribed("two").lines(COLUMNS, row("a"), row("b"), eoq(0));
    await heard("connected", "columns_received", "new b catch_up", "ready");
    subscriber.pause("the agent restarts");
    subscriber.restart();
    await until("the connection is closed", () => again.closed);
    await new Promise(setImmediate);
    assert.equal(state(), "paused_for_restart", "a restart of the agent comes first");
  });
});
