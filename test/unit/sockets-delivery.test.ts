/** @module Tests: whatever the network does to publications and reads, a channel delivers each message once, in order. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  Delivery,
  MAX_HELD,
  MAX_HELD_BYTES,
  type Sequenced,
  type Step,
} from "../../services/gateway/sockets/delivery.ts";

const RUNS = 3000;
const SEED = Number(process.env.SOCKETS_SEED ?? Date.now() % 2 ** 31);

const message = (seq: number): Sequenced => ({ seq, size: 1 });
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
const seqs = (messages: readonly Sequenced[]) => messages.map(({ seq }) => seq);

/** What may happen next to a channel; numbers choose among what is there. */
type Happening =
  | { readonly kind: "commit"; readonly count: number }
  | { readonly kind: "publication"; readonly pick: number; readonly fate: "arrives" | "doubles" | "is lost" }
  | {
      readonly kind: "read";
      readonly outcome: "now" | "as it was" | "fails" | "fails, then answers";
      readonly limit: number;
    }
  | { readonly kind: "late answer"; readonly pick: number }
  | { readonly kind: "timer" }
  | { readonly kind: "head check"; readonly behind: number }
  | { readonly kind: "rejoin"; readonly back: number; readonly limit: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("commit" as const), count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("publication" as const),
      pick: fc.nat(20),
      fate: fc.constantFrom("arrives" as const, "arrives" as const, "doubles" as const, "is lost" as const),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      outcome: fc.constantFrom(
        "now" as const,
        "as it was" as const,
        "fails" as const,
        "fails, then answers" as const,
      ),
      limit: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("late answer" as const), pick: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("timer" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("head check" as const), behind: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("rejoin" as const),
      back: fc.nat(6),
      limit: fc.integer({ min: 0, max: 5 }),
    }),
  },
);

interface PendingRead {
  readonly id: number;
  readonly after: number;
  /** Where the session ended when the read began. */
  readonly lastSeq: number;
}

/** One channel with the session, the bus and the client around it; fails at the first wrong delivery. */
class World {
  #lastSeq = 0;
  #delivery = new Delivery<Sequenced>();
  #joining = true;
  /** What the client of the present channel has. */
  #has = 0;
  #publications: Sequenced[][] = [];
  #read: PendingRead | null = null;
  #given: PendingRead[] = [];
  #timer = false;

  constructor(after: number) {
    this.#lastSeq = after;
    this.#has = after;
  }

