/** @module Receptions and deliveries on a clock that the test moves, every answer the test's own. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { isoMicros } from "../../lib/clock.ts";
import type { Deliver, Reception } from "../../services/acks/contract.ts";
import type { Answer } from "../../services/acks/sender/delivery-plan.ts";
import { Receptions } from "../../services/acks/sender/receptions.ts";
import { Sender, type SenderEnv } from "../../services/acks/sender/sender.ts";
import { FakeTimers } from "../helpers/fake-timers.ts";

const START = Date.UTC(2026, 0, 2) * 1000;
const OK: Answer = { kind: "answered", status: 200, detail: null };
const UNKNOWN: Answer = { kind: "answered", status: 404, detail: null };
const REFUSED: Answer = { kind: "answered", status: 400, detail: "bad" };
const DOWN: Answer = { kind: "unanswered", reason: "connect ECONNREFUSED" };
const FORGED: Answer = { kind: "not_allowed", reason: "endpoint_not_allowed" };

interface Open {
  readonly pk: string;
  readonly endpoint: string;
  answer(answer: Answer): Promise<void>;
}

class World {
  readonly timers = new FakeTimers();
  /** Requests under way. */
  readonly open: Open[] = [];
  /** Keys of all requests. */
  readonly requests: string[] = [];
  readonly told: Reception[] = [];
  readonly warnings: object[] = [];
  readonly sender: Sender;

  constructor(env: Partial<SenderEnv> = {}) {
    this.sender = new Sender({
      nodeId: "n1",
      attempts: 6,
      concurrency: 16,
      maxQueued: 10_000,
      dedupeMax: 1000,
      dedupeTtlMs: 3_600_000,
      timers: this.timers,
      clock: () => START + this.timers.now() * 1000,
      random: () => 1,
      attempt: ({ endpoint, pk }) => {
        this.requests.push(pk);
        return new Promise((resolve) => {
          const open: Open = {
            pk,
            endpoint,
            answer: async (answer) => {
              this.open.splice(this.open.indexOf(open), 1);
              resolve(answer);
              await setImmediate();
            },
          };
          this.open.push(open);
        });
      },
      changed: (reception) => this.told.push(reception),
      logger: { warn: (_message, fields) => this.warnings.push(fields) },
      ...env,
    });
  }

  receive(pk: string, fields: Partial<Deliver> = {}): Reception {
    const receipt_timestamp = isoMicros(START + this.timers.now() * 1000);
    const from = { originator: "n2", endpoint: "n2:5002" };
    return this.sender.receive({ transport: "gossip", pk, ...from, receipt_timestamp, ...fields });
  }

  /** Answers what is under way, and what starts meanwhile, until nothing is. */
  async answerAll(answer: Answer): Promise<void> {
    while (this.open[0]) await this.open[0].answer(answer);
  }

  /** Lets all attempts of a delivery fail. */
  async exhaust(answer: Answer): Promise<void> {
    await this.answerAll(answer);
    for (let i = 0; i < 5; i++) {
      this.timers.advance(8000);
      await this.answerAll(answer);
    }
  }

  state(pk: string): Reception["ack_state"] | undefined {
    return this.sender.get(pk)?.ack_state;
  }
}

