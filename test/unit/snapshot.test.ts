/** @module Snapshots: equal after the round trip, refused when anything is wrong with them, fast with many sessions. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { unreadSteps } from "../../lib/conversation/residency.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  type SnapshotProblem,
  UnusableSnapshot,
} from "../../lib/conversation/snapshot.ts";
import { emptyState, type GroupState, IDLE, MAX_KEYS, STATE_VERSION } from "../../lib/conversation/state.ts";
import type { JsonObject } from "../../lib/json.ts";
import { threadMs } from "../helpers/machine-load.ts";

const SESSIONS = ["s1", "s2", "s3", "s4"];
const USERS = ["u", "w", 'usér \u2028 "\n'];

/** As it comes out of a log entry, which is JSON. */
function asSent(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

/** Stands for the state's own `evicted`. */
const CURRENT = -1;

/** Commands without times and ids, many of them refused. */
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    t: fc.constant("create" as const),
    v: fc.constant(1 as const),
    session: fc.constantFrom(...SESSIONS),
    user: fc.constantFrom(...USERS),
    agent: fc.constant("a"),
    metadata: fc.dictionary(fc.string(), fc.jsonValue()).map(asSent),
    at: fc.constant(0),
  }),
  fc.record(
    {
      t: fc.constant("append" as const),
      v: fc.constant(1 as const),
      session: fc.constantFrom(...SESSIONS),
      id: fc.constant("m"),
      role: fc.constantFrom("user" as const, "agent" as const),
      sender: fc.constantFrom("a", ...USERS),
      kind: fc.constant("text"),
      content: fc.constant({}),
      metadata: fc.constant({}),
      key: fc.string({ minLength: 1, unit: "binary" }),
      at: fc.constant(0),
    },
    { requiredKeys: ["t", "v", "session", "id", "role", "sender", "kind", "content", "metadata", "at"] },
  ),
  fc.record({
    t: fc.constant("read" as const),
    v: fc.constant(1 as const),
    session: fc.constantFrom(...SESSIONS),
    user: fc.constantFrom(...USERS),
    seq: fc.nat(20),
    at: fc.constant(0),
  }),
  fc.record({
    t: fc.constant("archive" as const),
    v: fc.constant(1 as const),
    session: fc.constantFrom(...SESSIONS),
    at: fc.constant(0),
  }),
  // Indexes beside the log's end mean nothing here: `applyAll` puts in what the state has.
  fc.record({
    t: fc.constant("archived" as const),
    v: fc.constant(1 as const),
    index: fc.nat(5),
    at: fc.constant(0),
  }),
  fc.record({
    t: fc.constant("archived" as const),
    v: fc.constant(1 as const),
    index: fc.nat(5),
    snapshot: fc.record({ index: fc.nat(40), commands: fc.nat(200) }).map((snapshot) => ({ ...snapshot })),
    at: fc.constant(0),
  }),
  fc.record({
    t: fc.constant("evict" as const),
    v: fc.constant(1 as const),
    sessions: fc.subarray(SESSIONS, { minLength: 1 }),
    unusedSince: fc.constant(Number.MAX_SAFE_INTEGER),
    at: fc.constant(0),
  }),
  fc
    .record({
      session: fc.constantFrom(...SESSIONS),
      user: fc.constantFrom(...USERS),
      metadata: fc.dictionary(fc.string(), fc.jsonValue()).map(asSent),
      status: fc.constantFrom("active" as const, "archived" as const),
      lastSeq: fc.nat(30),
      read: fc.nat(30),
      unread: fc.uniqueArray(fc.integer({ min: 1, max: 30 })),
      keys: fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 30 })), {
        selector: ([key]) => key,
      }),
      current: fc.boolean(),
    })
    .map(({ read, unread, current, ...rest }): Command => {
      const cursor = Math.min(read, rest.lastSeq);
      const seqs = unread.filter((seq) => seq > cursor && seq <= rest.lastSeq).sort((a, b) => a - b);
      return {
        t: "hydrate",
        v: 1,
        ...rest,
        agent: "a",
        insertedAt: 1_600_000_000_000_001,
        updatedAt: 1_600_000_000_000_002,
        lastSender: rest.lastSeq > 0 ? "a" : null,
        lastActivityAt: rest.lastSeq > 0 ? 1_600_000_000_000_002 : null,
        cursor,
        unread: unreadSteps(cursor, seqs),
        dispatch: { ...IDLE, epoch: rest.lastSeq, lastSentSeq: cursor },
        evicted: current ? CURRENT : 0,
        at: 0,
      };
    }),
);

const entries = fc.array(fc.array(command, { minLength: 1, maxLength: 8 }), { maxLength: 30 });

