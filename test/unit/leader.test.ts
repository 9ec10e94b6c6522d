/** @module The leader machine: claim, group commit, fencing and uncertainty, path by path. */
import assert from "node:assert/strict";
import type { AppendCommand, Draft, UpkeepDraft } from "../../lib/conversation/commands.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { emptyState, type GroupState, IDLE, MAX_COMMANDS } from "../../lib/conversation/state.ts";
import { decodeEntry, type Entry, MAX_BATCH_BYTES } from "../../services/raft/entry.ts";
import { applyBytes } from "../../services/raft/follower.ts";
import { type AppendResult, GroupLeader, type LeaderPort } from "../../services/raft/leader.ts";

interface Publish {
  readonly data: Uint8Array;
  readonly expectedLast: number;
  readonly id: string;
  readonly entry: Entry;
}

/** A leader with a port that writes down what it is asked, and a test that plays the log. */
class Stage {
  readonly leader: GroupLeader;
  readonly publishes: Publish[] = [];
  readonly inspected: number[] = [];
  readonly retries: number[] = [];
  /** What each ticket was told: an outcome's kind with its seq, or a refusal. */
  readonly told = new Map<number, string>();
  readonly settled: { ticket: number; command: AppendCommand }[] = [];
  readonly events: string[] = [];
  now = 1_000_000;
  #ids = 0;
  #tickets = 0;
  #waits = false;

  constructor(state: GroupState = emptyState(0)) {
    const port: LeaderPort = {
      append: (data, expectedLast, id) => {
        this.publishes.push({ data, expectedLast, id, entry: decodeEntry(0, expectedLast + 1, data) });
      },
      inspect: (index) => void this.inspected.push(index),
      retryAfter: (ms) => void this.retries.push(ms),
      waiting: () => {
        this.#waits = true;
      },
      settle: (ticket, outcome, command) => {
        this.#tell(ticket, "seq" in outcome ? `${outcome.kind} ${outcome.seq}` : outcome.kind);
        if (command.t === "append") this.settled.push({ ticket, command });
      },
      refuse: (ticket, why) => this.#tell(ticket, why),
      committed: (index, outcomes) => void this.events.push(`committed ${index} (${outcomes.length})`),
      led: (epoch) => void this.events.push(`led ${epoch}`),
      ended: (reason) => void this.events.push(`ended ${reason}`),
      clock: () => this.now,
      messageId: (at) => `m${at}.${++this.#ids}`,
      batchId: () => `b${++this.#ids}`,
    };
    this.leader = new GroupLeader("n1", state, port);
  }

  #tell(ticket: number, words: string): void {
    assert.ok(!this.told.has(ticket), `ticket ${ticket} is answered once`);
    this.told.set(ticket, words);
  }

  get last(): Publish {
    const publish = this.publishes.at(-1);
    assert.ok(publish, "something was published");
    return publish;
  }

  get #lastRetry(): number {
    return this.retries.at(-1) ?? 0;
  }

  /** The log's answer to the last publish. */
  answer(kind: AppendResult["kind"]): void {
    const { id, expectedLast } = this.last;
    this.leader.appended(id, kind === "committed" ? { kind, index: expectedLast + 1 } : { kind });
    this.turn();
  }

  /** What waits is sent at the end of a turn. */
  turn(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.leader.flush();
  }

  /** Proposes drafts of one turn. Returns their tickets. */
  propose(...drafts: (Draft | UpkeepDraft)[]): number[] {
    const tickets = drafts.map((draft) => {
      this.#tickets += 1;
      this.leader.propose(this.#tickets, draft);
      return this.#tickets;
    });
    this.turn();
    return tickets;
  }

  words(tickets: readonly number[]): (string | undefined)[] {
    return tickets.map((ticket) => this.told.get(ticket));
  }

  /** The next wait is over; returns how long it was. */
  wait(): number {
    const ms = this.#lastRetry;
    this.leader.retry();
    return ms;
  }
}