describe("The sender", () => {
  it("counts each reception at once, and delivers one acknowledgement", async () => {
    const world = new World();
    for (const count of [1, 2, 3]) assert.equal(world.receive("a").reception_count, count);
    assert.deepEqual(world.requests, ["a"]);
    assert.equal(world.state("a"), "pending");
    await world.answerAll(OK);
    assert.equal(world.receive("a").reception_count, 4);
    assert.deepEqual(world.requests, ["a"], "what is acknowledged is not acknowledged again");
    const { ack_state, attempts, first_seen, last_error } = world.sender.get("a") ?? assert.fail();
    assert.deepEqual(
      { ack_state, attempts, first_seen, last_error },
      { ack_state: "acked", attempts: 1, first_seen: "2026-01-02T00:00:00.000000Z", last_error: null },
    );
  });

  it("starts one delivery per key and counts exactly, however receptions, answers and time interleave", async () => {
    const pk = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      { weight: 4, arbitrary: pk.map((pk) => ({ kind: "receive" as const, pk })) },
      {
        weight: 3,
        arbitrary: fc
          .tuple(fc.nat(2), fc.constantFrom(OK, UNKNOWN, REFUSED, DOWN, FORGED))
          .map(([which, answer]) => ({ kind: "answer" as const, which, answer })),
      },
      {
        weight: 2,
        arbitrary: fc.integer({ min: 1, max: 9000 }).map((ms) => ({ kind: "wait" as const, ms })),
      },
      { weight: 1, arbitrary: fc.constant({ kind: "appear" as const }) },
    );
    const concurrency = fc.integer({ min: 1, max: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), concurrency, async (steps, concurrency) => {
        const world = new World({ concurrency });
        world.sender.start();
        const counts = new Map<string, number>();
        const acked = new Set<string>();
        for (const step of steps) {
          if (step.kind === "receive") {
            counts.set(step.pk, (counts.get(step.pk) ?? 0) + 1);
            world.receive(step.pk);
          } else if (step.kind === "answer") {
            const open = world.open[step.which];
            if (open && step.answer === OK) acked.add(open.pk);
            await open?.answer(step.answer);
          } else if (step.kind === "wait") world.timers.advance(step.ms);
          else world.sender.originatorAppeared("n2");
          const pks = world.open.map(({ pk }) => pk);
          assert.equal(new Set(pks).size, pks.length, "no key has two requests");
          assert.ok(pks.length <= concurrency);
          assert.ok(!pks.some((pk) => acked.has(pk)), "what is acknowledged gets no request");
          for (const [pk, count] of counts) {
            assert.equal(world.sender.get(pk)?.reception_count, count);
            assert.equal(world.state(pk) === "acked", acked.has(pk));
          }
          const { entries, queued, sending } = world.sender.status();
          assert.equal(entries, counts.size);
          assert.equal(sending, pks.length);
          const pending = [...counts.keys()].filter((pk) => world.state(pk) === "pending");
          assert.equal(pending.length, queued + sending, "a pending one is under way");
        }
        await world.answerAll(OK);
        world.timers.advance(8000);
        await world.answerAll(OK);
        for (const pk of counts.keys()) assert.notEqual(world.state(pk), "pending", "none is forgotten");
      }),
    );
  });

  it("tries six times, 250 ms to 4 s apart, and says why it gave up", async () => {
    const world = new World();
    world.receive("a");
    for (const [i, waitMs] of [250, 500, 1000, 2000, 4000].entries()) {
      await world.answerAll(UNKNOWN);
      assert.equal(world.requests.length, i + 1);
      assert.equal(world.state("a"), "pending");
      world.timers.advance(waitMs - 1);
      assert.equal(world.requests.length, i + 1);
      world.timers.advance(1);
    }
    await world.answerAll(UNKNOWN);
    world.timers.advance(60_000);
    const entry = world.sender.get("a");
    assert.deepEqual(
      [entry?.ack_state, entry?.attempts, entry?.last_error],
      ["failed", 6, "the originator answered 404"],
    );
    assert.equal(world.requests.length, 6);
  });

  it("delivers a failed one when its row is received again, to where the row now says", async () => {
    const world = new World();
    world.receive("a");
    await world.answerAll(REFUSED);
    assert.equal(world.state("a"), "failed");
    world.receive("a", { endpoint: "n2:6002" });
    assert.equal(world.open[0]?.endpoint, "n2:6002");
    await world.answerAll(OK);
    assert.equal(world.state("a"), "acked");
    assert.equal(world.sender.get("a")?.last_error, null);
  });

  it("an originator that was down for 20 s gets all of them within 5 s, without being received again", async () => {
    const world = new World();
    world.sender.start();
    for (const pk of ["a", "b", "c"]) world.receive(pk);
    while (world.timers.now() < 20_000) {
      await world.answerAll(DOWN);
      world.timers.advance(100);
    }
    const failed = ["a", "b", "c"].filter((pk) => world.state(pk) === "failed");
    assert.ok(failed.length >= 2, "their attempts are used up");
    while (world.timers.now() < 25_100) {
      await world.answerAll(OK);
      world.timers.advance(100);
    }
    assert.deepEqual(
      ["a", "b", "c"].map((pk) => world.state(pk)),
      ["acked", "acked", "acked"],
    );
  });

  it("tries all of them at once when their originator appears on the bus", async () => {
    const world = new World();
    for (const pk of ["a", "b"]) world.receive(pk);
    world.receive("other", { originator: "n3", endpoint: "n3:5003" });
    await world.exhaust(DOWN);
    world.sender.originatorAppeared("n2");
    assert.deepEqual(
      world.open.map(({ pk }) => pk),
      ["a", "b"],
    );
    await world.answerAll(OK);
    assert.deepEqual(
      ["a", "b", "other"].map((pk) => world.state(pk)),
      ["acked", "acked", "failed"],
    );
  });

  it("asks a dead originator once in 5 s, and no more after ten minutes", async () => {
    const world = new World();
    for (const pk of ["a", "b"]) world.receive(pk);
    await world.exhaust(DOWN);
    world.sender.start();
    const before = world.requests.length;
    for (let i = 0; i < 12; i++) {
      world.timers.advance(5000);
      await world.answerAll(DOWN);
    }
    assert.equal(world.requests.length, before + 12);
    world.timers.advance(600_000);
    await world.answerAll(DOWN);
    const late = world.requests.length;
    world.timers.advance(60_000);
    assert.equal(world.requests.length, late);
  });

  it("makes no request to a forged endpoint, counts none, and looks again when more is known", async () => {
    const world = new World();
    world.sender.start();
    world.receive("a");
    await world.answerAll(FORGED);
    const { ack_state, attempts, last_error } = world.sender.get("a") ?? assert.fail();
    assert.deepEqual([ack_state, attempts, last_error], ["failed", 0, "endpoint_not_allowed"]);
    world.timers.advance(60_000);
    world.sender.originatorAppeared("n2");
    world.sender.endpointsChanged(() => false);
    assert.equal(world.requests.length, 1, "nobody asks for it again");
    world.sender.endpointsChanged((endpoint, node) => endpoint === "n2:5002" && node === "n2");
    await world.answerAll(OK);
    assert.equal(world.state("a"), "acked");
  });

  it("drops what the queue has no room for, says so once a minute, and takes it up when there is room", async () => {
    const world = new World({ concurrency: 2, maxQueued: 3 });
    for (const pk of ["a", "b", "c", "d", "e"]) world.receive(pk);
    assert.deepEqual(
      ["c", "d", "e"].map((pk) => world.state(pk)),
      ["pending", "failed", "failed"],
    );
    assert.match(world.sender.get("d")?.last_error ?? "", /the queue is full/);
    const { dropped, queued, sending } = world.sender.status();
    assert.deepEqual([dropped, queued, sending], [2, 1, 2]);
    assert.deepEqual(world.warnings, [{ dropped: 1 }]);
    world.timers.advance(60_000);
    world.receive("f");
    assert.deepEqual(world.warnings, [{ dropped: 1 }, { dropped: 2 }]);
    await world.answerAll(OK);
    for (const pk of ["a", "b", "c", "d", "e", "f"]) assert.equal(world.state(pk), "acked", pk);
    assert.equal(world.sender.status().dropped, 3);
  });

  it("lets a silent originator hold up no other one", async () => {
    const world = new World({ concurrency: 4 });
    for (let i = 0; i < 20; i++) world.receive(`hung-${i}`);
    assert.equal(world.open.length, 4);
    for (let i = 0; i < 4; i++) world.receive(`good-${i}`, { originator: "n3", endpoint: "n3:5003" });
    await world.open[0]?.answer(DOWN);
    const good = () => world.open.filter(({ pk }) => pk.startsWith("good"));
    while (good()[0]) await good()[0]?.answer(OK);
    for (let i = 0; i < 4; i++) assert.equal(world.state(`good-${i}`), "acked");
  });

  it("sends one at a time to an originator that is silent, and as many as it may once there is an answer", async () => {
    const world = new World({ concurrency: 4 });
    for (let i = 0; i < 20; i++) world.receive(`p${i}`);
    for (const open of [...world.open]) await open.answer(DOWN);
    assert.equal(world.open.length, 1);
    await world.open[0]?.answer(OK);
    assert.equal(world.open.length, 4);
  });

  it("keeps a drill and a message of the same key apart", async () => {
    const world = new World();
    world.receive("a");
    world.receive("a", { transport: "pubsub" });
    assert.equal(world.open.length, 2);
    assert.equal(world.sender.get("a")?.reception_count, 1);
  });

  it("keeps at most so many, the latest received, and starts no second delivery for one that it forgot", async () => {
    const world = new World({ dedupeMax: 2 });
    for (const pk of ["a", "b", "c"]) world.receive(pk);
    assert.deepEqual(
      world.sender.list(1, 10).map(({ message_pk }) => message_pk),
      ["c", "b"],
    );
    assert.equal(world.sender.status().entries, 2);
    assert.equal(world.receive("a").reception_count, 1);
    assert.deepEqual(world.requests, ["a", "b", "c"], "the first delivery of a is still under way");
    await world.answerAll(OK);
    assert.equal(world.state("a"), "acked");
    assert.equal(world.state("b"), undefined);
    assert.deepEqual(world.sender.status().acked, 2);
  });

  it("lists what came more than once, and sums up", async () => {
    const world = new World();
    for (const pk of ["a", "b", "a", "a", "c", "b"]) world.receive(pk);
    const list = (min: number) =>
      world.sender.list(min, 10).map(({ message_pk, reception_count }) => `${message_pk} ${reception_count}`);
    assert.deepEqual(list(1), ["b 2", "c 1", "a 3"]);
    assert.deepEqual(list(2), ["b 2", "a 3"]);
    assert.deepEqual(world.sender.list(1, 1).length, 1);
    const { duplicated, most, receptions } = world.sender.stats();
    assert.deepEqual([receptions, duplicated, most], [6, 2, 3]);
  });

  it("tells every change of an entry", async () => {
    const world = new World();
    world.receive("a");
    await world.answerAll(DOWN);
    world.timers.advance(250);
    await world.answerAll(OK);
    assert.deepEqual(
      world.told.map(({ ack_state, attempts }) => `${ack_state} ${attempts}`),
      ["pending 0", "pending 1", "acked 2"],
    );
  });

  it("stops with no timer left, and starts nothing afterwards", async () => {
    const world = new World({ concurrency: 1 });
    world.sender.start();
    for (const pk of ["a", "b"]) world.receive(pk);
    await world.open[0]?.answer(DOWN);
    const stopped = world.sender.stop();
    await world.open[0]?.answer(DOWN);
    await stopped;
    assert.deepEqual(world.timers.waits, []);
    const { length } = world.requests;
    world.receive("c");
    assert.equal(world.requests.length, length);
  });
});