/** Applies entries, from the state's own index on, to a led group. */
function applyAll(state: GroupState, log: readonly (readonly Command[])[]): void {
  for (const commands of log) {
    const at = state.clock + 1_000_003;
    const stamped = commands.map((one, i): Command => fitted(state, { ...one, at: at + i }));
    applyEntry(state, { index: state.applied + 1, epoch: state.epoch }, stamped);
  }
}

/** The command as a leader of this state might have written it. */
function fitted(state: GroupState, one: Command): Command {
  if (one.t === "archived") return { ...one, index: Math.max(0, state.applied - one.index) };
  if (one.t === "hydrate" && one.evicted === CURRENT) return { ...one, evicted: state.evicted };
  return one;
}

function led(group = 7): GroupState {
  const state = emptyState(group);
  const claim: Command = { t: "claim", v: 1, epoch: 1, node: "n1", at: 1_700_000_000_000_000 };
  applyEntry(state, { index: 1, epoch: 1 }, [claim]);
  return state;
}

function busy(): GroupState {
  const state = led();
  applyAll(state, [
    [{ t: "create", v: 1, session: "s", user: "u", agent: "a", metadata: { a: [1, null] }, at: 0 }],
    [
      {
        t: "append",
        v: 1,
        session: "s",
        id: "m1",
        role: "agent",
        sender: "a",
        kind: "text",
        content: {},
        metadata: {},
        key: "k",
        at: 0,
      },
      {
        t: "append",
        v: 1,
        session: "s",
        id: "m2",
        role: "user",
        sender: "u",
        kind: "text",
        content: {},
        metadata: {},
        at: 0,
      },
    ],
  ]);
  return state;
}

function problemOf(bytes: Uint8Array): SnapshotProblem | "none" | "untyped" {
  try {
    decodeSnapshot(bytes);
    return "none";
  } catch (error) {
    return error instanceof UnusableSnapshot ? error.problem : "untyped";
  }
}

