/** @module What a subscription's events mean, decided without any connection. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { SubscriptionEvent } from "../../lib/corrosion/client/events.ts";
import { MESSAGE_COLUMNS } from "../../lib/corrosion/message-columns.ts";
import type { MessageRow } from "../../services/corrosion/contract.ts";
import { backoff, SUBSCRIBER_TIMES } from "../../services/corrosion/subscriber-timing.ts";
import { Subscription, type Update } from "../../services/corrosion/subscription.ts";

function message(pk: string, text = "hello"): MessageRow {
  return {
    pk,
    node_id: "n",
    message: text,
    sequence: 1,
    timestamp: "2026-01-01T00:00:00.000000Z",
    originating_endpoint: "127.0.0.1:5001",
    region: "ams",
  };
}

const cells = (row: MessageRow) => MESSAGE_COLUMNS.map((column) => row[column]);
const columns: SubscriptionEvent = { kind: "columns", columns: MESSAGE_COLUMNS };
const row = (pk: string, text?: string): SubscriptionEvent => ({
  kind: "row",
  rowId: 1,
  cells: cells(message(pk, text)),
});
const eoq = (changeId = 0): SubscriptionEvent => ({ kind: "eoq", seconds: 0, changeId });
const change = (
  kind: "insert" | "update" | "delete",
  changeId: number,
  pk: string,
  text?: string,
): SubscriptionEvent => ({
  kind: "change",
  change: kind,
  rowId: 1,
  cells: cells(message(pk, text)),
  changeId,
});

/** An update in a few words. */
function word(update: Update): string {
  switch (update.type) {
    case "new_message":
      return `new ${update.row.pk}${update.catch_up ? " catch_up" : ""}`;
    case "message_change":
      return `${update.change} ${update.row.pk}`;
    case "initial_row":
      return `initial ${update.row.pk}`;
    default:
      return update.type;
  }
}

/** What the events say; `broken` where the stream was given up. */
function take(subscription: Subscription, ...events: SubscriptionEvent[]): string[] {
  return events.flatMap((event) => {
    const step = subscription.take(event);
    return [...step.updates.map(word), ...(step.broken === null ? [] : ["broken"])];
  });
}

/** A subscription that knows the rows `a` and `b`, and change 3. */
function warm(): Subscription {
  const subscription = new Subscription();
  subscription.opened("one");
  take(subscription, columns, row("a"), row("b"), eoq(3));
  return subscription;
}