const CREATE: Draft = { t: "create", session: "s", user: "u", agent: "a", metadata: {} };

function append(fields: Partial<AppendCommand> = {}): Draft {
  const body = { kind: "text", content: {}, metadata: {} };
  return { t: "append", session: "s", role: "user", sender: "u", ...body, ...fields };
}

/** A stage whose leader leads epoch 1 and has session `s`; the log ends at index 2. */
function leading(): Stage {
  const stage = new Stage();
  stage.leader.claim();
  stage.answer("committed");
  stage.propose(CREATE);
  stage.answer("committed");
  return stage;
}

describe("a leader", () => {
  it("claims the next epoch before it takes anything", () => {
    const stage = new Stage();
    assert.equal(stage.leader.phase, "new");
    assert.deepEqual(stage.words(stage.propose(CREATE)), ["not_leader"]);
    stage.leader.claim();
    stage.leader.claim();
    assert.equal(stage.publishes.length, 1);
    assert.equal(stage.leader.phase, "claiming");
    const { entry, expectedLast, id } = stage.last;
    assert.deepEqual([entry.epoch, entry.author, entry.batch, expectedLast], [1, "n1", id, 0]);
    assert.deepEqual(entry.commands, [{ t: "claim", v: 1, epoch: 1, node: "n1", at: 1_000_000 }]);
    assert.deepEqual(stage.words(stage.propose(CREATE)), ["not_leader"]);
    stage.answer("committed");
    assert.equal(stage.leader.phase, "leading");
    assert.deepEqual(stage.events, ["committed 1 (1)", "led 1"]);
  });

  it("that is fenced at its claim by another one never leads", () => {
    const stage = new Stage();
    stage.leader.claim();
    stage.answer("fenced");
    assert.deepEqual(stage.inspected, [1]);
    stage.leader.inspected(1, "somebody's");
    assert.deepEqual(stage.events, ["ended fenced"]);
    assert.equal(stage.leader.state.applied, 0);
  });

  it("claims again, with the same bytes, when the log is unavailable", () => {
    const stage = new Stage();
    stage.leader.claim();
    stage.answer("unavailable");
    assert.equal(stage.publishes.length, 1);
    stage.wait();
    assert.equal(stage.publishes.length, 2);
    assert.deepEqual(stage.publishes[1], stage.publishes[0]);
    stage.answer("committed");
    assert.deepEqual(stage.events, ["committed 1 (1)", "led 1"]);
  });

  it("settles a proposal when the log has taken its entry, and not before", () => {
    const stage = leading();
    const tickets = stage.propose(append(), append({ key: "k" }), append({ key: "k" }));
    assert.deepEqual(stage.words(tickets), [undefined, undefined, undefined]);
    assert.equal(stage.leader.state.sessions.get("s")?.lastSeq, 0);
    stage.answer("committed");
    assert.deepEqual(stage.words(tickets), ["appended 1", "appended 2", "deduped 2"]);
    assert.equal(stage.events.at(-1), "committed 3 (3)");
  });

  it("gives each proposal the id and the time that stand in the log", () => {
    const stage = leading();
    stage.propose(append(), append());
    stage.answer("committed");
    const settled = stage.settled.map(({ command }) => command);
    assert.deepEqual(stage.last.entry.commands, settled);
    assert.equal(new Set(settled.map(({ id }) => id)).size, 2);
  });

  it("writes a state that a follower of its log reaches as well", () => {
    const stage = leading();
    stage.propose(append({ key: "k" }), append({ role: "agent", sender: "a" }));
    stage.answer("committed");
    stage.leader.release();
    stage.answer("committed");
    const follower = emptyState(0);
    stage.publishes.forEach(({ data }, i) => {
      assert.ok(applyBytes(follower, i + 1, data));
    });
    assert.equal(stateDigest(follower), stateDigest(stage.leader.state));
  });

  it("never stamps a time before any that the log holds, even when its clock goes back", () => {
    const stage = leading();
    stage.now = 5;
    const state = stage.leader.state.clock;
    stage.propose(append());
    stage.answer("committed");
    stage.now = 2_000_000;
    stage.propose(append());
    stage.answer("committed");
    stage.now = 7;
    stage.propose(append());
    stage.answer("committed");
    assert.deepEqual(
      stage.settled.map(({ command }) => command.at),
      [state, 2_000_000, 2_000_000],
    );
  });

  it("stamps in the order of its proposals, also of those that wait", () => {
    const stage = leading();
    for (const now of [3_000_000, 2_000_000, 3_000_001]) {
      stage.now = now;
      stage.propose(append());
    }
    stage.answer("committed");
    stage.answer("committed");
    assert.deepEqual(
      stage.settled.map(({ command }) => command.at),
      [3_000_000, 3_000_000, 3_000_001],
    );
  });

  it("stamps after the times of the leaders before it", () => {
    const first = leading();
    const state = emptyState(0);
    first.publishes.forEach(({ data }, i) => {
      applyBytes(state, i + 1, data);
    });
    const second = new Stage(state);
    second.now = 1;
    second.leader.claim();
    assert.equal(second.last.entry.commands[0]?.at, 1_000_000);
    assert.deepEqual([second.last.entry.epoch, second.last.expectedLast], [2, 2]);
  });
});

