/** @module The conversation state machine: what each command does, in which order it is decided, and that it is pure. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { applyEntry, InconsistentLog, type Outcome } from "../../lib/conversation/apply.ts";
import type { AppendCommand, Command, ReadCommand } from "../../lib/conversation/commands.ts";
import { sessionHash, stateDigest } from "../../lib/conversation/digest.ts";
import {
  emptyState,
  type GroupState,
  indexOfLocation,
  locationOf,
  locationOfSeq,
  MAX_KEYS,
  positionOfLocation,
} from "../../lib/conversation/state.ts";
import { NaiveGroup } from "../simulation/naive-group.ts";

const CLAIM: Command = { t: "claim", v: 1, epoch: 1, node: "n1", at: 1 };
const CREATE: Command = { t: "create", v: 1, session: "s", user: "u", agent: "a", metadata: {}, at: 2 };

function append(fields: Partial<AppendCommand> = {}): AppendCommand {
  const role = fields.role ?? "user";
  const sender = role === "user" ? "u" : "a";
  const body = { id: "m", kind: "text", content: {}, metadata: {}, at: 3 };
  return { t: "append", v: 1, session: "s", role, sender, ...body, ...fields };
}

function read(seq: number, user = "u"): ReadCommand {
  return { t: "read", v: 1, session: "s", user, seq, at: 3 };
}

const ARCHIVE: Command = { t: "archive", v: 1, session: "s", at: 4 };

/** Applies commands as the next entry of the epoch that the state is in. */
function next(state: GroupState, ...commands: Command[]): Outcome[] {
  const epoch = state.epoch + (commands[0]?.t === "claim" ? 1 : 0);
  return applyEntry(state, { index: state.applied + 1, epoch }, commands);
}

function led(...entries: Command[][]): GroupState {
  const state = emptyState(0);
  next(state, CLAIM);
  for (const commands of entries) next(state, ...commands);
  return state;
}

describe("an append is decided by the state machine", () => {
  const CASES = [
    "session_not_found",
    "not_participant",
    "deduped",
    "session_archived",
    "expected_seq_conflict",
  ];

  it("by the first of the contract's cases that holds, whatever else holds as well", () => {
    for (let holds = 0; holds < 2 ** CASES.length; holds++) {
      const [unknown, stranger, known, archived, conflict] = CASES.map((_, i) => (holds & (1 << i)) !== 0);
      const state = led([CREATE], [append({ key: "k" }), append()], archived ? [ARCHIVE] : []);
      const [outcome] = next(
        state,
        append({
          session: unknown ? "none" : "s",
          sender: stranger ? "somebody" : "u",
          key: known ? "k" : "new",
          expect: conflict ? 1 : 2,
        }),
      );
      const first = CASES.find((_, i) => (holds & (1 << i)) !== 0) ?? "appended";
      assert.ok(outcome);
      const found = outcome.kind === "rejected" ? outcome.code : outcome.kind;
      assert.equal(found, first, `cases ${holds.toString(2)}`);
      if (outcome.kind === "rejected") assert.equal(outcome.lastSeq, unknown ? 0 : 2);
      if (outcome.kind === "deduped") assert.equal(outcome.seq, 1);
      if (outcome.kind === "appended") assert.equal(outcome.seq, 3);
      const written = first === "appended" ? 3 : 2;
      assert.equal(state.sessions.get("s")?.lastSeq, written, "only an append that succeeds takes a seq");
    }
  });

  it("and a participant may send only in its own role", () => {
    const state = led([CREATE]);
    const outcomes = next(
      state,
      append({ role: "agent", sender: "u" }),
      append({ role: "user", sender: "a" }),
      append({ role: "agent" }),
      append({ role: "user" }),
    );
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["rejected", "rejected", "appended", "appended"],
    );
  });

  it("so that of two appends with one expected_seq exactly one succeeds", () => {
    const outcomes = next(led([CREATE]), append({ expect: 0 }), append({ expect: 0 }));
    assert.equal(outcomes[0]?.kind, "appended");
    assert.deepEqual(outcomes[1], { kind: "rejected", code: "expected_seq_conflict", lastSeq: 1 });
  });

  it("and a rejected one leaves no trace in its session", () => {
    const state = led([CREATE], [append({ key: "k" }), ARCHIVE]);
    const session = () => JSON.stringify(state.sessions.get("s"), (_, v) => (v instanceof Map ? [...v] : v));
    const before = session();
    next(state, append({ at: 9 }), append({ sender: "x", at: 9 }));
    assert.equal(session(), before);
  });

  it("and one whose key is known leaves only the time of its use", () => {
    const state = led([CREATE], [append({ key: "k" })]);
    const { usedAt: _, ...before } = structuredClone(state.sessions.get("s")!);
    next(state, append({ key: "k", at: 9 }));
    const { usedAt, ...after } = state.sessions.get("s")!;
    assert.deepEqual(after, before);
    assert.equal(usedAt, 9);
  });
});

