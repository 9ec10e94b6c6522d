/** @module Membership: who is silent, who denies it, and that all end with the same list. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AwakeClock } from "../../corrosion/embedded/gossip/awake-clock.ts";
import {
  alone,
  decide,
  MAX_INCARNATION,
  type MemberRecord,
  type Membership,
  type MembershipEvent,
  type Patience,
  supersedes,
} from "../../corrosion/embedded/gossip/membership.ts";
import { ringOf, withRoundTrip } from "../../corrosion/embedded/gossip/round-trips.ts";

const PATIENCE: Patience = {
  roundMs: 1000,
  suspectAfterMs: 3000,
  downAfterMs: 10_000,
  forgetAfterMs: 172_800_000,
};

const identity = (id: string, ts = 1n) => ({ id, address: `${id}:1`, ts, memberId: null });

function record(id: string, fields: Partial<MemberRecord> = {}): MemberRecord {
  return { ...identity(id), incarnation: 0, state: "Alive", beat: 1, ...fields };
}

/** An agent with a clock of its own. */
class Observer {
  now = 0;
  membership: Membership;
  told: string[] = [];

  constructor(id: string, ts = 1n) {
    this.membership = alone(identity(id, ts));
  }

  does(event: MembershipEvent): boolean {
    const decision = decide(this.membership, event, this.now, PATIENCE);
    this.membership = decision.membership;
    this.told.push(...decision.changed.map(({ id, state }) => `${id} ${state}`));
    return decision.refuted;
  }

  hears(...records: MemberRecord[]): boolean {
    return this.does({ kind: "heard", records });
  }

  /** So many rounds pass. */
  rounds(count: number): void {
    for (let i = 0; i < count; i++) {
      this.now += PATIENCE.roundMs;
      this.does({ kind: "tick" });
    }
  }

  state(id: string): string | undefined {
    return this.membership.members.get(id)?.state;
  }

  records(): MemberRecord[] {
    return [this.membership.self, ...this.membership.members.values()];
  }
}

describe("a member that falls silent", () => {
  it("is Suspect after 3 s, Down after 10 s, and forgotten after two days", () => {
    const a = new Observer("a");
    a.does({ kind: "tick" });
    a.hears(record("b"));
    a.rounds(3);
    assert.equal(a.state("b"), "Alive");
    a.rounds(1);
    assert.equal(a.state("b"), "Suspect");
    a.rounds(6);
    assert.equal(a.state("b"), "Suspect");
    a.rounds(1);
    assert.equal(a.state("b"), "Down");
    assert.deepEqual(a.told, ["b Alive", "b Suspect", "b Down"]);
    a.now += PATIENCE.forgetAfterMs;
    a.rounds(2);
    assert.equal(a.state("b"), undefined);
  });

  it("is not suspected while others bring news of its beat, or its connection brings bytes", () => {
    const a = new Observer("a");
    a.does({ kind: "tick" });
    a.hears(record("b"), record("c"));
    for (let beat = 2; beat < 30; beat++) {
      a.rounds(1);
      a.hears(record("b", { beat }));
      a.does({ kind: "lives", id: "c" });
    }
    assert.deepEqual([a.state("b"), a.state("c")], ["Alive", "Alive"]);
    a.does({ kind: "lives", id: "nobody" });
    assert.equal(a.membership.members.size, 2);
  });

  it("gets no better by what is repeated of it", () => {
    const a = new Observer("a");
    a.does({ kind: "tick" });
    for (let i = 0; i < 12; i++) {
      a.hears(record("b", { beat: 7 }));
      a.rounds(1);
    }
    assert.equal(a.state("b"), "Down");
    a.hears(record("b", { beat: 9999 }));
    assert.equal(a.state("b"), "Down", "only a denial brings it back");
    a.hears(record("b", { incarnation: 1 }));
    assert.equal(a.state("b"), "Alive");
    a.rounds(3);
    assert.equal(a.state("b"), "Alive", "its silence is counted anew");
  });

  it("is not blamed for the time in which the observer itself stood still", () => {
    const a = new Observer("a");
    a.does({ kind: "tick" });
    a.hears(record("b"));
    a.now += 60_000;
    a.rounds(1);
    assert.equal(a.state("b"), "Alive");
    a.rounds(4);
    assert.equal(a.state("b"), "Suspect");
  });
});

describe("an agent of which others say that it is gone", () => {
  it("denies it with a higher incarnation, and is believed", () => {
    const [a, b] = [new Observer("a"), new Observer("b")];
    a.does({ kind: "tick" });
    a.hears(b.membership.self);
    a.rounds(11);
    assert.equal(a.state("b"), "Down");
    assert.ok(b.hears(...a.records()), "others should hear it soon");
    assert.equal(b.membership.self.incarnation, 1);
    a.hears(b.membership.self);
    assert.equal(a.state("b"), "Alive");
    assert.ok(!b.hears(...a.records()), "there is nothing left to deny");
  });

  it("is newer than its last run even where the clock was set back between the two", () => {
    const [a, restarted] = [new Observer("a"), new Observer("b", 5n)];
    a.hears(record("b", { ts: 900n, incarnation: 7, state: "Down" }));
    restarted.hears(...a.records());
    assert.equal(restarted.membership.self.ts, 901n);
    a.hears(restarted.membership.self);
    assert.equal(a.state("b"), "Alive");
  });

  it("goes on from the beat of an earlier run that had the same ts", () => {
    const b = new Observer("b", 5n);
    assert.ok(!b.hears(record("b", { ts: 5n, beat: 40 })), "there is nothing to deny");
    assert.equal(b.membership.self.beat, 40);
  });

  it("takes a new ts when incarnations are used up", () => {
    const b = new Observer("b", 5n);
    b.hears(record("b", { ts: 5n, incarnation: MAX_INCARNATION, state: "Suspect" }));
    assert.deepEqual([b.membership.self.ts, b.membership.self.incarnation], [6n, 0]);
  });

  it("joins anew with a ts that is newer in any case, and can forget the others", () => {
    const b = new Observer("b", 50n);
    b.hears(record("a"));
    assert.ok(b.does({ kind: "rejoin", ts: 10n, forgetOthers: false }));
    assert.equal(b.membership.self.ts, 51n);
    assert.equal(b.membership.members.size, 1);
    b.does({ kind: "rejoin", ts: 99n, forgetOthers: true });
    assert.equal(b.membership.self.ts, 99n);
    assert.equal(b.membership.members.size, 0);
  });
});

