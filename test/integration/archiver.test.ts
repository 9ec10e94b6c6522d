/** @module A leader's archiver over a real log and a real Postgres: nothing skipped, nothing twice, whatever fails. */
import assert from "node:assert/strict";
import type { Draft } from "../../lib/conversation/commands.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { encodeSnapshot } from "../../lib/conversation/snapshot.ts";
import { emptyState, MAX_KEYS } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import type { LeaderDriver } from "../../services/raft/leader-driver.ts";
import { OneLog } from "../helpers/one-log.ts";
import { execute } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

const create = (session: string): Draft => ({ t: "create", session, user: "u", agent: "a", metadata: {} });

function append(session: string, n: number, role: "user" | "agent" = "user", key?: string): Draft {
  const sender = role === "user" ? "u" : "a";
  const body = { kind: "text", content: { n }, metadata: {}, ...(key !== undefined && { key }) };
  return { t: "append", session, role, sender, ...body };
}

/** As many messages to the session, several an entry. */
async function talk(leader: LeaderDriver, session: string, messages: number, from = 1): Promise<void> {
  for (let n = from; n < from + messages; n += 3) {
    const count = Math.min(3, from + messages - n);
    const drafts = Array.from({ length: count }, (_, i) =>
      append(session, n + i, i === 1 ? "agent" : "user"),
    );
    for (const result of await leader.propose(drafts)) assert.equal(result.kind, "appended");
  }
}

const QUICK = { flushIntervalMs: 10, evictIdleMs: 20 };