describe("a session", () => {
  it("is created once; the same participants find it, others are refused", () => {
    const state = led([CREATE]);
    const outcomes = next(
      state,
      { ...CREATE, metadata: { other: true }, at: 8 },
      { ...CREATE, user: "x" },
      { ...CREATE, agent: "x" },
    );
    assert.equal(outcomes[0]?.kind === "created" && outcomes[0].created, false);
    for (const outcome of outcomes.slice(1)) {
      assert.deepEqual(outcome, { kind: "rejected", code: "session_exists", lastSeq: 0 });
    }
    const session = state.sessions.get("s");
    assert.deepEqual(session?.metadata, {});
    assert.equal(session?.insertedAt, 2);
    assert.deepEqual(state.byUser, new Map([["u", new Set(["s"])]]));
  });

  it("is archived once and keeps the time of the first archiving", () => {
    const state = led([CREATE], [ARCHIVE], [{ ...ARCHIVE, at: 50 }]);
    const session = state.sessions.get("s");
    assert.equal(session?.status, "archived");
    assert.equal(session?.updatedAt, 4);
  });

  it("that is unknown can be neither archived nor read", () => {
    for (const outcome of next(led(), ARCHIVE, read(1))) {
      assert.deepEqual(outcome, { kind: "rejected", code: "session_not_found", lastSeq: 0 });
    }
  });

  it("is read only by its user, up to its last message, and the cursor never goes back", () => {
    const state = led([CREATE], [append({ role: "agent" }), append({ role: "agent" })]);
    const session = state.sessions.get("s");
    next(state, read(1, "a"), read(1, "x"));
    assert.equal(session?.cursor, 0);
    next(state, read(1));
    assert.equal(session?.cursor, 1);
    next(state, read(0));
    assert.equal(session?.cursor, 1);
    next(state, read(1_000_000));
    assert.equal(session?.cursor, 2);
    assert.deepEqual(session?.unread, []);
  });

  it("that is archived can still be read", () => {
    const state = led([CREATE], [append({ role: "agent" }), ARCHIVE], [read(1)]);
    assert.equal(state.sessions.get("s")?.cursor, 1);
  });

  it("knows where in the log each of its messages lies", () => {
    const state = led([CREATE, append()], [append({ sender: "x" }), append()]);
    const session = state.sessions.get("s");
    assert.ok(session);
    const places = [1, 2].map((seq) => {
      const location = locationOfSeq(session, seq);
      assert.ok(location !== null);
      return [indexOfLocation(location), positionOfLocation(location)];
    });
    assert.deepEqual(places, [
      [2, 1],
      [3, 1],
    ]);
    assert.equal(locationOfSeq(session, 0), null);
    assert.equal(locationOfSeq(session, 3), null);
  });

  it("remembers exactly its last 1,024 keys, and a retry does not renew one", () => {
    const state = led([CREATE]);
    const key = (i: number) => append({ key: `k${i}` });
    for (let i = 1; i <= MAX_KEYS; i++) next(state, key(i));
    assert.equal(next(state, key(1))[0]?.kind, "deduped", "the oldest of 1,024 is known");
    assert.equal(next(state, key(MAX_KEYS + 1))[0]?.kind, "appended");
    assert.equal(next(state, key(2))[0]?.kind, "deduped");
    assert.equal(next(state, key(1))[0]?.kind, "appended", "the 1,025th last key is forgotten");
    assert.equal(next(state, key(2))[0]?.kind, "appended", "which the key before pushed out");
    assert.equal(state.sessions.get("s")?.keys.size, MAX_KEYS);
  });

  it("forgets no key because of keyless messages", () => {
    const state = led([CREATE], [append({ key: "k" })]);
    for (let i = 0; i < 2 * MAX_KEYS; i++) next(state, append());
    assert.deepEqual(next(state, append({ key: "k" }))[0]?.kind, "deduped");
  });
});

