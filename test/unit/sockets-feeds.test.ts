/** @module Tests: one subscription per live session, shared reads, and the head check. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { Fanout, FanoutHandler, FanoutSubscription } from "../../lib/fanout/fanout.ts";
import { groupOf, sessionSubject } from "../../lib/ids.ts";
import type { Heads, Message, MessagePage } from "../../services/conversations/contract.ts";
import type { Conversations } from "../../services/gateway/sockets/bus.ts";
import { Feeds, type Subscriber } from "../../services/gateway/sockets/feeds.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 16;
const INTERVAL_MS = 500;

class FakeFanout implements Fanout {
  readonly connected = true;
  readonly handlers = new Map<string, Set<FanoutHandler>>();
  refuse = false;
  gate: Promise<void> = Promise.resolve();
  subscribed = 0;

  publish(subject: string, payload: unknown): void {
    for (const handler of this.handlers.get(subject) ?? []) handler(payload);
  }

  async subscribe(subject: string, handler: FanoutHandler): Promise<FanoutSubscription> {
    this.subscribed++;
    await this.gate;
    if (this.refuse) throw new Error("refused");
    const handlers = this.handlers.get(subject) ?? new Set();
    this.handlers.set(subject, handlers.add(handler));
    return { unsubscribe: () => void handlers.delete(handler) };
  }

  async isPresent(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {}

  get active(): number {
    return [...this.handlers.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

class FakeSubscriber implements Subscriber {
  sent = 0;
  readonly seqs: number[] = [];
  readonly heads: number[] = [];

  published(messages: readonly { readonly seq: number }[]): void {
    this.seqs.push(...messages.map(({ seq }) => seq));
  }

  head(lastSeq: number): void {
    this.heads.push(lastSeq);
  }
}

function message(session_id: string, seq: number): Message {
  const rest = { sender_id: "u", kind: "text", content: {}, metadata: {}, inserted_at: "" };
  return { id: `m${seq}`, session_id, seq, ...rest };
}

function publication(session_id: string, epoch: number, ...seqs: number[]) {
  return { type: "messages", session_id, epoch, messages: seqs.map((seq) => message(session_id, seq)) };
}

describe("the live sessions of a node", () => {
  let fanout: FakeFanout;
  let feeds: Feeds;
  let headCalls: (readonly string[])[];
  let heads: (ids: readonly string[]) => Promise<Heads>;
  let pages: { after: number; answer: (page: MessagePage) => void; fail: (error: Error) => void }[];
  let errors: unknown[];

  function open(catchupIntervalMs: number): Feeds {
    const unused = () => assert.fail("not called by feeds");
    const conversations: Conversations = {
      session: unused,
      append: unused,
      heads: (ids) => {
        headCalls.push(ids);
        return heads(ids);
      },
      messages: ({ after_seq }) =>
        new Promise((answer, fail) => pages.push({ after: after_seq ?? 0, answer, fail })),
    };
    return new Feeds({
      fanout,
      conversations,
      groups: GROUPS,
      catchupIntervalMs,
      onError: (_, error) => errors.push(error),
    });
  }

  beforeEach(() => {
    fanout = new FakeFanout();
    headCalls = [];
    heads = async () => ({ heads: {} });
    pages = [];
    errors = [];
    feeds = open(INTERVAL_MS);
  });

  afterEach(() => feeds.stop());

  it("share one subscription each, which ends with the last channel", async () => {
    const [one, two] = [new FakeSubscriber(), new FakeSubscriber()];
    await Promise.all([feeds.attach("s", one), feeds.attach("s", two)]);
    assert.equal(fanout.subscribed, 1);
    fanout.publish(sessionSubject("s"), publication("s", 1, 1, 2));
    assert.deepEqual(
      [one.seqs, two.seqs],
      [
        [1, 2],
        [1, 2],
      ],
    );

    feeds.detach("s", one);
    feeds.detach("s", one);
    fanout.publish(sessionSubject("s"), publication("s", 1, 3));
    assert.deepEqual(
      [one.seqs, two.seqs],
      [
        [1, 2],
        [1, 2, 3],
      ],
    );

    feeds.detach("s", two);
    await until("the subscription ended", () => fanout.active === 0);
    assert.equal(feeds.size, 0);
    await feeds.attach("s", one);
    assert.equal(fanout.subscribed, 2);
  });

  it("do not leak a subscription that is granted after the channel left", async () => {
    const gate = Promise.withResolvers<void>();
    fanout.gate = gate.promise;
    const subscriber = new FakeSubscriber();
    const attached = feeds.attach("s", subscriber);
    feeds.detach("s", subscriber);
    assert.equal(feeds.size, 0);
    gate.resolve();
    await attached;
    await until("the subscription ended", () => fanout.subscribed === 1 && fanout.active === 0);
  });

  it("report a refused subscription to everyone who waited, and try again for the next", async () => {
    fanout.refuse = true;
    const subscribers = [new FakeSubscriber(), new FakeSubscriber()];
    const outcomes = await Promise.allSettled(subscribers.map((subscriber) => feeds.attach("s", subscriber)));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal(feeds.size, 0);
    fanout.refuse = false;
    const next = new FakeSubscriber();
    await feeds.attach("s", next);
    for (const subscriber of subscribers) feeds.detach("s", subscriber);
    fanout.publish(sessionSubject("s"), publication("s", 1, 1));
    assert.deepEqual(next.seqs, [1]);
  });

  it("ignore on a session's subject whatever is not a publication of its messages", async () => {
    const subscriber = new FakeSubscriber();
    await feeds.attach("s", subscriber);
    const good = publication("s", 1, 1);
    const strange: unknown[] = [
      null,
      "text",
      [],
      {},
      { ...good, type: "chunk" },
      { ...good, session_id: "other" },
      { ...good, epoch: "1" },
      { ...good, messages: {} },
      { ...good, messages: [null] },
      { ...good, messages: [{ seq: "1" }] },
      { ...good, messages: [{ seq: 1.5 }] },
    ];
    for (const payload of strange) fanout.publish(sessionSubject("s"), payload);
    assert.deepEqual(subscriber.seqs, []);
    fanout.publish(sessionSubject("s"), good);
    assert.deepEqual(subscriber.seqs, [1]);
  });

  it("read once for all channels that miss the same messages at the same time", async () => {
    await feeds.attach("s", new FakeSubscriber());
    const limits = { limit: 10, maxBytes: 1000 };
    const [one, two] = [feeds.readShared("s", 4, limits), feeds.readShared("s", 4, limits)];
    const other = feeds.readShared("s", 5, limits);
    assert.deepEqual(
      pages.map(({ after }) => after),
      [4, 5],
    );
    pages[0]?.answer({ messages: [message("s", 5)], last_seq: 5, has_more: false });
    assert.equal((await one).messages[0], (await two).messages[0]);
    pages[1]?.fail(new Error("no leader"));
    await assert.rejects(other, /no leader/);
    void feeds.readShared("s", 5, limits);
    assert.equal(pages.length, 3);
  });

  it("ask for the heads of all of them in batches, and tell only who is still behind after a moment", async () => {
    const count = 2300;
    const subscribers = Array.from({ length: count }, () => new FakeSubscriber());
    await Promise.all(subscribers.map((subscriber, i) => feeds.attach(`s${i}`, subscriber)));
    heads = async (ids) => ({
      heads: Object.fromEntries(
        ids.map((id) => [id, id === "s7" || id === "s8" ? { last_seq: 3, epoch: 1 } : null]),
      ),
    });
    await until("the check", () => headCalls.length >= 3);
    assert.deepEqual(
      headCalls.slice(0, 3).map(({ length }) => length),
      [1000, 1000, 300],
    );
    assert.equal(new Set(headCalls.slice(0, 3).flat()).size, count);
    // The publication was only slow.
    const slow = subscribers[8];
    assert.ok(slow);
    slow.sent = 3;
    await until("somebody is told", () => subscribers[7]?.heads.at(0));
    assert.deepEqual(subscribers[7]?.heads, [3]);
    assert.deepEqual(slow.heads, []);
  });

  it("send few groups with each batch of the check", async () => {
    await Promise.all(Array.from({ length: 2000 }, (_, i) => feeds.attach(`s${i}`, new FakeSubscriber())));
    await until("the check", () => headCalls.length >= 2);
    const asked = headCalls.slice(0, 2).map((ids) => new Set(ids.map((id) => groupOf(id, GROUPS))).size);
    assert.ok((asked[0] ?? 0) + (asked[1] ?? 0) <= GROUPS + 1, `${asked}`);
  });

  it("are checked at once when a new leader of their group shows itself", async () => {
    feeds.stop();
    feeds = open(1_000_000);
    const group = groupOf("s0", GROUPS);
    const ids = Array.from({ length: 100 }, (_, i) => `s${i}`);
    const same = ids.filter((id) => groupOf(id, GROUPS) === group);
    await Promise.all(ids.map((id) => feeds.attach(id, new FakeSubscriber())));
    fanout.publish(sessionSubject("s0"), publication("s0", 4, 1));
    fanout.publish(sessionSubject("s0"), publication("s0", 5, 2));
    fanout.publish(sessionSubject("s0"), publication("s0", 5, 3));
    await until("the early check", () => headCalls.length > 0);
    assert.deepEqual(headCalls[0]?.toSorted(), same.toSorted());
  });

  it("go on being checked when a check fails", async () => {
    await feeds.attach("s", new FakeSubscriber());
    heads = async () => Promise.reject(new Error("bus down"));
    await until("two failed checks", () => errors.length >= 2);
  });

  it("leave nothing behind when the node stops", async () => {
    const subscribers = Array.from({ length: 50 }, () => new FakeSubscriber());
    await Promise.all(subscribers.map((subscriber, i) => feeds.attach(`s${i}`, subscriber)));
    assert.equal(fanout.active, 50);
    feeds.stop();
    await turn();
    assert.equal(fanout.active, 0);
    assert.equal(feeds.size, 0);
  });
});