describe("a leader's archiver", () => {
  let one: OneLog;
  beforeEach(async () => {
    one = await OneLog.open();
  });
  afterEach(async () => {
    await one.close();
  });

  const rows = <Row extends object>(text: string) =>
    execute<Row & Record<string, unknown>>(one.archive.url, text);
  const archivedSeqs = async (session: string) =>
    (
      await rows<{ seq: string }>(`select seq from messages where session_id = '${session}' order by seq`)
    ).map(({ seq }) => Number(seq));
  const watermark = () => one.archive.store.watermark(0);
  const seqs = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
  const writes = () => one.archive.calls.get("write") ?? 0;

  async function readAll(leader: LeaderDriver, session: string, limit: number): Promise<number[]> {
    const seen: number[] = [];
    for (;;) {
      const page = await leader.reader.messages(session, { after: seen.length }, limit, 8e6);
      assert.deepEqual(
        page!.messages.map(({ content }) => content.n),
        page!.messages.map(({ seq }) => seq),
        "message n has seq n",
      );
      seen.push(...page!.messages.map(({ seq }) => seq));
      if (!page!.has_more) return seen;
    }
  }

  it("writes what the group decided, once, and says so in the log", async () => {
    const { leader } = await one.leader("n1");
    await leader.propose([create("s"), create("empty")]);
    await talk(leader, "s", 20);
    await leader.propose([
      { t: "read", session: "s", user: "u", seq: 5 },
      { t: "archive", session: "empty" },
    ]);
    const decided = leader.state.applied;
    await leader.archiver.flush();

    assert.deepEqual(await archivedSeqs("s"), seqs(20));
    assert.equal(await watermark(), decided);
    assert.equal(leader.state.archived, decided);
    assert.equal(leader.state.unarchived.size, 0);
    const [session] = await rows<{ last_seq: string; status: string; last_sender_id: string }>(
      "select last_seq, status, last_sender_id from sessions where id = 's'",
    );
    assert.deepEqual(session, { last_seq: "20", status: "active", last_sender_id: "a" });
    assert.deepEqual(await rows("select status from sessions where id = 'empty'"), [{ status: "archived" }]);
    assert.deepEqual(await rows("select last_seq from cursors"), [{ last_seq: "5" }]);

    const before = writes();
    await leader.archiver.flush();
    assert.equal(writes(), before, "there was nothing new to write");
  });

  it("leaves ids, times, senders and keys as they were acknowledged", async () => {
    const { leader } = await one.leader("n1");
    await leader.propose([create("s")]);
    const [first] = await leader.propose([append("s", 1, "agent", "k")]);
    assert.equal(first?.kind, "appended");
    const live = await leader.reader.messages("s", { after: 0 }, 10, 1e6);
    await leader.archiver.flush();
    const { messages } = await one.archive.store.messages("s", 0, 10, 1e6);
    assert.deepEqual(messages, live?.messages);
    const stored = await rows("select sender_id, recipient_id, idempotency_key from messages");
    assert.deepEqual(stored, [{ sender_id: "a", recipient_id: "u", idempotency_key: "k" }]);
  });

  it("ends its batches with whole entries, and a watermark never covers what is not there", async () => {
    const { leader } = await one.leader("n1", { flushBatch: 4 });
    await leader.propose([create("s"), create("t")]);
    await Promise.all([talk(leader, "s", 21), talk(leader, "t", 21)]);
    const { port } = one.archive;
    const write = port.write.bind(port);
    let cut = 3;
    Object.assign(port, {
      write: async (batch: Parameters<typeof port.write>[0]) => {
        cut -= 1;
        // As if the leader had died here: what follows is never written.
        if (cut < 0) throw new Error("cut off");
        return write(batch);
      },
    });
    await leader.archiver.flush();
    const reached = await watermark();
    assert.ok(reached > 0 && reached < leader.state.applied);
    assert.equal(leader.state.archived, reached);
    const stored = [...(await archivedSeqs("s")), ...(await archivedSeqs("t"))].length;
    for (const session of ["s", "t"]) {
      const state = leader.state.sessions.get(session)!;
      assert.deepEqual(await archivedSeqs(session), seqs(state.lastSeq - state.locations.length));
    }
    assert.ok(stored >= 4);
    leader.abandon();

    Object.assign(port, { write });
    const next = await one.leader("n2");
    await next.leader.archiver.flush();
    assert.deepEqual(await archivedSeqs("s"), seqs(21));
    assert.deepEqual(await archivedSeqs("t"), seqs(21));
  });

  it("does no harm when the leader that was replaced still archives", async () => {
    const old = await one.leader("old");
    await old.leader.propose([create("s")]);
    await talk(old.leader, "s", 9);
    const next = await one.leader("next");
    await talk(next.leader, "s", 9, 10);
    await Promise.all([old.leader.archiver.flush(), next.leader.archiver.flush()]);
    await next.leader.archiver.flush();
    assert.deepEqual(await archivedSeqs("s"), seqs(18));
    assert.equal(await watermark(), next.leader.state.archived);
    const [{ last_seq } = { last_seq: "" }] = await rows<{ last_seq: string }>(
      "select last_seq from sessions",
    );
    assert.equal(last_seq, "18", "the older header did not win");
  });

  it("reads any page across archive, log and RAM as 1..n", async () => {
    const first = await one.leader("n1");
    await first.leader.propose([create("s")]);
    await talk(first.leader, "s", 100);
    await first.leader.archiver.flush();
    await talk(first.leader, "s", 60, 101);
    first.leader.abandon();
    const { leader } = await one.leader("n2");
    await talk(leader, "s", 40, 161);
    for (const limit of [1, 7, 64, 65, 99, 100, 101, 1000]) {
      assert.deepEqual(await readAll(leader, "s", limit), seqs(200), `pages of ${limit}`);
    }
    const tail = await leader.reader.messages("s", { before: 0 }, 130, 8e6);
    assert.deepEqual(
      tail?.messages.map(({ seq }) => seq),
      seqs(200).slice(70),
    );
  });

  it("lets appends go on while the archive is away, and archives all of it later", async () => {
    const { leader } = await one.leader("n1", { flushIntervalMs: 10 });
    await leader.propose([create("s")]);
    one.archive.away = true;
    await talk(leader, "s", 30);
    await leader.archiver.flush();
    assert.equal(leader.state.archived, 0);
    assert.ok(leader.archiver.lagSeconds > 0);
    assert.equal(leader.archiver.problem, null, "an outage is not a fault of the data");
    one.archive.away = false;
    await until("all is archived", () => leader.state.archived >= leader.state.changed);
    assert.deepEqual(await archivedSeqs("s"), seqs(30));
    assert.equal(leader.archiver.lagSeconds, 0);
  });

  it("stands still, visibly, at a row that Postgres refuses, skips nothing, and goes on once it can", async () => {
    const { leader, stalls } = await one.leader("n1", { flushIntervalMs: 10 });
    await leader.propose([create("s"), create("t")]);
    await until("it archives", () => leader.state.archived >= leader.state.changed);
    await rows("alter table messages add constraint unlucky check (content->>'n' <> '13')");
    await talk(leader, "s", 20);
    await until("it stands still", () => leader.archiver.problem !== null);
    assert.match(leader.archiver.problem!, /messages, session s, seq 13: Postgres refuses the row/);
    await talk(leader, "t", 3);
    await leader.archiver.flush();
    const before = await archivedSeqs("s");
    assert.ok(before.length < 13, "nothing behind the refused row is written");
    assert.deepEqual(before, seqs(before.length));
    assert.deepEqual(await archivedSeqs("t"), [], "what comes later waits");
    assert.deepEqual(await readAll(leader, "s", 1000), seqs(20), "readers notice nothing");
    await rows("alter table messages drop constraint unlucky");
    await until("it goes on", () => leader.archiver.problem === null);
    assert.deepEqual(await archivedSeqs("s"), seqs(20));
    assert.deepEqual(await archivedSeqs("t"), seqs(3));
    assert.equal(stalls.length, 2);
    assert.equal(stalls[1], null);
  });

  it("writes again what the archive has lost: the lower watermark wins", async () => {
    const first = await one.leader("n1");
    await first.leader.propose([create("s")]);
    await talk(first.leader, "s", 9);
    await first.leader.archiver.flush();
    const backup = await watermark();
    await talk(first.leader, "s", 9, 10);
    await first.leader.propose([{ t: "read", session: "s", user: "u", seq: 12 }]);
    await first.leader.archiver.flush();
    first.leader.abandon();

    await rows("delete from messages where seq > 9");
    await rows("delete from cursors");
    await rows(`update group_watermarks set archived_index = ${backup}`);
    await rows("update sessions set last_seq = 9, log_index = 1");
    const { leader } = await one.leader("n2");
    await leader.archiver.flush();
    assert.deepEqual(await archivedSeqs("s"), seqs(18));
    assert.deepEqual(await rows("select last_seq from cursors"), [{ last_seq: "12" }]);
    assert.deepEqual(await rows("select last_seq from sessions"), [{ last_seq: "18" }]);
    assert.equal(await watermark(), leader.state.archived);
    assert.deepEqual(await readAll(leader, "s", 5), seqs(18));
  });

  it("stands still at a message that another one has taken the place of, and loses neither", async () => {
    const { leader } = await one.leader("n1", { flushIntervalMs: 10 });
    await leader.propose([create("s")]);
    await until("it archives", () => leader.state.archived >= leader.state.changed);
    const other = `insert into messages (id, session_id, sender_id, recipient_id, seq, kind, content, metadata, shard_key, inserted_at)
      values ('other', 's', 'u', 'a', 2, 'text', '{}', '{}', 0, now())`;
    await rows(other);
    await talk(leader, "s", 3);
    await until("it stands still", () => leader.archiver.problem !== null);
    assert.match(leader.archiver.problem!, /other messages in the place of 1 of those up to log index \d+/);
    assert.deepEqual(await readAll(leader, "s", 10), seqs(3));
    await rows("delete from messages where id = 'other'");
    await until("it goes on", () => leader.archiver.problem === null);
    assert.deepEqual(await archivedSeqs("s"), seqs(3));
  });

  it("answers 503, and does not skip, where the archive has lost messages that it had", async () => {
    const first = await one.leader("n1");
    await first.leader.propose([create("s")]);
    await talk(first.leader, "s", 9);
    await first.leader.archiver.flush();
    first.leader.abandon();
    const { leader } = await one.leader("n2");
    await rows("delete from messages where seq > 6");
    await assert.rejects(leader.reader.messages("s", { after: 0 }, 100, 8e6), (error) => {
      return errorCode(error) === "archive_unavailable";
    });
  });

  it("ends a group when the archive knows more than the log: it is of other data", async () => {
    const { leader, stalls } = await one.leader("n1");
    await leader.propose([create("s"), append("s", 1)]);
    await rows("insert into group_watermarks (group_id, archived_index, updated_at) values (0, 900, now())");
    await leader.archiver.flush();
    assert.match(leader.archiver.problem ?? "", /holds entries up to 900.*log ends at/);
    assert.ok(stalls.length > 0);
    assert.deepEqual(await archivedSeqs("s"), []);
    const [result] = await leader.propose([append("elsewhere", 1)]);
    assert.deepEqual(result, { kind: "refused", why: "archive_unavailable", hint: null });
  });

  describe("lets idle sessions leave RAM", () => {
    /** A leader whose session s has 9 messages, is archived and gone from RAM. */
    async function evicted() {
      const candidate = await one.leader("n1", QUICK);
      const { leader } = candidate;
      await leader.propose([create("s")]);
      await talk(leader, "s", 8);
      await leader.propose([append("s", 9, "agent", "k"), { t: "read", session: "s", user: "u", seq: 3 }]);
      await until("the session has left RAM", () => leader.state.sessions.size === 0);
      return candidate;
    }

    it("and brings one back for an append, with its seq, keys, cursor and unread messages", async () => {
      const { leader } = await evicted();
      one.archive.calls.clear();
      const [again, fresh] = await leader.propose([append("s", 99, "agent", "k"), append("s", 10)]);
      assert.equal(one.archive.calls.get("session"), 1, "one lookup served both");
      assert.equal(again?.kind === "deduped" && again.message.seq, 9);
      assert.equal(fresh?.kind === "appended" && fresh.seq, 10);
      const [read] = await leader.propose([{ t: "read", session: "s", user: "u", seq: 5 }]);
      // Of 6..10 the agent sent 8 and 9.
      assert.equal(read?.kind === "session" && read.unread, 2);
      assert.deepEqual(await readAll(leader, "s", 4), seqs(10));
    });

    it("and what somebody asks of the archive by a retry does not hold up the others of its call", async () => {
      const first = await evicted();
      first.leader.abandon();
      // One that has none of the messages in RAM.
      const { leader } = await one.leader("n2");
      await leader.propose([create("t")]);
      assert.equal((await leader.propose([append("s", 10)]))[0]?.kind, "appended");
      one.archive.away = true;
      const [retried, fresh] = await leader.propose([append("s", 9, "agent", "k"), append("t", 1)]);
      assert.deepEqual(retried, { kind: "refused", why: "alone", hint: null });
      assert.equal(fresh?.kind, "appended");
      const [alone] = await leader.propose([append("s", 9, "agent", "k")]);
      assert.deepEqual(alone, { kind: "refused", why: "archive_unavailable", hint: null });
      one.archive.away = false;
      const [found] = await leader.propose([append("s", 9, "agent", "k")]);
      assert.equal(found?.kind === "deduped" && found.message.seq, 9);
    });

    it("but keeps one whose way back would not fit into one entry", async () => {
      const { leader } = await one.leader("n1", QUICK);
      // As many keys as a session remembers, each as long as one may be: JSON makes six bytes of this character.
      const long = (n: number) => String(n).padStart(255, "\u0001");
      const plain = (n: number) => String(n).padStart(255, "k");
      await leader.propose([create("escaped"), create("plain")]);
      for (let from = 1; from <= MAX_KEYS; from += 128) {
        const keys = seqs(128).map((i) => from + i - 1);
        const results = await Promise.all([
          leader.propose(keys.map((i) => append("escaped", i, "user", long(i)))),
          leader.propose(keys.map((i) => append("plain", i, "user", plain(i)))),
        ]);
        for (const { kind } of results.flat()) assert.equal(kind, "appended");
      }
      await until("the other session has left RAM", () => !leader.state.sessions.has("plain"));
      assert.deepEqual([...leader.state.sessions.keys()], ["escaped"]);
      const [escaped] = await leader.propose([append("escaped", 0, "user", long(1))]);
      const [back] = await leader.propose([append("plain", 0, "user", plain(1))]);
      assert.equal(escaped?.kind === "deduped" && escaped.message.seq, 1);
      assert.equal(back?.kind === "deduped" && back.message.seq, 1);
    });

    it("and brings one back for a reader", async () => {
      const { leader } = await evicted();
      assert.equal((await leader.reader.session("s"))?.lastSeq, 9);
      assert.deepEqual(await readAll(leader, "s", 4), seqs(9));
    });

    it("and knows their ids when somebody creates one again", async () => {
      const { leader } = await evicted();
      const [same] = await leader.propose([create("s")]);
      assert.equal(same?.kind === "created" && same.created, false);
      assert.equal(same?.kind === "created" && same.session.last_seq, 9);
      await until("it has left RAM again", () => leader.state.sessions.size === 0);
      const [other] = await leader.propose([
        { t: "create", session: "s", user: "somebody", agent: "a", metadata: {} },
      ]);
      assert.deepEqual(other, { kind: "rejected", code: "session_exists", last_seq: 9 });
    });

    it("but not one that is being read", async () => {
      const { leader } = await one.leader("n1", QUICK);
      await leader.propose([create("s"), create("t"), append("s", 1)]);
      await until("the session that nobody reads has left RAM", async () => {
        assert.deepEqual(await leader.reader.heads(["s"]), [1]);
        return !leader.state.sessions.has("t");
      });
      assert.ok(leader.state.sessions.has("s"));
    });

    it("but not while the archive is away; then only what is not in RAM is refused", async () => {
      const { leader } = await evicted();
      await leader.propose([create("t"), append("t", 1)]);
      one.archive.away = true;
      one.archive.calls.clear();
      const [absent, present] = await leader.propose([append("s", 10), append("t", 2)]);
      assert.deepEqual(absent, { kind: "refused", why: "alone", hint: null });
      assert.equal(present?.kind, "appended");
      assert.equal(one.archive.calls.get("session"), undefined, "what is in RAM waits for no archive");
      const [asked] = await leader.propose([append("s", 10)]);
      assert.deepEqual(asked, { kind: "refused", why: "archive_unavailable", hint: null });
      await assert.rejects(leader.reader.session("s"), (error) => errorCode(error) === "archive_unavailable");
      const [fresh] = await leader.propose([{ ...create("new"), fresh: true } as Draft]);
      assert.equal(fresh?.kind, "created", "an id that was just made needs no lookup");
      await leader.archiver.flush();
      assert.deepEqual([...leader.state.sessions.keys()].sort(), ["new", "t"]);
      one.archive.away = false;
      const [back] = await leader.propose([append("s", 10)]);
      assert.equal(back?.kind === "appended" && back.seq, 10);
    });

    it("and says that a session does not exist only when the archive says so too", async () => {
      const { leader } = await one.leader("n1");
      one.archive.calls.clear();
      const [result] = await leader.propose([append("nobody", 1)]);
      assert.deepEqual(result, { kind: "rejected", code: "session_not_found", last_seq: 0 });
      assert.equal(await leader.reader.session("nobody"), null);
      assert.equal(one.archive.calls.get("session"), 2);
    });

    it("and gives no seq twice when an older database is put in place meanwhile", async () => {
      const { leader } = await one.leader("n1", QUICK);
      await leader.propose([create("s")]);
      await talk(leader, "s", 3);
      await leader.archiver.flush();
      const backup = await watermark();
      await leader.propose([append("s", 4), append("s", 5)]);
      await until("the session has left RAM", () => leader.state.sessions.size === 0);
      await rows("delete from messages where seq > 3");
      await rows("update sessions set last_seq = 3, log_index = 1");
      await rows(`update group_watermarks set archived_index = ${backup}`);
      const [refused] = await leader.propose([append("s", 6)]);
      assert.deepEqual(refused, { kind: "refused", why: "archive_unavailable", hint: null });
      await until("the archive is whole again, and the session can be written", async () => {
        const [result] = await leader.propose([append("s", 6)]);
        if (result?.kind !== "appended") return false;
        assert.equal(result.seq, 6);
        return true;
      });
      assert.deepEqual(await readAll(leader, "s", 4), seqs(6));
    });

    it("and replicas agree on it", async () => {
      const { leader } = await evicted();
      await leader.propose([append("s", 10)]);
      await until("it has left RAM again", () => leader.state.sessions.size === 0);
      const copy = await one.recovered();
      assert.equal(copy.applied, leader.state.applied);
      assert.equal(stateDigest(copy), stateDigest(leader.state));
    });
  });

  describe("takes snapshots", () => {
    const SNAPSHOTS = { snapshotEvery: 30 };
    const stored = async () =>
      (
        await rows<{ raft_index: string }>("select raft_index from raft_snapshots order by raft_index desc")
      ).map(({ raft_index }) => Number(raft_index));
    const bounds = async () => (await one.engine.open(0)).bounds();

    async function snapshotted(rounds = 1): Promise<LeaderDriver> {
      const { leader } = await one.leader("n1", SNAPSHOTS);
      await leader.propose([create("s")]);
      for (let round = 0; round < rounds; round++) {
        await talk(leader, "s", 30, 1 + round * 30);
        await leader.archiver.flush();
      }
      return leader;
    }

    it("and drops from the log what snapshot and archive both hold", async () => {
      const leader = await snapshotted();
      const [index = 0] = await stored();
      assert.deepEqual(leader.state.snapshot.index, index);
      const { first } = await bounds();
      assert.equal(first, Math.min(index, leader.state.archived) + 1);
      assert.deepEqual(await readAll(leader, "s", 7), seqs(30));
    });

    it("never drops what is not archived", async () => {
      const { leader } = await one.leader("n1", SNAPSHOTS);
      await leader.propose([create("s")]);
      await talk(leader, "s", 9);
      await leader.archiver.flush();
      const archived = leader.state.archived;
      // From here on Postgres takes snapshots and no messages.
      const { port } = one.archive;
      Object.assign(port, { write: async () => ({ kind: "refused", problem: "no" }) });
      await talk(leader, "s", 60, 10);
      await leader.archiver.flush();
      assert.ok((await bounds()).first <= archived + 1);
      assert.deepEqual(await readAll(leader, "s", 1000), seqs(69));
    });

    it("from which, with the rest of the log, a copy is equal to the leader's", async () => {
      const leader = await snapshotted(3);
      await talk(leader, "s", 5, 91);
      assert.ok((await bounds()).first > 1);
      const copy = await one.recovered();
      assert.equal(stateDigest(copy), stateDigest(leader.state));
      assert.equal((await stored()).length, 3, "three are kept");
      leader.abandon();
      const next = await one.leader("n2");
      assert.deepEqual(await readAll(next.leader, "s", 10), seqs(95));
    });

    it("and a copy waits, and does not begin empty, when none of them can be used", async () => {
      const leader = await snapshotted(2);
      await rows("update raft_snapshots set snapshot_data = set_byte(snapshot_data, 60, 7)");
      const told: Error[] = [];
      const follower = await one.follower(null, { unavailable: (error) => told.push(error) });
      await until("it says why", () => follower.obstacle !== null);
      assert.match(
        follower.obstacle!,
        /the log begins at \d+, and neither a live replica nor a usable snapshot/,
      );
      assert.equal(await follower.caughtUp(), false);
      assert.equal(follower.state.applied, 0);
      // The operator brings the table back.
      await talk(leader, "s", 30, 61);
      await leader.archiver.flush();
      await until("it has recovered", () => follower.state.applied === leader.state.applied);
      assert.equal(stateDigest(await follower.stop()), stateDigest(leader.state));
    });

    it("and refuses one that is of another log", async () => {
      const leader = await snapshotted(1);
      const other = structuredClone(leader.state);
      const [index = 0] = await stored();
      const state = { ...other, applied: index, digest: [0, 0] as [number, number], sessions: new Map() };
      await one.archive.store.saveSnapshot(0, index, encodeSnapshot(state));
      const follower = await one.follower(null, { unavailable: () => undefined });
      await until("it says why it waits", () => follower.obstacle !== null);
      assert.equal(follower.state.applied, 0);
      await follower.stop();
    });

    it("and a follower that fell behind the log's beginning recovers from one", async () => {
      const leader = await snapshotted(2);
      const late = emptyState(0);
      const told: Error[] = [];
      const follower = await one.follower(late, { unavailable: (error) => told.push(error) });
      await until("it has caught up", () => follower.state.applied === leader.state.applied);
      assert.equal(stateDigest(await follower.stop()), stateDigest(leader.state));
      assert.match(told[0]?.message ?? "", /is gone, the log begins at/);
    });
  });
});