describe("group commit", () => {
  it("keeps one entry in flight; what is proposed meanwhile forms the next", () => {
    const stage = leading();
    const first = stage.propose(append());
    const rest = [...stage.propose(append()), ...stage.propose(append(), append())];
    assert.equal(stage.publishes.length, 3);
    stage.answer("committed");
    assert.deepEqual(stage.words([...first, ...rest]), ["appended 1", undefined, undefined, undefined]);
    assert.equal(stage.last.entry.commands.length, 3);
    assert.equal(stage.last.expectedLast, 3);
    stage.answer("committed");
    assert.deepEqual(stage.words(rest), ["appended 2", "appended 3", "appended 4"]);
    assert.equal(stage.leader.inflight, false);
    assert.equal(stage.leader.pendingBytes, 0);
  });

  it("puts at most 512 commands into an entry", () => {
    const stage = leading();
    stage.propose(...Array.from({ length: 2 * MAX_COMMANDS + 1 }, () => append()));
    const sizes: number[] = [];
    while (stage.leader.inflight) {
      sizes.push(stage.last.entry.commands.length);
      stage.answer("committed");
    }
    assert.deepEqual(sizes, [512, 512, 1]);
    assert.equal(stage.leader.state.sessions.get("s")?.lastSeq, 1025);
  });

  it("puts at most 768 KiB into an entry, and keeps the order", () => {
    const stage = leading();
    const size = 100 * 1024;
    stage.propose(...Array.from({ length: 20 }, (_, i) => append({ content: { i, x: "x".repeat(size) } })));
    assert.ok(stage.leader.pendingBytes > 20 * size);
    let entries = 0;
    while (stage.leader.inflight) {
      entries += 1;
      assert.ok(stage.last.data.length <= 768 * 1024, `${stage.last.data.length} bytes`);
      stage.answer("committed");
    }
    assert.equal(entries, 3);
    assert.deepEqual(
      stage.settled.map(({ command }) => command.content.i),
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it("takes a command that fills an entry alone, counted in bytes, and refuses a larger one", () => {
    const stage = leading();
    const empty = Buffer.byteLength(
      JSON.stringify({ ...append({ content: { x: "" } }), v: 1, id: "", at: 0 }),
    );
    // "ü" has two bytes; what remains is room for the id and the time.
    const most = Math.floor((MAX_BATCH_BYTES - empty - 64) / 2);
    const [fits] = stage.propose(append({ content: { x: "ü".repeat(most) } }));
    const [tooLarge] = stage.propose(append({ content: { x: "ü".repeat(most + 64) } }));
    assert.ok(fits && tooLarge);
    assert.equal(stage.told.get(tooLarge), "too_large");
    assert.ok(stage.last.data.length > MAX_BATCH_BYTES - 128 && stage.last.data.length <= 768 * 1024);
    stage.answer("committed");
    assert.equal(stage.told.get(fits), "appended 1");
    assert.deepEqual(stage.words(stage.propose(append())), [undefined], "and it goes on");
  });

  it("has a create followed by an append in one pipeline find each other", () => {
    const stage = leading();
    const session = "fresh";
    stage.propose(append());
    assert.ok(!stage.leader.knows(session));
    const tickets = stage.propose({ ...CREATE, session });
    assert.ok(stage.leader.knows(session), "while it waits");
    tickets.push(...stage.propose(append({ session }), { t: "read", session, user: "u", seq: 1 }));
    stage.answer("committed");
    assert.ok(stage.leader.knows(session), "while it is in flight");
    assert.deepEqual(
      stage.last.entry.commands.map(({ t }) => t),
      ["create", "append", "read"],
    );
    stage.answer("committed");
    assert.deepEqual(stage.words(tickets), ["created", "appended 1", "read"]);
    assert.ok(stage.leader.knows(session), "and afterwards");
  });

  it("knows a session for as long as any create of it is under way", () => {
    const stage = leading();
    const session = "fresh";
    const [first] = stage.propose({ ...CREATE, session });
    const [second] = stage.propose({ ...CREATE, session });
    stage.answer("unavailable");
    assert.deepEqual(stage.words([first!, second!]), ["unavailable", undefined]);
    assert.ok(stage.leader.knows(session), "the second one is in flight now");
    stage.answer("unavailable");
    assert.ok(!stage.leader.knows(session), "nobody creates it any more");
  });
});

describe("an append to the log without an answer", () => {
  it("is sent again with the same bytes, message id and expected index, until the log answers", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    const first = stage.last;
    stage.answer("unknown");
    assert.ok(stage.leader.unresolved);
    assert.deepEqual(stage.words(tickets), [undefined], "nobody is told anything yet");
    stage.wait();
    assert.deepEqual(stage.last, first);
    assert.equal(stage.publishes.length, 4);
    // The log knows the message id and answers with the first commit's index.
    stage.answer("committed");
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
    assert.ok(!stage.leader.unresolved);
  });

  it("is tried again after 50 ms at first and at most every second", () => {
    const stage = leading();
    stage.propose(append());
    const waits: number[] = [];
    for (let i = 0; i < 30; i++) {
      stage.answer("unknown");
      waits.push(stage.wait());
    }
    for (let i = 1; i < waits.length; i++) assert.ok(waits[i]! >= waits[i - 1]!);
    assert.ok(waits[0]! >= 50 && waits[0]! <= 100, `${waits[0]}`);
    assert.ok(waits.every((ms) => ms <= 1000));
    assert.equal(waits.at(-1), 1000);
  });

  it("refuses what waits and what comes as unavailable until it is known", () => {
    const stage = leading();
    const inFlight = stage.propose(append());
    const waiting = stage.propose(append(), append());
    stage.answer("unknown");
    assert.deepEqual(stage.words(waiting), ["unavailable", "unavailable"]);
    assert.deepEqual(stage.words(stage.propose(append())), ["unavailable"]);
    stage.wait();
    assert.deepEqual(stage.words(stage.propose(append())), ["unavailable"], "also while it is asked again");
    stage.answer("committed");
    assert.deepEqual(stage.words(inFlight), ["appended 1"]);
    const after = stage.propose(append());
    stage.answer("committed");
    assert.deepEqual(stage.words(after), ["appended 2"]);
  });

  it("is not given up because a later attempt was certainly not written", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    stage.answer("unknown");
    stage.wait();
    stage.answer("unavailable");
    assert.deepEqual(stage.words(tickets), [undefined]);
    assert.ok(stage.leader.unresolved);
    stage.wait();
    stage.answer("fenced");
    stage.leader.inspected(stage.last.expectedLast + 1, stage.last.id);
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
  });

  it("is committed when the entry that fences it is its own", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    stage.answer("unknown");
    stage.wait();
    stage.answer("fenced");
    assert.deepEqual(stage.inspected, [3]);
    stage.leader.inspected(3, stage.last.id);
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
    assert.equal(stage.leader.phase, "leading");
  });

  it("was not written when the entry that fences it is somebody else's", () => {
    const stage = leading();
    const inFlight = stage.propose(append());
    stage.answer("unknown");
    stage.wait();
    stage.answer("fenced");
    stage.leader.inspected(3, "somebody's");
    assert.deepEqual(stage.words(inFlight), ["not_leader"]);
    assert.deepEqual(stage.words(stage.propose(append())), ["not_leader"]);
    assert.equal(stage.events.at(-1), "ended fenced");
    assert.equal(stage.leader.state.applied, 2, "its state goes on from what was applied");
  });

  it("stays open while the entry at its index cannot be read", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    stage.answer("fenced");
    stage.leader.inspected(3, null);
    assert.deepEqual(stage.words(tickets), [undefined]);
    assert.ok(stage.leader.unresolved);
    assert.deepEqual(stage.words(stage.propose(append())), ["unavailable"]);
    const publishes = stage.publishes.length;
    stage.wait();
    assert.deepEqual(stage.inspected, [3, 3]);
    assert.equal(stage.publishes.length, publishes, "it only looks again");
    stage.leader.inspected(3, stage.last.id);
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
  });

  it("may be a claim, which is resolved in the same way", () => {
    const stage = new Stage();
    stage.leader.claim();
    stage.answer("unknown");
    stage.wait();
    stage.answer("fenced");
    stage.leader.inspected(1, stage.last.id);
    assert.deepEqual(stage.events, ["committed 1 (1)", "led 1"]);
  });
});