/** Commands on three sessions of two users, many of them pointless or refused. */
const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      t: fc.constant("create" as const),
      v: fc.constant(1 as const),
      session: fc.constantFrom("s1", "s2", "s3"),
      user: fc.constantFrom("u", "w"),
      agent: fc.constant("a"),
      metadata: fc.constant({}),
      at: fc.constant(0),
    }),
  },
  {
    weight: 12,
    arbitrary: fc
      .record(
        {
          session: fc.constantFrom("s1", "s2", "s3"),
          role: fc.constantFrom("user" as const, "agent" as const),
          sender: fc.constantFrom("u", "a", "w"),
          key: fc.constantFrom("k1", "k2", "k3", "k4", "k5"),
          expect: fc.nat(6),
        },
        { requiredKeys: ["session", "role", "sender"] },
      )
      .map((fields) => append(fields)),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({
        session: fc.constantFrom("s1", "s2", "s3"),
        seq: fc.nat(12),
        user: fc.constantFrom("u", "u", "w"),
      })
      .map(({ session, seq, user }) => ({ ...read(seq, user), session })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("s1", "s2", "s3").map((session): Command => ({ ...ARCHIVE, session })),
  },
);

/** Entries of commands whose times rise; some begin with a claim, as of a new leader, some end with a release. */
const log = fc.array(
  fc.record({
    change: fc.constantFrom("none", "none", "none", "claim"),
    batch: fc.array(commands, { minLength: 1, maxLength: 6 }),
  }),
  { maxLength: 25 },
);

/** The entries that fenced leaders would have written of it. */
function* entriesOf(history: typeof log extends fc.Arbitrary<infer T> ? T : never) {
  let epoch = 1;
  let at = 1;
  let id = 0;
  yield { epoch, commands: [CLAIM] };
  for (const { change, batch } of history) {
    if (change === "claim") {
      epoch += 1;
      yield { epoch, commands: [{ ...CLAIM, epoch, at }] };
    }
    const stamped = batch.map((command): Command => {
      at += 7;
      id += 1;
      return command.t === "append" ? { ...command, at, id: `m${id}` } : { ...command, at };
    });
    yield { epoch, commands: stamped };
  }
}

function words(outcome: Outcome): string {
  if (outcome.kind === "rejected") return `rejected ${outcome.code} ${outcome.lastSeq}`;
  if (outcome.kind === "created") return `created ${outcome.created}`;
  return "seq" in outcome ? `${outcome.kind} ${outcome.seq}` : outcome.kind;
}

