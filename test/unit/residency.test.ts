/** @module What leaves a group's state once it is archived, and how it comes back. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { applyEntry, type Outcome } from "../../lib/conversation/apply.ts";
import type { AppendCommand, Command, HydrateCommand } from "../../lib/conversation/commands.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { unreadSeqs, unreadSteps } from "../../lib/conversation/residency.ts";
import { emptyState, type GroupState, IDLE, locationOfSeq, MAX_KEYS } from "../../lib/conversation/state.ts";
import { MAX_BATCH_BYTES } from "../../services/raft/entry.ts";
import { canReturn } from "../../services/raft/residency.ts";

const CLAIM: Command = { t: "claim", v: 1, epoch: 1, node: "n1", at: 1 };

function create(session: string, at = 2): Command {
  return { t: "create", v: 1, session, user: "u", agent: "a", metadata: {}, at };
}

function append(session: string, fields: Partial<AppendCommand> = {}): AppendCommand {
  const role = fields.role ?? "user";
  const body = { id: "m", kind: "text", content: {}, metadata: {}, at: 3 };
  return { t: "append", v: 1, session, role, sender: role === "user" ? "u" : "a", ...body, ...fields };
}

const archived = (index: number): Command => ({ t: "archived", v: 1, index, at: 4 });
const evict = (unusedSince: number, ...sessions: string[]): Command => ({
  t: "evict",
  v: 1,
  sessions,
  unusedSince,
  at: 5,
});

function hydrate(session: string, fields: Partial<HydrateCommand> = {}): HydrateCommand {
  return {
    t: "hydrate",
    v: 1,
    session,
    user: "u",
    agent: "a",
    metadata: {},
    status: "active",
    insertedAt: 2,
    updatedAt: 3,
    lastSeq: 2,
    lastSender: "a",
    lastActivityAt: 3,
    cursor: 0,
    unread: unreadSteps(0, [2]),
    dispatch: IDLE,
    keys: [["k", 1]],
    evicted: 0,
    at: 6,
    ...fields,
  };
}

function next(state: GroupState, ...commands: Command[]): Outcome[] {
  return applyEntry(state, { index: state.applied + 1, epoch: 1 }, commands);
}

/** The claim at index 1, then an entry for each argument. */
function led(...entries: Command[][]): GroupState {
  const state = emptyState(0);
  for (const commands of [[CLAIM], ...entries]) next(state, ...commands);
  return state;
}

describe("the archived index", () => {
  it("frees the places of the messages up to it, and only those", () => {
    const state = led([create("s")], [append("s"), append("s")], [append("s")]);
    next(state, archived(3));
    const session = state.sessions.get("s")!;
    assert.deepEqual(
      [1, 2, 3].map((seq) => locationOfSeq(session, seq) !== null),
      [false, false, true],
    );
    assert.deepEqual([...state.unarchived], [session]);
    next(state, archived(5));
    assert.equal(session.locations.length, 0);
    assert.equal(state.unarchived.size, 0);
  });

  it("never falls", () => {
    const state = led([create("s")], [append("s")]);
    next(state, archived(3), archived(1));
    assert.equal(state.archived, 3);
  });

  it("leaves a session to be archived that changed behind it, whatever changed", () => {
    const changes: Command[] = [
      append("s"),
      { t: "read", v: 1, session: "s", user: "u", seq: 1, at: 7 },
      { t: "archive", v: 1, session: "s", at: 7 },
    ];
    for (const change of changes) {
      const state = led([create("s")], [append("s")]);
      next(state, archived(3));
      assert.equal(state.changed, 3);
      next(state, change);
      assert.equal(state.changed, 5, change.t);
      assert.equal(state.unarchived.size, 1, change.t);
    }
  });

  it("does not call archived what only was refused, asked again, or not changed", () => {
    const state = led([create("s")], [append("s", { key: "k" })]);
    next(state, archived(3));
    next(
      state,
      append("s", { sender: "x" }),
      append("s", { key: "k" }),
      { t: "read", v: 1, session: "s", user: "u", seq: 0, at: 7 },
      create("s"),
    );
    assert.equal(state.changed, 3);
    assert.equal(state.unarchived.size, 0);
  });

  it("remembers the newest snapshot that is told with it", () => {
    const state = led([create("s")]);
    next(state, { t: "archived", v: 1, index: 2, snapshot: { index: 2, commands: 2 }, at: 4 });
    next(state, { t: "archived", v: 1, index: 2, snapshot: { index: 1, commands: 1 }, at: 4 });
    assert.deepEqual(state.snapshot, { index: 2, commands: 2 });
  });
});