const records = fc.record({
  id: fc.constantFrom("b", "c"),
  ts: fc.bigInt(1n, 3n),
  incarnation: fc.nat(3),
  state: fc.constantFrom("Alive" as const, "Suspect" as const, "Down" as const),
  beat: fc.nat(5),
});

describe("what is said of members", () => {
  it("leads to the same list in whatever order, and however often, it is heard", () => {
    const heard = fc
      .array(records, { maxLength: 12 })
      .chain((said) =>
        fc.tuple(
          fc.shuffledSubarray(said, { minLength: said.length }),
          fc.shuffledSubarray([...said, ...said], { minLength: 2 * said.length }),
        ),
      );
    fc.assert(
      fc.property(heard, (orders) => {
        const lists = orders.map((said) => {
          const a = new Observer("a");
          for (const one of said) a.hears(record(one.id, one));
          return [...a.membership.members.values()]
            .map(({ id, ts, incarnation, state }) => `${id} ${ts} ${incarnation} ${state}`)
            .sort();
        });
        assert.deepEqual(lists[0], lists[1]);
      }),
    );
  });

  it("never brings back what was superseded, through silence, cuts, restarts and clocks that are set back", () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({ do: fc.constant("tell" as const), from: fc.nat(3), to: fc.nat(3) }),
        },
        {
          weight: 3,
          arbitrary: fc.record({ do: fc.constant("pass" as const), rounds: fc.integer({ min: 1, max: 6 }) }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            do: fc.constant("restart" as const),
            who: fc.nat(3),
            ts: fc.bigInt(1n, 9n),
          }),
        },
        {
          weight: 1,
          arbitrary: fc.record({ do: fc.constant("old news" as const), to: fc.nat(3), age: fc.nat(50) }),
        },
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const agents = ["a", "b", "c", "d"].map((id) => new Observer(id));
        const said: MemberRecord[][] = [];
        for (const step of all) {
          const before = agents.map(({ membership }) => membership);
          if (step.do === "tell") {
            said.push(agents[step.from]!.records());
            agents[step.to]!.hears(...said.at(-1)!);
          } else if (step.do === "pass") for (const agent of agents) agent.rounds(step.rounds);
          else if (step.do === "old news") agents[step.to]!.hears(...(said.at(-step.age) ?? []));
          else {
            const { self } = agents[step.who]!.membership;
            const { now } = agents[step.who]!;
            agents[step.who] = new Observer(self.id, step.ts);
            agents[step.who]!.now = now;
            continue;
          }
          for (const [i, { membership }] of agents.entries()) {
            for (const known of before[i]!.members.values()) {
              const next = membership.members.get(known.id)!;
              assert.ok(!supersedes(known, next), "what was known is not taken back");
            }
          }
        }
        // All is well again: everybody tells everybody.
        for (let round = 0; round < 6; round++) {
          for (const from of agents) for (const to of agents) if (from !== to) to.hears(...from.records());
          for (const agent of agents) agent.rounds(1);
        }
        for (const observer of agents) {
          for (const { membership } of agents) {
            const { self } = membership;
            if (self.id === observer.membership.self.id) continue;
            const seen = observer.membership.members.get(self.id)!;
            assert.deepEqual([seen.state, seen.ts, seen.incarnation], ["Alive", self.ts, self.incarnation]);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a clock that stands still while the process does", () => {
  it("leaves out what is more than two rounds between two of them", () => {
    let time = 0;
    const clock = new AwakeClock(1000, () => time);
    for (time = 1000; time <= 5000; time += 1000) clock.tick();
    time = 6900;
    clock.tick();
    assert.equal(clock.now(), 6900, "a late round is none");
    time = 60_000;
    clock.tick();
    assert.equal(clock.now(), 7900);
    time += 500;
    assert.equal(clock.now(), 8400);
  });
});

describe("the ring of a member", () => {
  it("follows the average of the last round trips, below 6, 15, 50, 100, 200 and 300 ms", () => {
    for (const [ms, ring] of [
      [0, 0],
      [5, 0],
      [6, 1],
      [15, 2],
      [50, 3],
      [100, 4],
      [200, 5],
      [299, 5],
      [300, null],
    ] as const) {
      assert.equal(ringOf([ms]), ring);
    }
    assert.equal(ringOf([]), null);
    assert.equal(ringOf([1, 29]), 2);
    let rtts: readonly number[] = [];
    for (let i = 0; i < 50; i++) rtts = withRoundTrip(rtts, i + 0.2);
    assert.deepEqual(
      rtts,
      Array.from({ length: 20 }, (_, i) => 30 + i),
    );
  });
});