describe("whatever the commands are", () => {
  it("outcomes, unread messages, cursors and places are those of a plain reference", () => {
    fc.assert(
      fc.property(log, (history) => {
        const state = emptyState(0);
        const reference = new NaiveGroup();
        let index = 0;
        for (const { epoch, commands } of entriesOf(history)) {
          index += 1;
          const outcomes = applyEntry(state, { index, epoch }, commands).map(words);
          const entry = { batch: `b${index}`, author: "n1", epoch, digest: [0, 0] as const, commands };
          assert.deepEqual(
            outcomes,
            reference.take(index, entry).map((decided) => decided.words),
          );
          reference.compare(state);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("cursors and seqs never go back, and the unread count is that of agent messages above the cursor", () => {
    fc.assert(
      fc.property(log, (history) => {
        const state = emptyState(0);
        const sentByAgent = new Map<string, number[]>();
        const seen = new Map<string, { cursor: number; lastSeq: number }>();
        for (const { epoch, commands } of entriesOf(history)) {
          const outcomes = applyEntry(state, { index: state.applied + 1, epoch }, commands);
          outcomes.forEach((outcome, i) => {
            const command = commands[i];
            if (outcome.kind !== "appended" || command?.t !== "append" || command.role !== "agent") return;
            sentByAgent.set(command.session, [...(sentByAgent.get(command.session) ?? []), outcome.seq]);
          });
          for (const [id, { cursor, lastSeq, unread }] of state.sessions) {
            const before = seen.get(id) ?? { cursor: 0, lastSeq: 0 };
            assert.ok(cursor >= before.cursor && cursor <= lastSeq && lastSeq >= before.lastSeq);
            seen.set(id, { cursor, lastSeq });
            const expected = (sentByAgent.get(id) ?? []).filter((seq) => seq > cursor);
            assert.deepEqual(unread, expected);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("two replicas are equal after every entry, however the log reached them", () => {
    fc.assert(
      fc.property(log, (history) => {
        const one = emptyState(0);
        const other = emptyState(0);
        const entries = [...entriesOf(history)];
        for (const [i, { epoch, commands }] of entries.entries()) {
          applyEntry(one, { index: i + 1, epoch }, commands);
          applyEntry(other, { index: i + 1, epoch }, JSON.parse(JSON.stringify(commands)));
          assert.deepEqual(other.digest, one.digest);
        }
        assert.equal(stateDigest(other), stateDigest(one));
      }),
      { numRuns: 200 },
    );
  });

  it("the running digest is the sum of what its sessions contribute", () => {
    fc.assert(
      fc.property(log, (history) => {
        const state = emptyState(0);
        for (const { epoch, commands } of entriesOf(history)) {
          applyEntry(state, { index: state.applied + 1, epoch }, commands);
        }
        const sum: [number, number] = [0, 0];
        for (const session of state.sessions.values()) {
          const [a, b] = sessionHash(session);
          sum[0] = (sum[0] + a) | 0;
          sum[1] = (sum[1] + b) | 0;
        }
        assert.deepEqual(state.digest, sum);
      }),
      { numRuns: 200 },
    );
  });

  it("applying them asks for no time and no randomness", () => {
    const history = fc.sample(log, { numRuns: 20, seed: 7 });
    const entries = history.map((one) => [...entriesOf(one)]);
    const { Date: RealDate, performance } = globalThis;
    const { random } = Math;
    const { getRandomValues, randomUUID } = crypto;
    const poisoned = () => {
      throw new Error("apply asked the machine for the time or for luck");
    };
    const digests: string[] = [];
    try {
      globalThis.Date = new Proxy(RealDate, { apply: poisoned, construct: poisoned, get: poisoned });
      globalThis.performance = new Proxy(performance, { get: poisoned });
      Math.random = poisoned;
      crypto.getRandomValues = poisoned;
      crypto.randomUUID = poisoned;
      for (const one of entries) {
        const state = emptyState(0);
        for (const { epoch, commands } of one) {
          applyEntry(state, { index: state.applied + 1, epoch }, commands);
        }
        digests.push(stateDigest(state));
      }
    } finally {
      globalThis.Date = RealDate;
      globalThis.performance = performance;
      Math.random = random;
      crypto.getRandomValues = getRandomValues;
      crypto.randomUUID = randomUUID;
    }
    assert.equal(digests.length, 20);
  });
});

describe("an entry that cannot stand where it stands", () => {
  it("is refused, and nothing is changed", () => {
    const state = led([CREATE], [append({ key: "k" })]);
    const before = stateDigest(state);
    const headers = [
      { index: state.applied, epoch: 1 },
      { index: state.applied + 2, epoch: 1 },
      { index: state.applied + 1, epoch: 0 },
      { index: state.applied + 1, epoch: 2 },
    ];
    for (const header of headers) {
      assert.throws(() => applyEntry(state, header, [append()]), InconsistentLog);
    }
    const index = state.applied + 1;
    for (const epoch of [1, 3]) {
      assert.throws(() => applyEntry(state, { index, epoch }, [{ ...CLAIM, epoch }]), InconsistentLog);
    }
    const claim = { ...CLAIM, epoch: 2 };
    assert.throws(() => applyEntry(state, { index, epoch: 2 }, [{ ...CLAIM, epoch: 3 }]), InconsistentLog);
    assert.throws(() => applyEntry(state, { index, epoch: 2 }, [claim, append()]), InconsistentLog);
    assert.throws(() => applyEntry(state, { index, epoch: 1 }, [append(), claim]), InconsistentLog);
    assert.equal(stateDigest(state), before);
    assert.equal(next(state, append())[0]?.kind, "appended", "the right one still goes on");
  });
});

describe("a released epoch", () => {
  it("takes nothing more, but the claim of the next one", () => {
    const state = led([CREATE], [{ t: "release", v: 1, at: 5 }]);
    const before = stateDigest(state);
    assert.throws(() => next(state, append()), InconsistentLog);
    assert.throws(() => next(state, { t: "release", v: 1, at: 6 }), InconsistentLog);
    assert.equal(stateDigest(state), before);
    next(state, { ...CLAIM, epoch: 2, at: 7 });
    assert.equal(next(state, append())[0]?.kind, "appended");
  });
});

describe("a state", () => {
  it("follows epochs: a claim names the leader, a release leaves none", () => {
    const state = led();
    assert.deepEqual([state.epoch, state.leader], [1, "n1"]);
    next(state, { t: "release", v: 1, at: 5 });
    assert.deepEqual([state.epoch, state.leader], [1, null]);
    next(state, { ...CLAIM, epoch: 2, node: "n2", at: 6 });
    assert.deepEqual([state.epoch, state.leader, state.clock, state.commands], [2, "n2", 6, 3]);
  });

  it("keeps the highest time that it has seen", () => {
    const state = led([{ ...CREATE, at: 90 }], [append({ at: 40 })]);
    assert.equal(state.clock, 90);
  });

  it("has another digest for every difference that a caller could see", () => {
    const base: Command[][] = [[CREATE, append({ key: "k", role: "agent" })]];
    const variants: Command[][][] = [
      base,
      [...base, [append()]],
      [...base, [ARCHIVE]],
      [...base, [read(1)]],
      [[{ ...CREATE, metadata: { a: 1 } }, append({ key: "k", role: "agent" })]],
      [[CREATE, append({ key: "other", role: "agent" })]],
      [[CREATE, append({ key: "k", role: "user" })]],
      [[CREATE, append({ key: "k", role: "agent", at: 77 })]],
      [[{ ...CREATE, user: "w" }]],
    ];
    const digests = variants.map((entries) => stateDigest(led(...entries)));
    assert.equal(new Set(digests).size, variants.length);
  });

  it("has another running digest after every change, also of one that leaves the unread count alone", () => {
    const state = led();
    const steps: Command[] = [
      CREATE,
      append(),
      append({ key: "k" }),
      read(1),
      read(2),
      append({ role: "agent" }),
      read(3),
      ARCHIVE,
      { ...CREATE, session: "s2" },
    ];
    const digests = [state.digest.join()];
    for (const command of steps) {
      next(state, command);
      digests.push(state.digest.join());
    }
    assert.equal(new Set(digests).size, steps.length + 1);
  });

  it("turns places in the log into numbers and back, far beyond 32 bits", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 43 }), fc.nat(511), (index, position) => {
        const location = locationOf(index, position);
        assert.deepEqual([indexOfLocation(location), positionOfLocation(location)], [index, position]);
      }),
    );
  });
});