describe("A subscription to messages", () => {
  it("takes the rows of a cold start as history", () => {
    const subscription = new Subscription();
    assert.deepEqual(subscription.plan, { kind: "subscribe" });
    subscription.opened("one");
    assert.deepEqual(take(subscription, columns, row("a"), row("b"), eoq(3)), [
      "columns_received",
      "initial a",
      "initial b",
      "subscription_ready",
    ]);
    assert.deepEqual([subscription.size, subscription.changeId, subscription.id], [2, 3, "one"]);
  });

  it("tells what changes afterwards", () => {
    const subscription = warm();
    assert.deepEqual(
      take(subscription, change("insert", 4, "c"), change("update", 5, "c", "x"), change("delete", 6, "a")),
      ["new c", "UPDATE c", "DELETE a"],
    );
    assert.deepEqual(take(subscription, change("insert", 7, "c")), ["INSERT c"], "which was known already");
    assert.deepEqual(take(subscription, change("insert", 8, "a")), ["new a"], "which was gone");
    assert.equal(subscription.size, 3);
  });

  it("goes on by its id from the last change, once the rows were whole", () => {
    const subscription = warm();
    take(subscription, change("insert", 4, "c"));
    assert.deepEqual(subscription.plan, { kind: "resume", id: "one", from: 4 });
    subscription.opened("one");
    assert.deepEqual(take(subscription, change("insert", 5, "d")), ["new d"]);
  });

  it("starts over when it broke before the end of the rows; they stay history", () => {
    const subscription = new Subscription();
    subscription.opened("one");
    take(subscription, columns, row("a"), row("b"));
    assert.deepEqual(subscription.plan, { kind: "subscribe" });
    subscription.opened("two");
    assert.deepEqual(take(subscription, columns, row("b"), row("c"), eoq()), [
      "columns_received",
      "initial c",
      "DELETE a",
      "subscription_ready",
    ]);
  });

  it("compares by key after it started over: unknown rows are caught up, missing ones deleted", () => {
    const subscription = warm();
    subscription.forget();
    assert.deepEqual(subscription.plan, { kind: "subscribe" });
    subscription.opened("two");
    assert.deepEqual(take(subscription, columns, row("a", "changed"), row("c"), eoq(0)), [
      "columns_received",
      "UPDATE a",
      "new c catch_up",
      "DELETE b",
      "subscription_ready",
    ]);
    assert.deepEqual(subscription.plan, { kind: "resume", id: "two", from: 0 });
  });

  it("catches a row up once, also when the comparison breaks off and begins again", () => {
    const subscription = warm();
    subscription.forget();
    subscription.opened("two");
    assert.deepEqual(take(subscription, columns, row("c")), ["columns_received", "new c catch_up"]);
    subscription.opened("three");
    assert.deepEqual(take(subscription, columns, row("a"), row("b"), row("c"), eoq()), [
      "columns_received",
      "subscription_ready",
    ]);
  });

  it("takes rows that come where changes were asked for, as an agent sends them for change 0", () => {
    const subscription = new Subscription();
    subscription.opened("one");
    take(subscription, columns, row("a"), eoq(0));
    assert.deepEqual(subscription.plan, { kind: "resume", id: "one", from: 0 });
    subscription.opened("one");
    assert.deepEqual(take(subscription, columns, row("a"), row("b"), eoq(1), change("insert", 2, "c")), [
      "columns_received",
      "new b catch_up",
      "subscription_ready",
      "new c",
    ]);
  });

  it("does not go on from a snapshot that it did not see whole", () => {
    const subscription = warm();
    subscription.opened("one");
    take(subscription, columns, row("a"));
    assert.deepEqual(subscription.plan, { kind: "subscribe" });
  });

  it("starts over at a gap, a repeat, an error line, and whatever comes out of turn", () => {
    const wrong: SubscriptionEvent[] = [
      change("insert", 5, "c"),
      change("insert", 3, "c"),
      row("c"),
      eoq(4),
      { kind: "error", message: "subscription already deleted older changes, min change id: 9" },
      { kind: "columns", columns: ["pk"] },
    ];
    for (const event of wrong) {
      const subscription = warm();
      assert.deepEqual(take(subscription, event), ["broken"], JSON.stringify(event));
      assert.deepEqual(subscription.plan, { kind: "subscribe" });
      assert.equal(subscription.size, 2, "what it knows stays to be compared with");
    }
    const fresh = new Subscription();
    fresh.opened("one");
    assert.deepEqual(take(fresh, columns, change("insert", 1, "a")), ["columns_received", "broken"]);
    assert.deepEqual(take(fresh, columns, eoq(), { ...columns }), [
      "columns_received",
      "subscription_ready",
      "columns_received",
    ]);
    const noId: SubscriptionEvent = { kind: "eoq", seconds: 0, changeId: null };
    assert.deepEqual(take(new Subscription(), columns, noId), ["columns_received", "broken"]);
  });

  it("reads columns in any order, and leaves rows out that are no messages", () => {
    const subscription = new Subscription();
    subscription.opened("one");
    const reversed = MESSAGE_COLUMNS.toReversed();
    const step = subscription.take({ kind: "columns", columns: reversed });
    assert.equal(step.broken, null);
    const taken = subscription.take({ kind: "row", rowId: 1, cells: cells(message("a")).toReversed() });
    assert.deepEqual(taken.updates, [{ type: "initial_row", row: message("a") }]);
    for (const [i, cell] of [
      [0, null],
      [1, 1],
      [3, "1"],
      [3, 2n ** 60n],
      [3, 1.5],
      [6, Uint8Array.of(1)],
    ] as const) {
      const odd = cells(message("b")).map((value, at) => (at === i ? cell : value));
      const result = subscription.take({ kind: "row", rowId: 2, cells: odd.toReversed() });
      assert.deepEqual([result.updates, result.broken], [[], null]);
      assert.equal(typeof result.unreadable, "string");
    }
    assert.equal(subscription.size, 1);
  });

  it("knows the table's rows, and tells each change once, wherever connections break", () => {
    // The table changes while the subscriber is connected, away, or starts over; a listener that follows the updates
    // must end with the same rows, and must have been told of every row that it was not shown at the start.
    const step = fc.oneof(
      fc.record({
        do: fc.constant("write" as const),
        pk: fc.constantFrom("a", "b", "c", "d"),
        text: fc.constantFrom("1", "2"),
      }),
      fc.record({ do: fc.constant("delete" as const), pk: fc.constantFrom("a", "b", "c", "d") }),
      fc.record({ do: fc.constantFrom("disconnect" as const, "lose id" as const) }),
      fc.record({ do: fc.constant("connect" as const), rows: fc.nat(6) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const table = new Map<string, string>();
        const log: SubscriptionEvent[] = [];
        const subscription = new Subscription();
        const heard = new Map<string, string>();
        let connected = false;
        let id = 0;
        const hear = (event: SubscriptionEvent) => {
          for (const update of subscription.take(event).updates) {
            if (update.type === "initial_row" || update.type === "new_message") {
              assert.ok(!heard.has(update.row.pk), "a row is new once");
              heard.set(update.row.pk, update.row.message);
            } else if (update.type === "message_change") {
              assert.ok(heard.has(update.row.pk));
              if (update.change === "DELETE") heard.delete(update.row.pk);
              else heard.set(update.row.pk, update.row.message);
            }
          }
        };
        const note = (event: SubscriptionEvent) => {
          log.push(event);
          if (connected) hear(event);
        };
        /** As an agent would answer; a snapshot may break off after some rows. */
        const connect = (rows: number) => {
          const { plan } = subscription;
          connected = true;
          if (plan.kind === "resume" && plan.from > 0) {
            subscription.opened(plan.id);
            for (const event of log.slice(plan.from)) hear(event);
            return;
          }
          subscription.opened(String(id));
          hear(columns);
          for (const [i, [pk, text]] of [...table].entries()) {
            if (i === rows) {
              connected = false;
              return;
            }
            hear(row(pk, text));
          }
          hear(eoq(log.length));
        };
        for (const action of steps) {
          switch (action.do) {
            case "write": {
              const kind = table.has(action.pk) ? "update" : "insert";
              if (table.get(action.pk) === action.text) break;
              table.set(action.pk, action.text);
              note(change(kind, log.length + 1, action.pk, action.text));
              break;
            }
            case "delete":
              if (!table.has(action.pk)) break;
              note(change("delete", log.length + 1, action.pk, table.get(action.pk)));
              table.delete(action.pk);
              break;
            case "disconnect":
              connected = false;
              break;
            case "lose id":
              // The agent forgot the subscription: the next one counts its changes anew.
              connected = false;
              subscription.forget();
              id += 1;
              break;
            case "connect":
              if (!connected) connect(action.rows);
              break;
          }
        }
        if (!connected) connect(Number.POSITIVE_INFINITY);
        assert.deepEqual(heard, table);
        assert.equal(subscription.size, table.size);
      }),
      { numRuns: 500 },
    );
  });
});

describe("A subscriber's back-off", () => {
  it("is 1, 2, 5, 10, 15 and then 30 s, give or take a fifth", () => {
    const bases = [1, 2, 5, 10, 15, 30, 30, 30];
    const exact = bases.map((_, i) => backoff(SUBSCRIBER_TIMES, i + 1, 0.5));
    assert.deepEqual(
      exact,
      bases.map((s) => s * 1000),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, r) => {
          const base = (bases[n - 1] ?? 30) * 1000;
          const ms = backoff(SUBSCRIBER_TIMES, n, r);
          assert.ok(ms >= base * 0.8 - 1 && ms <= base * 1.2 + 1);
        },
      ),
    );
    assert.ok(backoff(SUBSCRIBER_TIMES, 1, 0.999) > backoff(SUBSCRIBER_TIMES, 1, 0));
  });
});