describe("an entry that the log does not hold any more, whoever wrote it", () => {
  it("ends the leader as fenced: what was in flight may have been written, the rest was not", () => {
    const stage = leading();
    const inFlight = stage.propose(append(), append());
    const waiting = stage.propose(append());
    stage.answer("fenced");
    const whileLooking = stage.propose(append());
    stage.leader.vanished(3);
    assert.deepEqual(stage.words(inFlight), ["maybe", "maybe"]);
    assert.deepEqual(stage.words([...waiting, ...whileLooking]), ["not_leader", "not_leader"]);
    assert.deepEqual([stage.leader.phase, stage.events.at(-1)], ["ended", "ended fenced"]);
    assert.equal(stage.leader.state.applied, 2, "nothing was applied that may not stand there");
    assert.deepEqual([stage.leader.pendingBytes, stage.leader.inflight], [0, false]);
    assert.deepEqual(stage.words(stage.propose(append())), ["not_leader"]);
  });

  it("may be a claim or a release", () => {
    const claiming = new Stage();
    claiming.leader.claim();
    claiming.answer("fenced");
    claiming.leader.vanished(1);
    assert.deepEqual(claiming.events, ["ended fenced"]);

    const releasing = leading();
    releasing.leader.release();
    releasing.answer("fenced");
    releasing.leader.vanished(3);
    assert.equal(releasing.events.at(-1), "ended fenced");
  });

  it("changes nothing when nobody waits for it, or when it is another one", () => {
    const stage = leading();
    stage.leader.vanished(3);
    const tickets = stage.propose(append());
    stage.leader.vanished(3);
    stage.answer("fenced");
    stage.leader.vanished(2);
    assert.deepEqual(stage.words(tickets), [undefined]);
    stage.leader.inspected(3, stage.last.id);
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
    stage.leader.vanished(3);
    assert.equal(stage.leader.phase, "leading");
  });
});