describe("Receptions", () => {
  it("are kept for their time after the last reception, however they are interleaved", () => {
    const step = fc.record({
      pk: fc.constantFrom("a", "b", "c", "d"),
      waitMs: fc.integer({ min: 0, max: 1500 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (steps, max) => {
        let now = 1;
        const receptions = new Receptions({ max, ttlMs: 1000, now: () => now });
        /** What should be there, the latest received last. */
        let model: { pk: string; at: number; count: number }[] = [];
        for (const { pk, waitMs } of steps) {
          now += waitMs;
          model = model.filter(({ at }) => now - at <= 1000);
          const count = (model.find((entry) => entry.pk === pk)?.count ?? 0) + 1;
          model = [...model.filter((entry) => entry.pk !== pk), { pk, at: now, count }].slice(-max);
          const arrival = { transport: "gossip", pk, originator: "n", endpoint: "e" } as const;
          assert.equal(receptions.receive(arrival, now * 1000).entry.count, count);
          receptions.purge();
          const kept = [...receptions.latest(1)].map(({ count, pk }) => ({ pk, count }));
          assert.deepEqual(
            kept.reverse(),
            model.map(({ count, pk }) => ({ pk, count })),
          );
          assert.equal(receptions.counts.pending, model.length);
        }
      }),
    );
  });
});
