/** @module What the tracker decides: who counts, until when, and what it keeps. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Item, Items, LIMITS, latencyMs, stateOf } from "../../services/acks/tracker/items.ts";
import { ackStatus } from "../../services/acks/tracker/status.ts";

const S = 1_000_000;
const T0 = 1_700_000_000 * S;
const LIMIT = { ...LIMITS, deadlineUs: 30 * S };

const tracked = (pk: string, sentAt = T0, expected: readonly string[] = ["b", "c"]) => ({
  pk,
  transport: "gossip" as const,
  expected,
  sentAt,
  experimentId: null,
});
const ack = (pk: string, nodeId: string) => ({ pk, nodeId, receiptTimestamp: null, transport: null });

function state(items: Items, pk: string, now: number) {
  const item = items.get(pk);
  return item && stateOf(item, now);
}

describe("A tracked message", () => {
  it("is complete once all expected nodes have acknowledged it, and not before", () => {
    const items = new Items(LIMIT);
    items.track(tracked("m"), T0);
    assert.equal(state(items, "m", T0), "pending");
    items.acknowledge(ack("m", "b"), T0 + S);
    items.acknowledge(ack("m", "z"), T0 + S);
    assert.equal(state(items, "m", T0 + S), "pending");
    items.acknowledge(ack("m", "c"), T0 + 2 * S);
    assert.equal(state(items, "m", T0 + 2 * S), "complete");
    assert.equal(state(items, "m", T0 + 300 * S), "complete");
  });

  it("that some have acknowledged is partial from its deadline on, and one that nobody has is unacked", () => {
    const items = new Items(LIMIT);
    items.track(tracked("some"), T0);
    items.track(tracked("none"), T0);
    items.acknowledge(ack("some", "b"), T0 + 5 * S);
    for (const pk of ["some", "none"]) assert.equal(state(items, pk, T0 + 30 * S - 1), "pending");
    assert.equal(state(items, "some", T0 + 30 * S), "partial");
    assert.equal(state(items, "none", T0 + 30 * S), "unacked");
  });

  it("keeps late acknowledgements as late ones, and stays what it was at its deadline", () => {
    const items = new Items(LIMIT);
    items.track(tracked("m"), T0);
    items.acknowledge(ack("m", "b"), T0 + S);
    assert.deepEqual(items.acknowledge(ack("m", "c"), T0 + 30 * S), { outcome: "counted", late: true });
    assert.deepEqual(items.acknowledge(ack("m", "c"), T0 + 31 * S), { outcome: "repeated", late: true });
    assert.equal(state(items, "m", T0 + 40 * S), "partial");
    const status = ackStatus("a", items.get("m"), T0 + 40 * S);
    assert.deepEqual(
      status.acknowledgments.map(({ late, latency_ms, node_id }) => [node_id, late, latency_ms]),
      [
        ["b", false, 1000],
        ["c", true, 30_000],
      ],
    );
    assert.deepEqual([status.ack_count, status.state], [2, "partial"]);
  });

  it("whose acknowledgement is measured has its latency to the microsecond", () => {
    const items = new Items(LIMIT);
    items.track(tracked("m"), T0);
    items.acknowledge(ack("m", "b"), T0 + 1234);
    const item = items.get("m") as Item;
    assert.equal(latencyMs(item, [...item.acks.values()][0]!), 1.234);
  });

  it("that was never sent is forgotten, and its acknowledgements are of nothing", () => {
    const items = new Items(LIMIT);
    items.track(tracked("m1"), T0);
    items.track(tracked("m2"), T0);
    assert.equal(items.latest?.pk, "m2");
    assert.equal(items.untrack("m2"), true);
    assert.equal(items.untrack("m2"), false);
    assert.equal(items.latest?.pk, "m1");
    assert.deepEqual(items.acknowledge(ack("m2", "b"), T0), { outcome: "unknown", late: false });
  });

  it("is no drill's, and a drill's is no message", () => {
    const items = new Items(LIMIT);
    items.track(tracked("m"), T0);
    assert.equal(items.acknowledge({ ...ack("m", "b"), transport: "pubsub" }, T0).outcome, "unknown");
    assert.equal(items.acknowledge({ ...ack("m", "b"), transport: "gossip" }, T0).outcome, "counted");
  });

  it("is not the latest any more after a reset, nor is any older one, and is counted all the same", () => {
    const items = new Items(LIMIT);
    const latest = () => items.latest?.pk ?? null;
    items.track(tracked("old"), T0);
    items.track(tracked("m"), T0);
    items.reset();
    assert.equal(latest(), null);
    items.untrack("m");
    assert.equal(latest(), null);
    assert.equal(items.acknowledge(ack("old", "b"), T0).outcome, "counted");
    items.track(tracked("new"), T0);
    assert.equal(latest(), "new");
    items.untrack("new");
    assert.equal(latest(), null);
  });

  it("keeps what it has when it is tracked again", () => {
    const items = new Items(LIMIT);
    items.track(tracked("m"), T0);
    items.acknowledge(ack("m", "b"), T0);
    items.track(tracked("m", T0 + S, []), T0 + S);
    const { acks, expected, sentAt } = items.get("m") as Item;
    assert.deepEqual([acks.size, expected, sentAt], [1, ["b", "c"], T0]);
  });
});

describe("The tracker", () => {
  it("credits each acknowledgement to its own message alone, once a node, whatever order they come in", () => {
    const pk = fc.constantFrom("m1", "m2", "m3", "unknown");
    const node = fc.constantFrom("b", "c", "d");
    fc.assert(
      fc.property(fc.array(fc.tuple(pk, node, fc.nat({ max: 40 * S }))), (arrivals) => {
        const items = new Items(LIMIT);
        for (const name of ["m1", "m2", "m3"]) items.track(tracked(name), T0);
        const model = new Map<string, Map<string, number>>();
        for (const [name, nodeId, after] of arrivals) {
          const { late, outcome } = items.acknowledge(ack(name, nodeId), T0 + after);
          const acks = model.get(name) ?? new Map<string, number>();
          if (name === "unknown") assert.equal(outcome, "unknown");
          else assert.equal(outcome, acks.has(nodeId) ? "repeated" : "counted");
          if (name === "unknown") continue;
          if (!acks.has(nodeId)) acks.set(nodeId, after);
          model.set(name, acks);
          assert.equal(late, (acks.get(nodeId) as number) >= 30 * S);
        }
        for (const name of ["m1", "m2", "m3"]) {
          const acks = [...(items.get(name)?.acks.values() ?? [])];
          assert.deepEqual(
            acks.map(({ arrivedAt, nodeId }) => [nodeId, arrivedAt - T0]),
            [...(model.get(name) ?? [])],
          );
        }
      }),
    );
  });

  it("keeps the newest hundred and all of the last ten minutes, and never over five thousand", () => {
    const items = new Items(LIMIT);
    for (let i = 0; i < 150; i++) items.track(tracked(`m${i}`, T0 + i), T0 + i);
    assert.equal(items.size, 150);
    const later = T0 + 600 * S + 49;
    items.track(tracked("later", later), later);
    // Of 151 those that are ten minutes old go, until a hundred are left.
    assert.equal(items.size, 101);
    assert.equal(items.get("m49"), null);
    assert.notEqual(items.get("m50"), null);
    const muchLater = T0 + 3600 * S;
    items.track(tracked("much later", muchLater), muchLater);
    assert.equal(items.size, 100);
    for (let i = 0; i < 6000; i++) items.track(tracked(`n${i}`, muchLater), muchLater);
    assert.equal(items.size, 5000);
    assert.equal(items.get("n999"), null);
    assert.notEqual(items.get("n1000"), null);
  });
});