describe("what a leader proposes by itself", () => {
  const archived = (index: number): UpkeepDraft => ({ t: "archived", index });
  const evict = (...sessions: string[]): UpkeepDraft => ({ t: "evict", sessions, unusedSince: 9_000_000 });
  const hydrate = (session: string, evicted: number): UpkeepDraft => ({
    t: "hydrate",
    session,
    user: "u",
    agent: "a",
    metadata: {},
    status: "active",
    insertedAt: 1,
    updatedAt: 1,
    lastSeq: 0,
    lastSender: null,
    lastActivityAt: null,
    cursor: 0,
    unread: [],
    dispatch: IDLE,
    keys: [],
    evicted,
  });

  it("stands in the log, stamped, among what callers propose, and is settled as they are", () => {
    const stage = leading();
    const first = stage.propose(archived(2), append());
    assert.deepEqual(
      stage.last.entry.commands.map(({ t, v, at }) => [t, v, at]),
      [
        ["archived", 1, 1_000_000],
        ["append", 1, 1_000_000],
      ],
    );
    stage.answer("committed");
    assert.deepEqual(stage.words(first), ["kept", "appended 1"]);
    assert.equal(stage.leader.state.archived, 2);
    const second = stage.propose(archived(3));
    stage.answer("committed");
    const third = stage.propose(evict("s"));
    stage.answer("committed");
    assert.deepEqual(stage.words([...second, ...third]), ["kept", "kept"]);
    assert.ok(!stage.leader.knows("s"));
    const { evicted } = stage.leader.state;
    const fourth = stage.propose(hydrate("s", evicted));
    assert.ok(!stage.leader.knows("s"), "not before it is committed");
    stage.answer("committed");
    assert.deepEqual(stage.words(fourth), ["hydrated"]);
    assert.ok(stage.leader.knows("s"));
  });

  it("hides a session that is on its way out: what is proposed behind that is refused, not begun anew", () => {
    const stage = leading();
    stage.propose(archived(2), append());
    stage.answer("committed");
    stage.propose(archived(3));
    stage.answer("committed");
    stage.propose(evict("s"));
    assert.ok(!stage.leader.knows("s"));
    const behind = stage.propose(append(), CREATE);
    assert.deepEqual(stage.words(behind), ["unavailable", "unavailable"]);
    stage.answer("committed");
    assert.equal(stage.leader.state.sessions.size, 0);
  });

  it("brings nothing back with an answer from before an eviction", () => {
    const stage = leading();
    stage.propose(archived(2));
    stage.answer("committed");
    const tickets = stage.propose(evict("s"), hydrate("s", 0));
    stage.answer("committed");
    assert.deepEqual(stage.words(tickets), ["kept", "hydrated"]);
    assert.ok(!stage.leader.knows("s"));
  });

  it("is refused as any proposal is: unresolved, fenced, abandoned, vanished, or never led", () => {
    const unresolved = leading();
    const open = unresolved.propose(archived(2));
    const waiting = unresolved.propose(evict("s"));
    unresolved.answer("unknown");
    assert.deepEqual(unresolved.words([...open, ...waiting]), [undefined, "unavailable"]);
    assert.deepEqual(unresolved.words(unresolved.propose(archived(2))), ["unavailable"]);
    unresolved.leader.abandon();
    assert.deepEqual(unresolved.words(open), ["maybe"]);

    const fenced = leading();
    const tickets = fenced.propose(hydrate("t", 0));
    fenced.answer("fenced");
    fenced.leader.inspected(3, "somebody's");
    assert.deepEqual(fenced.words(tickets), ["not_leader"]);

    const gone = leading();
    const lost = gone.propose(archived(2));
    gone.answer("fenced");
    gone.leader.vanished(3);
    assert.deepEqual(gone.words(lost), ["maybe"]);

    const unavailable = leading();
    const refused = unavailable.propose(archived(2));
    unavailable.answer("unavailable");
    assert.deepEqual(unavailable.words(refused), ["unavailable"]);

    const never = new Stage();
    assert.deepEqual(never.words(never.propose(archived(0))), ["not_leader"]);
  });

  it("is too large when no entry can hold it", () => {
    const stage = leading();
    const keys = [["k".repeat(MAX_BATCH_BYTES), 1]] as const;
    const tickets = stage.propose({ ...hydrate("t", 0), keys } as UpkeepDraft);
    assert.deepEqual(stage.words(tickets), ["too_large"]);
  });
});