describe("a snapshot", () => {
  it("gives back the whole state, whatever commands made it, and what follows from it", () => {
    fc.assert(
      fc.property(entries, (log) => {
        const state = led();
        applyAll(state, log);
        const copy = decodeSnapshot(encodeSnapshot(state));
        assert.equal(stateDigest(copy), stateDigest(state));
        assert.deepEqual(copy.digest, state.digest);
        assert.deepEqual(copy, state);
        assert.deepEqual([...copy.sessions.keys()], [...state.sessions.keys()]);
        assert.deepEqual(
          [...copy.byUser].map(([user, ids]) => [user, [...ids]]).sort(),
          [...state.byUser].map(([user, ids]) => [user, [...ids]]).sort(),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("is tried with states that have archived, evicted and brought back", () => {
    const seen = { archived: 0, evicted: 0, hydrated: 0, snapshot: 0 };
    fc.assert(
      fc.property(entries, (log) => {
        const state = led();
        applyAll(state, log);
        if (state.archived > 0) seen.archived += 1;
        if (state.evicted > 0) seen.evicted += 1;
        if (state.snapshot.index > 0) seen.snapshot += 1;
        if ([...state.sessions.values()].some(({ logIndex }) => logIndex === 0)) seen.hydrated += 1;
      }),
      { numRuns: 300 },
    );
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 10, `${what}: ${times} times`);
  });

  it("with the log behind it gives the state that the whole log gives", () => {
    fc.assert(
      fc.property(entries, fc.nat(), (log, where) => {
        const cut = log.length === 0 ? 0 : where % log.length;
        const whole = led();
        applyAll(whole, log);
        const before = led();
        applyAll(before, log.slice(0, cut));
        const restored = decodeSnapshot(encodeSnapshot(before));
        applyAll(restored, log.slice(cut));
        assert.equal(stateDigest(restored), stateDigest(whole));
        assert.deepEqual(restored.digest, whole.digest);
      }),
      { numRuns: 200 },
    );
  });

  it("of an empty group gives an empty group", () => {
    assert.deepEqual(decodeSnapshot(encodeSnapshot(emptyState(3))), emptyState(3));
  });

  it("shares nothing with the state that it was made of", () => {
    const state = busy();
    const bytes = encodeSnapshot(state);
    const copy = decodeSnapshot(bytes);
    applyAll(copy, [[{ t: "read", v: 1, session: "s", user: "u", seq: 2, at: 0 }]]);
    assert.equal(stateDigest(decodeSnapshot(bytes)), stateDigest(state));
    assert.notEqual(stateDigest(copy), stateDigest(state));
  });

  it("is refused when any byte of it differs", () => {
    const bytes = encodeSnapshot(busy());
    for (let i = 0; i < bytes.length; i++) {
      for (const flip of [0x01, 0x80]) {
        const damaged = Uint8Array.from(bytes);
        damaged[i]! ^= flip;
        assert.ok(!["none", "untyped"].includes(problemOf(damaged)), `byte ${i} ^ ${flip}`);
      }
    }
    const damaged = Uint8Array.from(bytes);
    damaged[damaged.length - 1]! ^= 1;
    assert.equal(problemOf(damaged), "wrong_checksum");
  });

  it("is refused as cut off wherever it ends early, and as damaged when something follows", () => {
    const bytes = encodeSnapshot(busy());
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(problemOf(bytes.subarray(0, length)), "truncated", `${length} bytes`);
    }
    assert.equal(problemOf(Buffer.concat([bytes, Buffer.from("x")])), "wrong_checksum");
  });

  it("of another version, older or newer, is refused with both versions in the message", () => {
    for (const version of [1, STATE_VERSION + 1]) {
      const bytes = Buffer.from(encodeSnapshot(busy()));
      bytes.writeUInt16BE(version, 4);
      assert.throws(() => decodeSnapshot(bytes), {
        name: "UnusableSnapshot",
        problem: "unknown_version",
        message: `the snapshot has version ${version}, and this version of Fleetport reads version ${STATE_VERSION}`,
      });
    }
  });

  it("is told from other bytes", () => {
    assert.equal(
      problemOf(Buffer.from("\u0083h\u0002d some Erlang term that FleetLM wrote, long enough")),
      "not_a_snapshot",
    );
  });

  it("of 100,000 sessions is written and read in less than 2 s of a core each", function () {
    this.timeout(60_000);
    const state = manySessions(100_000);
    let began = threadMs();
    const bytes = encodeSnapshot(state);
    const encodeMs = threadMs() - began;
    began = threadMs();
    const copy = decodeSnapshot(bytes);
    const decodeMs = threadMs() - began;
    assert.deepEqual(copy.digest, state.digest);
    assert.equal(copy.sessions.size, 100_000);
    assert.equal(stateDigest(copy), stateDigest(state));
    const told = `encode ${encodeMs.toFixed(0)} ms, decode ${decodeMs.toFixed(0)} ms, ${bytes.length} bytes`;
    assert.ok(encodeMs < 2000 && decodeMs < 2000, told);
  });

  it("holds sessions of any size, in as many blocks as they need", () => {
    const state = busy();
    const metadata = (i: number) => ({ text: String.fromCharCode(97 + i).repeat(3_000_000) });
    const creates = Array.from({ length: 6 }, (_, i): Command => {
      return {
        t: "create",
        v: 1,
        session: `large-${i}`,
        user: "u",
        agent: "a",
        metadata: metadata(i),
        at: 0,
      };
    });
    applyAll(state, [creates]);
    const keyed = Array.from({ length: MAX_KEYS + 5 }, (_, i): Command => {
      const body = { kind: "text", content: {}, metadata: {}, key: `${i} ${"k".repeat(240)}`, at: 0 };
      return { t: "append", v: 1, session: "s", id: "m", role: "user", sender: "u", ...body };
    });
    applyAll(state, [keyed.slice(0, 500), keyed.slice(500, 1000), keyed.slice(1000)]);
    const copy = decodeSnapshot(encodeSnapshot(state));
    assert.equal(stateDigest(copy), stateDigest(state));
    assert.equal(copy.sessions.get("s")!.keys.size, MAX_KEYS);
  });
});

function manySessions(count: number): GroupState {
  const state = led();
  const metadata = { title: "A conversation", tags: ["a", "b"] };
  for (let first = 0; first < count; first += 100) {
    const ids = Array.from({ length: 100 }, (_, i) => `01J9Z${String(first + i).padStart(17, "0")}`);
    applyAll(state, [
      ids.map((session, i) => ({
        t: "create",
        v: 1,
        session,
        user: `user-${(first + i) % 1000}`,
        agent: "support-agent",
        metadata,
        at: 0,
      })),
      ids.map((session, i) => {
        const sender = `user-${(first + i) % 1000}`;
        return {
          t: "append",
          v: 1,
          session,
          id: "m",
          role: "user",
          sender,
          kind: "text",
          content: {},
          metadata: {},
          key: `key-${session}`,
          at: 0,
        };
      }),
      ids.map((session) => ({
        t: "append",
        v: 1,
        session,
        id: "m",
        role: "agent",
        sender: "support-agent",
        kind: "text",
        content: {},
        metadata: {},
        at: 0,
      })),
    ]);
  }
  return state;
}