describe("eviction", () => {
  it("drops what is archived, idle and not used since", () => {
    const state = led([create("s")], [append("s")]);
    next(state, archived(3));
    next(state, evict(3, "s"));
    assert.equal(state.sessions.size, 0);
    assert.equal(state.byUser.size, 0);
    assert.equal(state.evicted, 5);
    assert.deepEqual(state.digest, [0, 0]);
  });

  it("keeps what is not archived, was used since, has an open dispatch, or is unknown", () => {
    const unarchived = led([create("s")], [append("s")]);
    next(unarchived, archived(2));
    const used = led([create("s")], [append("s")]);
    next(used, archived(3));
    const open = led([create("s")], [append("s")]);
    next(open, archived(3));
    open.sessions.get("s")!.dispatch = { ...IDLE, state: "pending" };
    for (const [state, unusedSince] of [
      [unarchived, 9],
      [used, 2],
      [open, 9],
    ] as const) {
      next(state, evict(unusedSince, "s", "nobody"));
      assert.equal(state.sessions.size, 1);
      assert.equal(state.evicted, 0);
    }
  });
});

describe("a session that comes back", () => {
  it("has its seq, cursor, unread messages and keys again", () => {
    const state = led([create("s")], [append("s", { key: "k" }), append("s", { role: "agent" })]);
    const before = structuredClone(state.sessions.get("s")!);
    next(state, archived(3));
    next(state, evict(3, "s"));
    const [outcome] = next(state, hydrate("s", { evicted: state.evicted }));
    assert.deepEqual(outcome, { kind: "hydrated", resident: true });
    const after = state.sessions.get("s")!;
    assert.deepEqual(after, { ...before, usedAt: 6, logIndex: 0, locations: [] });
    assert.equal(state.changed, 3, "there is nothing new to archive");
    const [again, fresh] = next(state, append("s", { key: "k" }), append("s"));
    assert.equal(again?.kind === "deduped" && again.seq, 1);
    assert.equal(fresh?.kind === "appended" && fresh.seq, 3);
  });

  it("does not come back with what the archive said before an eviction", () => {
    const state = led([create("s")], [append("s")]);
    next(state, archived(3));
    next(state, evict(3, "s"));
    const [outcome] = next(state, hydrate("s", { evicted: 0 }));
    assert.deepEqual(outcome, { kind: "hydrated", resident: false });
    assert.equal(state.sessions.size, 0);
  });

  it("stays as it is when it is resident already", () => {
    const state = led([create("s")], [append("s")], [append("s")], [append("s")]);
    const before = stateDigest(state);
    const [outcome] = next(state, hydrate("s", { lastSeq: 1 }));
    assert.deepEqual(outcome, { kind: "hydrated", resident: true });
    assert.equal(state.sessions.get("s")?.lastSeq, 3);
    assert.notEqual(stateDigest(state), before, "applied has risen");
  });
});

describe("a session can come back", () => {
  const LATEST = { evicted: Number.MAX_SAFE_INTEGER, at: Number.MAX_SAFE_INTEGER };

  /** What the session of this command is told, and what the command takes in an entry at most. */
  function judge(fields: Partial<HydrateCommand>): { returns: boolean; bytes: number } {
    const state = led();
    next(state, hydrate("s", fields));
    const bytes = Buffer.byteLength(JSON.stringify(hydrate("s", { ...fields, ...LATEST }))) + 1;
    return { returns: canReturn(state.sessions.get("s")!), bytes };
  }

  it("as long as its command fits into an entry, to the byte, whatever makes it large", () => {
    const irregular = Array.from({ length: 20_000 }, (_, i) => (i * (i + 1)) / 2 + 1);
    const large: Partial<HydrateCommand>[] = [
      { keys: Array.from({ length: 400 }, (_, i) => [String(i).padStart(255, "\u0001"), i + 1] as const) },
      { keys: Array.from({ length: MAX_KEYS }, (_, i) => [String(i).padStart(255, "ü"), i + 1] as const) },
      { unread: unreadSteps(0, irregular), lastSeq: irregular.at(-1)! },
    ];
    for (const fields of large) {
      const room = MAX_BATCH_BYTES - judge({ ...fields, metadata: { pad: "" } }).bytes;
      const padded = (bytes: number) => judge({ ...fields, metadata: { pad: "x".repeat(bytes) } });
      assert.deepEqual(padded(room), { returns: true, bytes: MAX_BATCH_BYTES });
      assert.deepEqual(padded(room + 1), { returns: false, bytes: MAX_BATCH_BYTES + 1 });
    }
  });
});

describe("unread seqs on their way", () => {
  it("arrive as they left, from any cursor", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.array(fc.integer({ min: 1, max: 50 })), (cursor, gaps) => {
        let seq = cursor;
        const seqs = gaps.map((gap) => (seq += gap));
        assert.deepEqual(unreadSeqs(cursor, unreadSteps(cursor, seqs)), seqs);
      }),
    );
  });

  it("are few numbers for any length of a regular conversation", () => {
    const everySecond = Array.from({ length: 100_000 }, (_, i) => 2 * i + 2);
    assert.deepEqual(unreadSteps(0, everySecond), [2, 100_000]);
  });
});