describe("an append to the log that was certainly not written", () => {
  it("is refused as unavailable, and the next one may fare better", () => {
    const stage = leading();
    const first = stage.propose(append());
    const second = stage.propose(append());
    stage.answer("unavailable");
    assert.deepEqual(stage.words(first), ["unavailable"]);
    assert.equal(stage.last.expectedLast, 2, "the next entry takes the index that stayed free");
    stage.answer("committed");
    assert.deepEqual(stage.words(second), ["appended 1"]);
  });
});

describe("a leader that somebody else has fenced", () => {
  it("ends at the first entry that it cannot write, and what waited is refused as well", () => {
    const stage = leading();
    const inFlight = stage.propose(append());
    const waiting = stage.propose(append());
    stage.answer("fenced");
    const whileLooking = stage.propose(append());
    stage.leader.inspected(3, "somebody's");
    assert.deepEqual(stage.words([...inFlight, ...waiting, ...whileLooking]), [
      "not_leader",
      "not_leader",
      "not_leader",
    ]);
    assert.equal(stage.events.filter((event) => event.startsWith("ended")).length, 1);
  });

  it("ends when the other's entry is seen while nothing of its own is in flight", () => {
    const stage = leading();
    stage.leader.foreignEntry();
    stage.leader.foreignEntry();
    assert.deepEqual(
      stage.events.filter((event) => event.startsWith("ended")),
      ["ended fenced"],
    );
  });

  it("lets the log decide when it has an entry in flight", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    stage.leader.foreignEntry();
    assert.equal(stage.leader.phase, "leading");
    stage.answer("committed");
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
  });

  it("does nothing more, whatever still arrives", () => {
    const stage = leading();
    stage.propose(append());
    const { id, expectedLast } = stage.last;
    stage.answer("fenced");
    stage.leader.inspected(3, "somebody's");
    const [publishes, events] = [stage.publishes.length, stage.events.length];
    stage.leader.appended(id, { kind: "committed", index: expectedLast + 1 });
    stage.leader.inspected(3, id);
    stage.leader.retry();
    stage.leader.flush();
    stage.leader.claim();
    stage.leader.release();
    stage.leader.abandon();
    assert.deepEqual([stage.publishes.length, stage.events.length], [publishes, events]);
    assert.equal(stage.leader.phase, "ended");
  });
});

