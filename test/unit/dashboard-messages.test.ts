/** @module What the Messages page makes of rows, receptions and the feed, apart from any browser. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { feedAfter, feedOf } from "../../public/pages/messages/feed.ts";
import { COLUMNS, heatOf, receptionsAfter, shadeOf } from "../../public/pages/messages/heat.ts";
import { KEPT, newerThan, rowsAfter } from "../../public/pages/messages/rows.ts";
import { senderState } from "../../public/pages/messages/sender.ts";
import type { Reception, Receptions } from "../../services/acks/contract.ts";
import type { MessageRow, MessageUpdate, SubscriberState } from "../../services/corrosion/contract.ts";
import { SUBSCRIBER } from "../helpers/console.ts";

const AT = "2026-01-02T03:04:05.678901Z";

function row(sequence: number, node = "a", more: Partial<MessageRow> = {}): MessageRow {
  return {
    pk: `${node}_${sequence}`,
    node_id: node,
    message: `m${sequence}`,
    sequence,
    timestamp: AT,
    originating_endpoint: "127.0.0.1:5001",
    region: node,
    ...more,
  };
}

function change(kind: "INSERT" | "UPDATE" | "DELETE", of: MessageRow): MessageUpdate {
  return { node_id: "a", type: "message_change", change: kind, row: of };
}

const arrival = (of: MessageRow): MessageUpdate => ({ node_id: "a", type: "new_message", row: of });
const initial = (of: MessageRow): MessageUpdate => ({ node_id: "a", type: "initial_row", row: of });
const keys = (rows: readonly MessageRow[]) => rows.map(({ pk }) => pk);

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

function receptions(list: readonly Reception[], more: Partial<Receptions> = {}): Receptions {
  return {
    receptions: list,
    count: list.length,
    scope: "cluster",
    nodes_reporting: ["a", "b"],
    nodes_missing: [],
    ...more,
  };
}

describe("The list of messages", () => {
  it("is ordered by sequence, then by key, both descending, as the node orders it", () => {
    let rows: readonly MessageRow[] = [];
    for (const one of [row(2, "b"), row(1), row(3), row(2, "c"), row(2, "a")])
      rows = rowsAfter(rows, arrival(one));
    assert.deepEqual(keys(rows), ["a_3", "c_2", "b_2", "a_2", "a_1"]);
  });

  it("has each key once, as it was told last", () => {
    const before = rowsAfter(rowsAfter([], arrival(row(1))), arrival(row(2)));
    assert.equal(rowsAfter(before, initial(row(1))), before, "the same row changes nothing");
    const after = rowsAfter(before, change("UPDATE", row(1, "a", { message: "other", sequence: 9 })));
    assert.deepEqual(
      after.map(({ pk, message }) => [pk, message]),
      [
        ["a_1", "other"],
        ["a_2", "m2"],
      ],
    );
  });

  it("notices a change of any column", () => {
    const before = [row(1)];
    for (const [column, value] of Object.entries(row(7, "z"))) {
      if (column === "pk") continue;
      const changed = row(1, "a", { [column]: value });
      assert.deepEqual(rowsAfter(before, change("UPDATE", changed)), [changed], column);
    }
  });

  it("loses what is deleted, and nothing by the deletion of what it has not", () => {
    const before = [row(2), row(1)];
    assert.deepEqual(keys(rowsAfter(before, change("DELETE", row(2)))), ["a_1"]);
    assert.equal(rowsAfter(before, change("DELETE", row(3))), before);
  });

  it("is not changed by what is no row", () => {
    const before = [row(1)];
    for (const update of [
      { type: "columns_received", columns: [] },
      { type: "subscription_ready" },
      { type: "subscription_error", reason: "x" },
      { type: "subscription_paused_for_restart" },
    ] as const) {
      assert.equal(rowsAfter(before, { node_id: "a", ...update }), before);
    }
  });

  it("keeps the newest 500, and takes no older one", () => {
    let rows: readonly MessageRow[] = [];
    for (let i = 1; i <= KEPT + 20; i++) rows = rowsAfter(rows, arrival(row(i)));
    assert.equal(rows.length, 500);
    assert.equal(rows[0]?.sequence, KEPT + 20);
    assert.equal(rows.at(-1)?.sequence, 21);
    assert.equal(rowsAfter(rows, arrival(row(5))), rows);
  });

  it("tells how many came since it stood still, be they new, and not those that changed or went", () => {
    const shown = [row(2), row(1)];
    assert.equal(newerThan(shown, shown), 0);
    assert.equal(newerThan(shown, [row(4), row(3), row(2, "a", { message: "other" })]), 2);
    assert.equal(newerThan([], shown), 2);
  });

  it("is in order, without a key twice, and what the events say, whatever their order", () => {
    const event = fc.record({
      sequence: fc.integer({ min: 1, max: 12 }),
      node: fc.constantFrom("a", "b"),
      kind: fc.constantFrom("new", "initial", "UPDATE", "INSERT", "DELETE"),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let rows: readonly MessageRow[] = [];
        const expected = new Map<string, MessageRow>();
        for (const { kind, node, sequence } of events) {
          const one = row(sequence, node);
          if (kind === "DELETE") expected.delete(one.pk);
          else expected.set(one.pk, one);
          const update =
            kind === "new" ? arrival(one) : kind === "initial" ? initial(one) : change(kind, one);
          rows = rowsAfter(rows, update);
        }
        const sorted = [...expected.values()].sort(
          (a, b) => b.sequence - a.sequence || (a.pk < b.pk ? 1 : -1),
        );
        assert.deepEqual(rows, sorted);
      }),
    );
  });
});

describe("The heatmap of receptions", () => {
  it("has 20 columns, the newest message first, and a row for each node that reports, is missing, or received", () => {
    const rows = Array.from({ length: 30 }, (_, i) => row(30 - i));
    const heat = heatOf(rows, receptions([reception("c", "a_30")], { nodes_missing: ["d"] }));
    assert.equal(heat.messages.length, COLUMNS);
    assert.equal(heat.messages[0]?.pk, "a_30");
    assert.deepEqual(
      heat.rows.map(({ nodeId }) => nodeId),
      ["a", "b", "c", "d"],
    );
    for (const { cells } of heat.rows) assert.equal(cells.length, COLUMNS);
  });

  it("tells what was received how often, what a node sent itself, and what nobody knows", () => {
    const given = receptions([reception("b", "a_2", { reception_count: 7 }), reception("a", "b_1")], {
      nodes_missing: ["c"],
    });
    const { rows } = heatOf([row(2), row(1, "b")], given);
    assert.deepEqual(rows, [
      { nodeId: "a", cells: [{ kind: "sent" }, { kind: "count", count: 1 }] },
      { nodeId: "b", cells: [{ kind: "count", count: 7 }, { kind: "sent" }] },
      { nodeId: "c", cells: [{ kind: "unknown" }, { kind: "unknown" }] },
    ]);
  });

  it("counts 0 where a node that answers has not received a message", () => {
    const { rows } = heatOf([row(1)], receptions([]));
    assert.deepEqual(rows[1], { nodeId: "b", cells: [{ kind: "count", count: 0 }] });
  });

  it("has the shades 0, 1, 2, 3 to 4, and 5 or more", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 1000].map(shadeOf), [0, 1, 2, 3, 3, 4, 4, 4]);
  });

  it("takes a reception in the place of the same node's older one alone, as the latest", () => {
    const before = receptions([reception("a", "x_1"), reception("a", "x_2"), reception("b", "x_2")]);
    const after = receptionsAfter(before, reception("a", "x_2", { reception_count: 2 }));
    assert.deepEqual(
      after.receptions.map(({ node_id, message_pk, reception_count }) => [
        node_id,
        message_pk,
        reception_count,
      ]),
      [
        ["a", "x_2", 2],
        ["a", "x_1", 1],
        ["b", "x_2", 1],
      ],
    );
    assert.equal(after.count, 3);
  });

  it("keeps 500 of this node, and all of the others", () => {
    let given = receptions([reception("b", "x_0")]);
    for (let i = 0; i < 520; i++) given = receptionsAfter(given, reception("a", `x_${i}`));
    assert.equal(given.receptions.filter(({ node_id }) => node_id === "a").length, 500);
    assert.equal(given.receptions.filter(({ node_id }) => node_id === "b").length, 1);
    assert.equal(given.receptions[0]?.message_pk, "x_519");
    assert.ok(!given.receptions.some(({ message_pk, node_id }) => node_id === "a" && message_pk === "x_0"));
  });
});

describe("The state of the sender", () => {
  it("is idle when all is delivered, and delivering while something waits", () => {
    const none = { kind: "idle", pending: 0, acked: 0, failed: 0, lastError: null };
    assert.deepEqual(senderState([], "a"), none);
    assert.deepEqual(senderState([reception("b", "x", { ack_state: "pending" })], "a"), none);
    const list = [reception("a", "x"), reception("a", "y", { ack_state: "pending" })];
    assert.deepEqual(senderState(list, "a"), { ...none, kind: "delivering", pending: 1, acked: 1 });
  });

  it("is failing when the newest failed, with why, and idle again when a newer one was delivered", () => {
    const bad = (pk: string, why: string) => reception("a", pk, { ack_state: "failed", last_error: why });
    const failing = senderState([bad("y", "newest"), bad("x", "older")], "a");
    assert.deepEqual(failing, { kind: "failing", pending: 0, acked: 0, failed: 2, lastError: "newest" });
    const later = senderState([reception("a", "z"), bad("y", "newest")], "a");
    assert.deepEqual([later.kind, later.failed, later.lastError], ["idle", 1, "newest"]);
  });
});

describe("The feed of messages", () => {
  const told = (...updates: MessageUpdate[]) => updates.reduce(feedAfter, { kind: "live" } as const);
  const paused: MessageUpdate = { node_id: "a", type: "subscription_paused_for_restart" };
  const failed: MessageUpdate = { node_id: "a", type: "subscription_error", reason: "refused" };
  const closed: MessageUpdate = { node_id: "a", type: "subscription_closed", reason: "gone" };

  it("is paused while the agent restarts, and down with the reason when it does not answer", () => {
    assert.deepEqual(told(paused), { kind: "paused" });
    assert.deepEqual(told(failed), { kind: "down", reason: "refused" });
    assert.deepEqual(told(paused, closed), { kind: "down", reason: "gone" });
  });

  it("begins with what the node's subscriber says when the stream opens", () => {
    const at = (state: SubscriberState, reason: string | null = null) =>
      feedOf({ ...SUBSCRIBER, state, reason }, told(closed));
    assert.deepEqual(at("connected"), { kind: "live" });
    assert.deepEqual(at("paused_for_restart", "the agent restarts (1)"), { kind: "paused" });
    assert.deepEqual(at("error", "refused"), { kind: "down", reason: "refused" });
    assert.deepEqual(at("disconnected", "lost"), { kind: "down", reason: "lost" });
    // It does not know yet.
    assert.deepEqual(at("connecting"), told(closed));
    assert.deepEqual(at("initializing"), told(closed));
  });

  it("lives again with the first thing that the agent says", () => {
    for (const said of [
      { node_id: "a", type: "subscription_connected", watch_id: "w" },
      arrival(row(1)),
      change("DELETE", row(1)),
    ] as const) {
      assert.deepEqual(told(failed, said), { kind: "live" });
      assert.deepEqual(told(paused, said), { kind: "live" });
    }
  });

  it("is the same while nothing changes, so that nothing is drawn anew", () => {
    const down = told(failed);
    assert.equal(feedAfter(down, failed), down);
    assert.notEqual(feedAfter(down, closed), down);
    const still = told(paused);
    assert.equal(feedAfter(still, paused), still);
  });
});