  happens(event: Happening): void {
    switch (event.kind) {
      case "commit": {
        const messages = range(this.#lastSeq + 1, this.#lastSeq + event.count);
        this.#lastSeq += event.count;
        this.#publications.push(messages);
        return;
      }
      case "publication": {
        const index = event.pick % Math.max(this.#publications.length, 1);
        const messages = this.#publications[index];
        if (!messages) return;
        if (event.fate !== "doubles") this.#publications.splice(index, 1);
        if (event.fate !== "is lost") this.#step(this.#delivery.published(messages));
        return;
      }
      case "read":
        if (this.#joining) return this.join(event.limit);
        return this.#endRead(event.outcome, event.limit);
      case "late answer": {
        const [read] = this.#given.splice(event.pick % Math.max(this.#given.length, 1), 1);
        if (read) this.#step(this.#delivery.page(read.id, range(read.after + 1, read.lastSeq), read.lastSeq));
        return;
      }
      case "timer":
        if (this.#timer) this.#retry();
        return;
      case "head check":
        if (!this.#joining) this.#step(this.#delivery.head(Math.max(this.#lastSeq - event.behind, 0)));
        return;
      case "rejoin":
        this.#delivery = new Delivery();
        this.#joining = true;
        this.#read = null;
        this.#given = [];
        this.#timer = false;
        this.#has = Math.max(this.#has - event.back, 0);
        // Sometimes the answer to the join comes at once, sometimes after more has happened.
        if (event.limit > 0) this.join(event.limit);
    }
  }

  join(limit: number): void {
    if (!this.#joining) return;
    this.#joining = false;
    const after = this.#has;
    const messages = range(after + 1, Math.min(after + limit, this.#lastSeq));
    const { replay, step } = this.#delivery.joined(after, messages, this.#lastSeq);
    this.#receive(replay);
    this.#step(step);
  }

  /** Publications stop, everything else works: the client must end up with the whole session. */
  settle(): void {
    this.join(3);
    this.#publications = [];
    this.#step(this.#delivery.head(this.#lastSeq));
    for (let rounds = 0; this.#read || this.#timer; rounds++) {
      assert.ok(rounds < 2 * this.#lastSeq + 10, "reads do not come to an end");
      if (this.#timer) this.#retry();
      else this.#endRead("now", 3);
    }
    assert.equal(this.#has, this.#lastSeq);
    assert.equal(this.#delivery.held, 0);
  }

  #retry(): void {
    this.#timer = false;
    this.#step(this.#delivery.retry());
  }

  #endRead(outcome: "now" | "as it was" | "fails" | "fails, then answers", limit: number): void {
    const read = this.#read;
    if (!read) return;
    this.#read = null;
    if (outcome === "fails, then answers") this.#given.push(read);
    if (outcome === "fails" || outcome === "fails, then answers")
      return this.#step(this.#delivery.failed(read.id));
    const lastSeq = outcome === "now" ? this.#lastSeq : read.lastSeq;
    const messages = range(read.after + 1, Math.min(read.after + limit, lastSeq));
    this.#step(this.#delivery.page(read.id, messages, lastSeq));
  }

  #step(step: Step<Sequenced>): void {
    this.#receive(step.deliver);
    if (!this.#joining) assert.equal(this.#delivery.sent, this.#has);
    if (step.read !== null) {
      assert.equal(this.#read, null, "two reads at a time");
      this.#read = { id: step.read, after: this.#delivery.sent, lastSeq: this.#lastSeq };
    }
    if (step.retryIn !== null) {
      assert.equal(this.#timer, false, "two timers at a time");
      assert.ok(step.retryIn > 0 && step.retryIn <= 2000);
      this.#timer = true;
    }
  }

  #receive(messages: readonly Sequenced[]): void {
    assert.ok(messages.length === 0 || !this.#joining, "a message before the join reply");
    for (const { seq } of messages) {
      assert.equal(seq, this.#has + 1, "a gap, a repeat or a wrong order");
      this.#has = seq;
    }
  }
}

describe("the delivery of a session channel", () => {
  it(`gives every message exactly once in seq order, whatever is lost, doubled, reordered or late (seed ${SEED})`, () => {
    fc.assert(
      fc.property(fc.nat(5), fc.array(happening, { maxLength: 150, size: "max" }), (after, happenings) => {
        const world = new World(after);
        for (const event of happenings) world.happens(event);
        world.settle();
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it("holds back what is published while the join is under way", () => {
    const delivery = new Delivery<Sequenced>();
    assert.deepEqual(delivery.published(range(3, 4)).deliver, []);
    const { replay, step } = delivery.joined(1, range(2, 3), 3);
    assert.deepEqual(seqs(replay), [2, 3]);
    assert.deepEqual(seqs(step.deliver), [4]);
    assert.equal(step.read, null);
  });

  it("reads at once when a publication jumps ahead, and sends the rest of it after what was missing", () => {
    const delivery = live(2);
    const gap = delivery.published(range(5, 6));
    assert.deepEqual(gap.deliver, []);
    assert.equal(gap.read, 1);
    const filled = delivery.page(1, range(3, 5), 6);
    assert.deepEqual(seqs(filled.deliver), [3, 4, 5, 6]);
    assert.equal(filled.repaired, true);
    assert.equal(filled.read, null);
  });

  it("does not wait for the read when what was missing arrives late by itself", () => {
    const delivery = live(2);
    delivery.published([message(4)]);
    assert.deepEqual(seqs(delivery.published([message(3)]).deliver), [3, 4]);
    const answer = delivery.page(1, range(3, 4), 4);
    assert.deepEqual(answer.deliver, []);
    assert.equal(answer.repaired, false);
  });

  it("reads what a head check shows to be missing, without a later message", () => {
    const delivery = live(7);
    assert.equal(delivery.head(7).read, null);
    assert.equal(delivery.head(9).read, 1);
    assert.deepEqual(seqs(delivery.page(1, range(8, 9), 9).deliver), [8, 9]);
  });

  it("waits longer after every read that fails, and reads on when one answers", () => {
    const delivery = live(0);
    const waits: (number | null)[] = [];
    let read = delivery.head(1).read;
    for (let failure = 0; failure < 6; failure++) {
      assert.ok(read !== null);
      waits.push(delivery.failed(read).retryIn);
      assert.equal(delivery.head(1).read, null);
      read = delivery.retry().read;
    }
    assert.deepEqual(waits, [100, 200, 400, 800, 1600, 2000]);
    assert.ok(read !== null);
    assert.deepEqual(seqs(delivery.page(read, [message(1)], 1).deliver), [1]);
  });

  it("does not ask a reader that lags in a tight loop", () => {
    const delivery = live(0);
    assert.equal(delivery.head(1).read, 1);
    const behind = delivery.page(1, [], 0);
    assert.equal(behind.read, null);
    assert.equal(behind.retryIn, 100);
  });

  it("pages through a long backlog while messages go on being published, and ends live", () => {
    const delivery = new Delivery<Sequenced>();
    let lastSeq = 10_000;
    const { replay, step } = delivery.joined(0, range(1, 100), lastSeq);
    let sent = replay.length;
    let { read } = step;
    while (read !== null) {
      lastSeq += 40;
      const during = delivery.published(range(lastSeq - 39, lastSeq));
      assert.deepEqual(during.deliver, []);
      // The page was cut before the last publication.
      const page = delivery.page(read, range(sent + 1, Math.min(sent + 250, lastSeq - 20)), lastSeq - 20);
      for (const { seq } of page.deliver) assert.equal(seq, ++sent);
      assert.equal(page.repaired, false);
      read = page.read;
    }
    assert.equal(sent, lastSeq);
    assert.deepEqual(seqs(delivery.published([message(lastSeq + 1)]).deliver), [lastSeq + 1]);
  });

  it("holds a bounded number of messages and bytes, and reads again what it dropped", () => {
    for (const size of [1, MAX_HELD_BYTES / 16]) {
      const delivery = live(0);
      const ahead = Array.from({ length: 3 * MAX_HELD }, (_, i) => ({ seq: i + 2, size }));
      const { read } = delivery.published(ahead);
      assert.ok(read !== null);
      const first = delivery.page(read, [message(1)], ahead.length + 1);
      assert.deepEqual(seqs(first.deliver), [1]);
      assert.ok(first.read !== null);
      const held = Math.min(MAX_HELD, Math.floor(MAX_HELD_BYTES / size));
      const dropped = range(2, ahead.length + 1 - held);
      assert.equal(delivery.page(first.read, dropped, ahead.length + 1).deliver.length, ahead.length);
    }
  });
});

/** A channel that has delivered everything up to `seq`. */
function live(seq: number): Delivery<Sequenced> {
  const delivery = new Delivery<Sequenced>();
  delivery.joined(seq, [], seq);
  return delivery;
}