describe("an answer that nobody waits for", () => {
  it("changes nothing: one to another batch, a second one, or one that comes while it waits to ask again", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    const { id } = stage.last;
    stage.leader.appended("another", { kind: "committed", index: 3 });
    stage.leader.inspected(3, id);
    stage.leader.retry();
    assert.deepEqual(stage.words(tickets), [undefined]);
    stage.answer("unknown");
    stage.leader.appended(id, { kind: "fenced" });
    stage.leader.appended(id, { kind: "unavailable" });
    assert.deepEqual(stage.words(tickets), [undefined]);
    assert.deepEqual(stage.inspected, []);
    stage.wait();
    stage.leader.inspected(9, id);
    stage.answer("committed");
    stage.leader.appended(id, { kind: "committed", index: 3 });
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
    assert.equal(stage.leader.state.applied, 3);
  });
});

describe("a release", () => {
  it("settles the entry in flight, refuses what waits, and stands in the log", () => {
    const stage = leading();
    const inFlight = stage.propose(append());
    const waiting = stage.propose(append());
    stage.leader.release();
    assert.deepEqual(stage.words([...inFlight, ...waiting]), [undefined, "not_leader"]);
    assert.deepEqual(stage.words(stage.propose(append())), ["not_leader"]);
    stage.answer("committed");
    assert.deepEqual(stage.words(inFlight), ["appended 1"]);
    assert.deepEqual(
      stage.last.entry.commands.map(({ t }) => t),
      ["release"],
    );
    assert.equal(stage.leader.phase, "releasing");
    stage.leader.release();
    stage.answer("committed");
    assert.deepEqual([stage.events.at(-1), stage.leader.state.leader], ["ended released", null]);
    assert.equal(stage.publishes.length, 4);
  });

  it("with nothing in flight is written at once", () => {
    const stage = leading();
    stage.leader.release();
    assert.equal(stage.last.entry.commands[0]?.t, "release");
    stage.answer("committed");
    assert.equal(stage.events.at(-1), "ended released");
  });

  it("first resolves an entry whose outcome is unknown", () => {
    const stage = leading();
    const tickets = stage.propose(append());
    stage.answer("unknown");
    stage.leader.release();
    assert.equal(stage.last.entry.commands[0]?.t, "append");
    stage.wait();
    stage.answer("committed");
    assert.deepEqual(stage.words(tickets), ["appended 1"]);
    assert.equal(stage.last.entry.commands[0]?.t, "release");
  });

  it("ends without a trace in the log when that cannot be written", () => {
    const inFlight = leading();
    const tickets = inFlight.propose(append());
    inFlight.leader.release();
    inFlight.answer("unavailable");
    assert.deepEqual(inFlight.words(tickets), ["unavailable"]);
    assert.equal(inFlight.events.at(-1), "ended abandoned");

    const idle = leading();
    idle.leader.release();
    idle.answer("unavailable");
    assert.equal(idle.events.at(-1), "ended abandoned");
  });

  it("whose outcome is unknown is resolved like any entry", () => {
    const stage = leading();
    stage.leader.release();
    stage.answer("unknown");
    stage.wait();
    stage.answer("fenced");
    stage.leader.inspected(3, stage.last.id);
    assert.equal(stage.events.at(-1), "ended released");
  });

  it("that somebody else's claim came before ends as fenced", () => {
    const stage = leading();
    stage.leader.release();
    stage.answer("fenced");
    stage.leader.inspected(3, "somebody's");
    assert.equal(stage.events.at(-1), "ended fenced");
    assert.equal(stage.leader.state.leader, "n1");
  });

  it("before the claim is committed ends at once", () => {
    for (const claimed of [false, true]) {
      const stage = new Stage();
      if (claimed) stage.leader.claim();
      stage.leader.release();
      assert.deepEqual(stage.events, ["ended abandoned"]);
    }
  });
});

describe("a leader that is abandoned", () => {
  it("says of what is in flight that it may have been written, and of what waits that it was not", () => {
    const stage = leading();
    const inFlight = stage.propose(append(), append());
    const waiting = stage.propose(append());
    stage.leader.abandon();
    assert.deepEqual(stage.words([...inFlight, ...waiting]), ["maybe", "maybe", "not_leader"]);
    assert.equal(stage.events.at(-1), "ended abandoned");
    assert.equal(stage.leader.pendingBytes, 0);
    assert.ok(!stage.leader.inflight);
  });

  it("forgets sessions that were to be created", () => {
    const stage = leading();
    stage.propose({ ...CREATE, session: "fresh" });
    stage.leader.abandon();
    assert.ok(!stage.leader.knows("fresh"));
    assert.ok(stage.leader.knows("s"));
  });
});
