/** @module The archive store: what is written is there once, exactly, and only rises; what fails, fails as what it is. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import pg from "pg";
import { isoMicros } from "../../lib/clock.ts";
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import { encodeSnapshot } from "../../lib/conversation/snapshot.ts";
import { emptyState, IDLE, MAX_KEYS } from "../../lib/conversation/state.ts";
import type { JsonObject } from "../../lib/json.ts";
import { ArchiveDataError, ArchiveUnavailable } from "../../services/conversations/archive/errors.ts";
import { migrateArchive } from "../../services/conversations/archive/migrate.ts";
import {
  type ArchiveBatch,
  type ArchiveOptions,
  type ArchiveStore,
  type CursorRow,
  type MessageRow,
  openArchive,
  type SessionRow,
} from "../../services/conversations/archive/store.ts";
import {
  batch,
  contents,
  conversation,
  cursorRow,
  messageRow,
  sessionOf,
  sessionRow,
  T0,
} from "../helpers/archive.ts";
import { execute, startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

const ALL = Number.MAX_SAFE_INTEGER;

describe("The archive store", () => {
  let postgres: TestPostgres;
  let url: string;
  let store: ArchiveStore;
  const opened: ArchiveStore[] = [];

  const open = (options: Partial<ArchiveOptions> = {}): ArchiveStore => {
    const archive = openArchive({ url, poolSize: 4, ...options });
    opened.push(archive);
    return archive;
  };

  before(async () => {
    postgres = await startPostgres();
    url = await postgres.database();
    await migrateArchive({ url });
  });

  after(() => postgres.stop());

  beforeEach(async () => {
    await execute(url, "truncate sessions, messages, cursors, raft_snapshots, group_watermarks");
    store = open();
  });

  afterEach(async () => {
    postgres.resume();
    await Promise.all(opened.splice(0).map((archive) => archive.close()));
  });

  describe("writing a batch", () => {
    it("writes sessions, messages, cursors and the watermark", async () => {
      const written = batch({
        sessions: [
          sessionRow({
            lastSeq: 1,
            lastSenderId: "u",
            lastActivityAt: T0 + 1,
            updatedAt: T0 + 2,
            logIndex: 9,
          }),
        ],
        messages: [messageRow({ key: "k" })],
        cursors: [cursorRow({ lastSeq: 1, at: T0 + 3 })],
        archivedIndex: 12,
      });
      assert.deepEqual(await store.writeBatch(written), { conflicts: 0 });
      const time = (micros: number) => isoMicros(micros).replace("Z", "+00:00");
      assert.deepEqual(await contents(url), {
        sessions: [
          {
            id: "s",
            user_id: "u",
            agent_id: "a",
            status: "active",
            metadata: {},
            shard_key: 7,
            last_seq: 1,
            last_sender_id: "u",
            last_activity_at: time(T0 + 1),
            dispatch: { ...IDLE },
            log_index: 9,
            inserted_at: time(T0),
            updated_at: time(T0 + 2),
          },
        ],
        messages: [
          {
            id: "s-1",
            session_id: "s",
            sender_id: "u",
            recipient_id: "a",
            seq: 1,
            kind: "text",
            content: { text: "message 1" },
            metadata: {},
            shard_key: 7,
            idempotency_key: "k",
            inserted_at: time(T0 + 1),
          },
        ],
        cursors: [
          {
            session_id: "s",
            participant_id: "u",
            last_seq: 1,
            shard_key: 7,
            inserted_at: time(T0 + 3),
            updated_at: time(T0 + 3),
          },
        ],
        group_watermarks: [{ group_id: 7, archived_index: 12 }],
      });
      assert.equal(await store.watermark(7), 12);
      assert.equal(await store.watermark(8), 0);
    });

    it("changes nothing when it is repeated", async () => {
      const written = { ...conversation("s", 20), cursors: [cursorRow({ lastSeq: 3 })] };
      await store.writeBatch(written);
      const before = await contents(url);
      assert.deepEqual(await store.writeBatch(written), { conflicts: 0 });
      assert.deepEqual(await contents(url), before);
    });

    it("takes more messages than fit one statement, by number or by size", async () => {
      await open({ flushBatch: 1000 }).writeBatch(conversation("many", 3001));
      const text = "x".repeat(250_000);
      const large = Array.from({ length: 40 }, (_, i) =>
        messageRow({ session: "large", seq: i + 1, content: { text } }),
      );
      await store.writeBatch(batch({ messages: large }));
      assert.deepEqual(
        await execute(url, "select session_id, count(*)::int from messages group by 1 order by 1"),
        [
          { session_id: "large", count: 40 },
          { session_id: "many", count: 3001 },
        ],
      );
    });

    it("keeps messages that are there and counts those that came with another id", async () => {
      await store.writeBatch(conversation("s", 5));
      const before = await contents(url);
      const messages = [2, 3, 5].map((seq) =>
        messageRow({ seq, id: `other-${seq}`, content: { other: true } }),
      );
      const same = messageRow({ seq: 4, content: { other: true } });
      assert.deepEqual(await store.writeBatch(batch({ messages: [...messages, same] })), { conflicts: 3 });
      assert.deepEqual((await contents(url)).messages, before.messages);
    });

    it("replaces a session's header only by one of a higher log index", async () => {
      await store.writeBatch(batch({ sessions: [sessionRow({ lastSeq: 5, logIndex: 10 })] }));
      await store.writeBatch(
        batch({ sessions: [sessionRow({ lastSeq: 4, logIndex: 9, status: "archived" })] }),
      );
      await store.writeBatch(batch({ sessions: [sessionRow({ lastSeq: 6, logIndex: 10 })] }));
      assert.equal((await sessionOf(store, "s"))?.lastSeq, 5);
      assert.equal((await sessionOf(store, "s"))?.status, "active");
      const newer = sessionRow({ lastSeq: 7, logIndex: 11, status: "archived", metadata: { a: 1 } });
      await store.writeBatch(batch({ sessions: [newer, sessionRow({ lastSeq: 5, logIndex: 10 })] }));
      const { lastSeq, status, metadata } = (await sessionOf(store, "s"))!;
      assert.deepEqual({ lastSeq, status, metadata }, { lastSeq: 7, status: "archived", metadata: { a: 1 } });
    });

    it("moves cursors and the watermark only upwards", async () => {
      await store.writeBatch(
        batch({ sessions: [sessionRow()], cursors: [cursorRow({ lastSeq: 5 })], archivedIndex: 50 }),
      );
      await store.writeBatch(
        batch({ cursors: [cursorRow({ lastSeq: 4 }), cursorRow({ lastSeq: 2 })], archivedIndex: 40 }),
      );
      assert.equal((await sessionOf(store, "s"))?.cursor, 5);
      assert.equal(await store.watermark(7), 50);
      await store.writeBatch(
        batch({ cursors: [cursorRow({ lastSeq: 6 }), cursorRow({ lastSeq: 8 })], archivedIndex: 51 }),
      );
      assert.equal((await sessionOf(store, "s"))?.cursor, 8);
      assert.equal(await store.watermark(7), 51);
    });

    it("keeps times to the microsecond", async () => {
      const times = fc.uniqueArray(fc.integer({ min: 0, max: 4_102_444_800_000_000 }), {
        minLength: 1,
        maxLength: 40,
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(times, async (micros) => {
          const id = `times-${++round}`;
          const messages = micros.map((insertedAt, i) => messageRow({ session: id, seq: i + 1, insertedAt }));
          const [first, last] = [micros[0]!, micros.at(-1)!];
          const sessions = [sessionRow({ id, insertedAt: first, updatedAt: last, lastActivityAt: last })];
          await store.writeBatch(batch({ messages, sessions }));
          const page = await store.messages(id, 0, 1000, ALL);
          assert.deepEqual(
            page.messages.map((message) => message.inserted_at),
            micros.map(isoMicros),
          );
          const { insertedAt, updatedAt, lastActivityAt } = (await sessionOf(store, id))!;
          assert.deepEqual([insertedAt, updatedAt, lastActivityAt], [first, last, last]);
        }),
        { numRuns: 40 },
      );
    });

    it("gives content and metadata back equal as JSON values, whatever they hold", async () => {
      const values: unknown[] = [
        ...JSON.parse("[9007199254740993, 1e400, -1e400]"),
        -0,
        5e-324,
        1.7976931348623157e308,
        0.1,
        1e21,
        null,
        [null, { a: null }, []],
        {},
        [],
        "",
        'quotes " and \\ and \u2028 and 😀 and {braces},commas',
        JSON.parse('{"__proto__":{"x":1},"constructor":1,"toString":null,"":0}'),
        Object.fromEntries(Array.from({ length: 50 }, (_, i) => [String(50 - i), i])),
        JSON.parse(`${"[".repeat(190)}1${"]".repeat(190)}`),
      ];
      let seq = 0;
      const check = async (value: unknown) => {
        seq += 1;
        const sent = messageRow({ seq, content: { value }, metadata: { value } });
        await store.writeBatch(batch({ messages: [sent] }));
        const [message] = (await store.messages("s", seq - 1, 1, ALL)).messages;
        const asJson: JsonObject = JSON.parse(JSON.stringify({ value }));
        assert.deepEqual(message?.content, asJson);
        assert.deepEqual(message?.metadata, asJson);
      };
      for (const value of values) await check(value);
      const storable = fc
        .jsonValue({ stringUnit: "grapheme" })
        .filter((v) => !JSON.stringify(v).includes("\\u0000"));
      await fc.assert(fc.asyncProperty(storable, check), { numRuns: 150 });
    });

    it("happens as a whole or not at all", async () => {
      const before = await contents(url);
      const bad = messageRow({ session: "s2", seq: 3, content: { text: "a\u0000b" } });
      const written = conversation("s", 10);
      await assert.rejects(
        store.writeBatch({
          ...written,
          messages: [...written.messages, bad],
          cursors: [cursorRow({ lastSeq: 1 })],
        }),
        ArchiveDataError,
      );
      assert.deepEqual(await contents(url), before);
    });

    const refused: [string, Partial<MessageRow>][] = [
      ["U+0000 in its content", { content: { deep: [{ text: "\u0000" }] } }],
      ["U+0000 in its kind", { kind: "\u0000" }],
      ["a lone surrogate in its content", { content: { text: "\ud800" } }],
      ["a lone surrogate in its key", { key: "k\udc00" }],
      ["the id of another message", { id: "taken" }],
    ];
    for (const [what, fields] of refused) {
      it(`names the message that Postgres refuses for ${what}`, async () => {
        await store.writeBatch(batch({ messages: [messageRow({ session: "other", id: "taken" })] }));
        const { messages } = conversation("s", 700);
        const written = messages.map((row) => (row.seq === 437 ? { ...row, ...fields } : row));
        await assert.rejects(open({ flushBatch: 300 }).writeBatch(batch({ messages: written })), (error) => {
          assert.ok(error instanceof ArchiveDataError);
          const { table, session, seq } = error;
          assert.deepEqual({ table, session, seq }, { table: "messages", session: "s", seq: 437 });
          assert.match(
            error.message,
            /^archive table messages, session s, seq 437: Postgres refuses the row: /,
          );
          return true;
        });
        assert.deepEqual(await execute(url, "select id from messages"), [{ id: "taken" }]);
      });
    }

    it("names the session that Postgres refuses", async () => {
      const sessions = [sessionRow({ id: "s1" }), sessionRow({ id: "s2", metadata: { "\u0000": 1 } })];
      await assert.rejects(store.writeBatch(batch({ sessions })), (error) => {
        assert.ok(error instanceof ArchiveDataError);
        assert.deepEqual([error.table, error.session, error.seq], ["sessions", "s2", null]);
        return true;
      });
    });

    it("goes on with the next batch after one that was refused", async () => {
      const bad = batch({ messages: [messageRow({ content: { text: "\u0000" } })] });
      await assert.rejects(store.writeBatch(bad), ArchiveDataError);
      await store.writeBatch(conversation("s", 3));
      assert.equal((await store.messages("s", 0, 10, ALL)).messages.length, 3);
    });
  });

  describe("archivers that race", () => {
    it("leave exactly the rows of the log, whatever they wrote and in which order", async function () {
      this.timeout(120_000);
      let round = 0;
      const plan = fc.record({
        entries: fc.array(fc.record({ session: fc.nat(3), read: fc.boolean() }), {
          minLength: 5,
          maxLength: 60,
        }),
        // Each archiver writes ranges of the log, in any order, some of them again.
        writers: fc.array(fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 6 }), {
          minLength: 2,
          maxLength: 4,
        }),
      });
      await fc.assert(
        fc.asyncProperty(plan, async ({ entries, writers }) => {
          round += 1;
          const group = round;
          const log = new LogOfGroup(group, entries);
          const whole = log.slice(1, entries.length);
          const stores = writers.map(() => open({ poolSize: 2, flushBatch: 7 }));
          const watermarks: number[] = [];
          let done = false;
          const watch = (async () => {
            while (!done) watermarks.push(await store.watermark(group));
          })();
          const results = await Promise.all(
            writers.map(async (ranges, w) => {
              let conflicts = 0;
              for (const [a, b] of ranges) {
                const [from, to] = [
                  1 + (Math.min(a, b) % entries.length),
                  1 + (Math.max(a, b) % entries.length),
                ];
                const written = log.slice(Math.min(from, to), Math.max(from, to));
                conflicts += (await stores[w]!.writeBatch(shuffled(written, a + b))).conflicts;
              }
              conflicts += (await stores[w]!.writeBatch(shuffled(whole, w))).conflicts;
              return conflicts;
            }),
          );
          done = true;
          await watch;
          assert.deepEqual(
            results,
            writers.map(() => 0),
          );
          assert.deepEqual(
            watermarks,
            watermarks.toSorted((a, b) => a - b),
          );
          assert.equal(await store.watermark(group), entries.length);
          for (const expected of log.sessions()) {
            const archived = await sessionOf(store, expected.id);
            const { lastSeq, updatedAt, cursor } = archived!;
            assert.deepEqual({ lastSeq, updatedAt, cursor }, expected.state);
            const page = await store.messages(expected.id, 0, 1000, ALL);
            assert.deepEqual(
              page.messages.map(({ id }) => id),
              expected.ids,
            );
          }
          const [{ count } = { count: -1 }] = await execute<{ count: number }>(
            url,
            "select count(*)::int as count from messages where shard_key = $1",
            [group],
          );
          assert.equal(count, log.messageCount);
          await Promise.all(stores.map((one) => one.close()));
        }),
        { numRuns: 25 },
      );
    });
  });

  describe("archivers that write the same messages in opposite order", () => {
    it("wait for each other instead of ending in a deadlock", async () => {
      for (let round = 0; round < 5; round++) {
        const { messages } = conversation(`opposite-${round}`, 3000);
        const results = await Promise.all(
          [messages, messages.toReversed(), messages].map((rows) =>
            open().writeBatch(batch({ messages: rows })),
          ),
        );
        assert.deepEqual(results, [{ conflicts: 0 }, { conflicts: 0 }, { conflicts: 0 }]);
      }
    });
  });

  describe("reading a session", () => {
    it("gives null when it is not archived", async () => {
      assert.equal(await sessionOf(store, "nobody"), null);
    });

    it("gives what its state is made of, whatever its log was", async () => {
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(commandOf("s"), { maxLength: 60 }), async (drafts) => {
          const id = `hydrate-${++round}`;
          const state = emptyState(7);
          const claim: Command = { t: "claim", v: 1, epoch: 1, node: "n", at: T0 };
          applyEntry(state, { index: 1, epoch: 1 }, [claim]);
          const create: Command = {
            t: "create",
            v: 1,
            session: id,
            user: "u",
            agent: "a",
            metadata: { x: [null] },
            at: T0,
          };
          const messages: MessageRow[] = [];
          [create, ...drafts].forEach((draft, i) => {
            const at = T0 + i * 3;
            const command: Command =
              draft.t === "append" ? { ...draft, session: id, id: `${id}-m${i}`, at } : { ...draft, at };
            const named: Command = "session" in command ? { ...command, session: id } : command;
            const [outcome] = applyEntry(state, { index: i + 2, epoch: 1 }, [named]);
            if (outcome?.kind !== "appended" || named.t !== "append") return;
            const { sender, kind, content, metadata, key = null } = named;
            const recipient = sender === "u" ? "a" : "u";
            const row = { session: id, seq: outcome.seq, sender, recipient, kind, content, metadata, key };
            messages.push({ ...row, id: named.id, insertedAt: at });
          });
          const { keys, lastSender, locations: _, logIndex, usedAt: __, ...rest } = state.sessions.get(id)!;
          const last = messages.at(-1);
          const facts = { lastSenderId: last?.sender ?? null, lastActivityAt: last?.insertedAt ?? null };
          assert.equal(lastSender, facts.lastSenderId);
          const header: SessionRow = { ...rest, ...facts, logIndex };
          const cursors: CursorRow[] =
            rest.cursor > 0 ? [cursorRow({ session: id, lastSeq: rest.cursor })] : [];
          await store.writeBatch(batch({ sessions: [header], messages, cursors }));
          assert.deepEqual(await sessionOf(store, id), { ...rest, ...facts, keys: [...keys] });
        }),
        { numRuns: 60 },
      );
    });

    it("gives the last 1,024 idempotency keys, oldest first", async () => {
      const messages = Array.from({ length: 1500 }, (_, i) =>
        messageRow({ seq: i + 1, key: i % 5 === 4 ? null : `key-${i + 1}` }),
      );
      await store.writeBatch(batch({ sessions: [sessionRow({ lastSeq: 1500 })], messages }));
      const keyed = messages.filter(({ key }) => key !== null).slice(-MAX_KEYS);
      assert.equal(keyed.length, MAX_KEYS);
      assert.deepEqual(
        (await sessionOf(store, "s"))!.keys,
        keyed.map(({ key, seq }) => [key, seq]),
      );
    });

    it("finds the keys of a session in which few messages have one without reading the others", async () => {
      const count = 20_000;
      await store.writeBatch(batch({ sessions: [sessionRow({ lastSeq: count })] }));
      await execute(
        url,
        `insert into messages (id, session_id, sender_id, recipient_id, seq, kind, content, idempotency_key)
         select 'm' || i, 's', 'u', 'a', i, 'text', '{}', case when i = 7 then 'k' end from generate_series(1, ${count}) i`,
      );
      await execute(url, "analyze messages");
      const plan = await execute<Record<string, string>>(
        url,
        `explain (analyze, format text) select idempotency_key, seq from messages m
         where m.session_id = 's' and m.seq <= ${count} and m.idempotency_key is not null order by seq desc limit 1024`,
      );
      const text = plan.map((row) => Object.values(row)[0]).join("\n");
      assert.match(text, /messages_session_id_seq_of_keys_index/);
      assert.doesNotMatch(text, /Rows Removed by Filter/);
      assert.deepEqual((await sessionOf(store, "s"))?.keys, [["k", 7]]);
    });

    it("leaves out messages that its header does not know yet", async () => {
      const messages = [1, 2, 3].map((seq) => messageRow({ seq, sender: "a", key: `k${seq}` }));
      await store.writeBatch(batch({ sessions: [sessionRow({ lastSeq: 2 })], messages }));
      const { unread, keys } = (await sessionOf(store, "s"))!;
      assert.deepEqual(
        { unread, keys },
        {
          unread: [1, 2],
          keys: [
            ["k1", 1],
            ["k2", 2],
          ],
        },
      );
    });

    it("gives its dispatch as it was written", async () => {
      const lastFailure = { dispatchId: "s.3", reason: "timeout", at: T0 };
      const dispatch = { state: "pending", epoch: 4, lastSentSeq: 9, lastFailure } as const;
      await store.writeBatch(batch({ sessions: [sessionRow({ dispatch })] }));
      assert.deepEqual((await sessionOf(store, "s"))!.dispatch, dispatch);
    });

    it("refuses a number that JavaScript cannot hold exactly", async () => {
      await store.writeBatch(batch({ sessions: [sessionRow()] }));
      await execute(url, "update sessions set last_seq = 9007199254740993");
      await assert.rejects(sessionOf(store, "s"), ArchiveDataError);
    });
  });

  describe("reading messages", () => {
    const seqs = (page: { messages: readonly { seq: number }[] }) => page.messages.map(({ seq }) => seq);
    const range = (from: number, to: number) =>
      Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);

    it("gives all of them, once and in order, whatever the pages are", async () => {
      await store.writeBatch(conversation("s", 437));
      for (const limit of [1, 2, 99, 100, 101, 436, 437, 438, 1000]) {
        const found: number[] = [];
        for (;;) {
          const page = await store.messages("s", found.length, limit, ALL);
          assert.equal(page.cut, false);
          found.push(...seqs(page));
          if (page.messages.length < limit) break;
          if (limit <= 2 && found.length > 20) break;
        }
        assert.deepEqual(found, range(1, found.length));
        if (limit > 2) assert.equal(found.length, 437);
      }
      assert.deepEqual(seqs(await store.messages("s", 437, 10, ALL)), []);
      assert.deepEqual(seqs(await store.messages("nobody", 0, 10, ALL)), []);
    });

    it("gives a message as it was acknowledged", async () => {
      const row = messageRow({ kind: "card", content: { a: 1 }, metadata: { b: [2] } });
      await store.writeBatch(batch({ messages: [row] }));
      assert.deepEqual((await store.messages("s", 0, 1, ALL)).messages, [
        {
          id: row.id,
          session_id: "s",
          seq: 1,
          sender_id: "u",
          kind: "card",
          content: { a: 1 },
          metadata: { b: [2] },
          inserted_at: isoMicros(row.insertedAt),
        },
      ]);
    });

    it("ends a page before it grows too large, but not before its first message", async () => {
      const text = "x".repeat(1000);
      const messages = range(1, 30).map((seq) => messageRow({ seq, content: { text } }));
      await store.writeBatch(batch({ messages }));
      const { messages: five, bytes, cut } = await store.messages("s", 10, 20, 6000);
      assert.deepEqual(seqs({ messages: five }), range(11, 15));
      assert.equal(cut, true);
      assert.equal(
        bytes,
        five.reduce((sum, message) => sum + Buffer.byteLength(JSON.stringify(message)), 0),
      );
      assert.ok(bytes <= 6000);
      assert.deepEqual(seqs(await store.messages("s", 10, 20, 1)), [11]);
    });

    it("fails at a hole rather than skipping it", async () => {
      await store.writeBatch(conversation("s", 250));
      await execute(url, "delete from messages where seq = 120");
      const missing = { name: "ArchiveDataError", session: "s", seq: 120 };
      await assert.rejects(store.messages("s", 50, 150, ALL), missing);
      await assert.rejects(store.messages("s", 119, 5, ALL), missing);
    });
  });

  describe("listing a user's sessions", () => {
    it("gives them newest first, equal times by id, in pages without loss or repeat", async () => {
      const ids = Array.from({ length: 60 }, (_, i) => `${["A", "a", "_", "-", "9"][i % 5]}${i}`);
      const sessions = ids.map((id, i) => {
        return sessionRow({ id, insertedAt: T0 + (i % 7), status: i % 3 === 0 ? "archived" : "active" });
      });
      const others = [sessionRow({ id: "of-another", user: "w" })];
      await store.writeBatch(batch({ sessions: [...sessions, ...others] }));
      const newestFirst = (a: SessionRow, b: SessionRow) =>
        b.insertedAt - a.insertedAt || (b.id < a.id ? -1 : 1);
      for (const status of [undefined, "active", "archived"] as const) {
        const expected = sessions.filter((row) => !status || row.status === status).sort(newestFirst);
        const found: string[] = [];
        let before: { insertedAt: number; id: string } | undefined;
        for (;;) {
          const page = await store.sessionsOfUser("u", {
            limit: 7,
            ...(status && { status }),
            ...(before && { before }),
          });
          found.push(...page.map(({ id }) => id));
          before = page.at(-1);
          if (page.length < 7) break;
        }
        assert.deepEqual(
          found,
          expected.map(({ id }) => id),
        );
      }
      assert.deepEqual(await store.sessionsOfUser("nobody", { limit: 7 }), []);
    });
  });

  describe("snapshots", () => {
    const snapshot = (applied: number) => encodeSnapshot({ ...emptyState(7), applied });
    const indexes = async (group: number) => (await store.snapshots(group)).map(({ index }) => index);

    it("come back as they were, newest first", async () => {
      await store.saveSnapshot(7, 10, snapshot(10));
      await store.saveSnapshot(7, 20, snapshot(20));
      await store.saveSnapshot(8, 5, snapshot(5));
      const [newest, older] = await store.snapshots(7);
      assert.deepEqual([newest?.index, older?.index], [20, 10]);
      assert.deepEqual(Buffer.from((await newest!.load())!), Buffer.from(snapshot(20)));
    });

    it("are kept up to the newest three of each group", async () => {
      for (const index of [10, 30, 20, 40, 50]) await store.saveSnapshot(7, index, snapshot(index));
      await store.saveSnapshot(8, 1, snapshot(1));
      assert.deepEqual([await indexes(7), await indexes(8)], [[50, 40, 30], [1]]);
      await open({ snapshotKeep: 1 }).saveSnapshot(7, 60, snapshot(60));
      assert.deepEqual(await indexes(7), [60]);
    });

    it("may be written again at the same index", async () => {
      await store.saveSnapshot(7, 10, snapshot(10));
      await store.saveSnapshot(7, 10, snapshot(11));
      const [only, ...more] = await store.snapshots(7);
      assert.equal(more.length, 0);
      assert.deepEqual(Buffer.from((await only!.load())!), Buffer.from(snapshot(11)));
    });

    it("give null when they were removed meanwhile", async () => {
      await store.saveSnapshot(7, 10, snapshot(10));
      const [only] = await store.snapshots(7);
      await execute(url, "delete from raft_snapshots");
      assert.equal(await only!.load(), null);
    });

    it("that do not come back as they were are removed, and no older one with them", async () => {
      await store.saveSnapshot(7, 10, snapshot(10));
      await execute(
        url,
        `create function damage() returns trigger language plpgsql as $$
         begin new.snapshot_data := set_byte(new.snapshot_data, 60, 0); return new; end $$`,
      );
      await execute(
        url,
        "create trigger damage before insert on raft_snapshots for each row execute function damage()",
      );
      try {
        await assert.rejects(open({ snapshotKeep: 1 }).saveSnapshot(7, 20, snapshot(20)), ArchiveDataError);
      } finally {
        await execute(url, "drop function damage cascade");
      }
      assert.deepEqual(await indexes(7), [10]);
    });

    it("of FleetLM in the same table are neither listed nor counted nor removed", async () => {
      const foreign = Buffer.from("\u0083h\u0002d some Erlang term");
      for (const index of [1, 1000, 2000, 3000, 4000]) {
        await execute(url, "insert into raft_snapshots values (7, $1, $2)", [index, foreign]);
      }
      for (const index of [10, 20, 30, 40]) await store.saveSnapshot(7, index, snapshot(index));
      assert.deepEqual(await indexes(7), [40, 30, 20]);
      const left = await execute<{ n: number }>(url, "select count(*)::int as n from raft_snapshots");
      assert.deepEqual(left, [{ n: 8 }]);
    });

    it("must be snapshots", async () => {
      await assert.rejects(store.saveSnapshot(7, 1, Buffer.from("something")), TypeError);
    });
  });

  describe("when Postgres cannot be used", () => {
    const unavailable = (pattern: RegExp) => (error: unknown) => {
      assert.ok(error instanceof ArchiveUnavailable, String(error));
      assert.match(error.message, pattern);
      return true;
    };
    const quick = { connectTimeoutMs: 300, statementTimeoutMs: 400 };
    const within = async (limitMs: number, work: Promise<unknown>, pattern: RegExp) => {
      const began = performance.now();
      await assert.rejects(work, unavailable(pattern));
      const took = performance.now() - began;
      assert.ok(took < limitMs, `took ${took} ms`);
    };

    it("says so when nothing listens", async () => {
      await assert.rejects(
        open({ url: "postgresql://u@127.0.0.1:1/x" }).watermark(1),
        unavailable(/ECONNREFUSED/),
      );
      await assert.rejects(
        open({ url: "postgresql://u@/x?host=/nowhere" }).watermark(1),
        unavailable(/ENOENT/),
      );
      await assert.rejects(
        migrateArchive({ url: "postgresql://u@127.0.0.1:1/x" }),
        unavailable(/ECONNREFUSED/),
      );
    });

    it("says so when there is no such database, or its tables are missing", async () => {
      await assert.rejects(
        open({ url: url.replace(/\/test_\d+\?/, "/nothing?") }).watermark(1),
        unavailable(/3D000/),
      );
      const empty = await postgres.database();
      await assert.rejects(open({ url: empty }).watermark(1), unavailable(/42P01/));
    });

    it("gives up a statement after its time, and the connection serves again", async () => {
      await store.writeBatch(conversation("s", 3));
      const archive = open({ ...quick, poolSize: 1 });
      const blocker = new pg.Client({ connectionString: url });
      await blocker.connect();
      try {
        await blocker.query("begin; lock table messages in access exclusive mode");
        await within(3000, archive.messages("s", 0, 10, ALL), /statement timeout/);
        await within(3000, archive.writeBatch(conversation("s", 3)), /statement timeout/);
      } finally {
        await blocker.end();
      }
      await until(
        "the lock is gone",
        async () => (await archive.messages("s", 0, 10, ALL)).messages.length === 3,
      );
    });

    it("gives up a server that stands still, on open connections and on new ones, then serves again", async () => {
      const archive = open({ ...quick, poolSize: 2 });
      await archive.writeBatch(conversation("s", 3));
      await postgres.pause();
      await within(3000, archive.watermark(7), /./);
      await within(3000, archive.writeBatch(conversation("s", 4)), /./);
      await within(3000, open(quick).watermark(7), /./);
      postgres.resume();
      await until("it serves again", async () => (await archive.watermark(7)) === 3);
      await archive.writeBatch(conversation("s", 4));
      assert.equal((await archive.messages("s", 0, 10, ALL)).messages.length, 4);
    });

    it("fails what is under way when the server crashes, keeps nothing half written, and serves again", async () => {
      const archive = open({ poolSize: 3 });
      await archive.writeBatch(conversation("s", 10));
      const running = Array.from({ length: 6 }, (_, i) =>
        archive.writeBatch(conversation(`crash-${i}`, 2000)).then(
          () => null,
          (error: unknown) => error,
        ),
      );
      await postgres.crash();
      for (const error of await Promise.all(running)) {
        if (error !== null) assert.ok(error instanceof ArchiveUnavailable, String(error));
      }
      await until("it serves again", async () => (await archive.watermark(7)) >= 10);
      for (const { count } of await execute<{ count: number }>(
        url,
        "select count(*)::int as count from messages where session_id like 'crash-%' group by session_id",
      )) {
        assert.equal(count, 2000);
      }
      await archive.writeBatch(conversation("crash-0", 2000));
      assert.equal((await archive.messages("crash-0", 0, 5000, ALL)).messages.length, 2000);
    });

    it("loses idle connections without an error that nobody handles", async () => {
      const archive = open({ poolSize: 3 });
      await Promise.all([archive.watermark(1), archive.watermark(2), archive.watermark(3)]);
      const ended = await execute(
        url,
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'fleetport' and datname = current_database()`,
      );
      assert.ok(ended.length >= 3);
      await until("it serves again", async () => (await archive.watermark(1)) === 0 || true);
      assert.equal(await archive.watermark(1), 0);
    });

    it("says so when the connection is ended in the middle of a batch", async () => {
      const blocker = new pg.Client({ connectionString: url });
      await blocker.connect();
      await blocker.query("begin; lock table cursors in access exclusive mode");
      const writing = store.writeBatch({ ...conversation("s", 5), cursors: [cursorRow({ lastSeq: 1 })] });
      const outcome = assert.rejects(writing, unavailable(/57P01|terminat/));
      await until("the batch waits for the lock", async () => {
        const ended = await execute(
          url,
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fleetport' and wait_event_type = 'Lock'",
        );
        return ended.length > 0;
      });
      await outcome;
      await blocker.end();
      assert.equal(await sessionOf(store, "s"), null);
    });

    it("says so when Postgres has no connection left", async () => {
      await execute(url, "create role limited login connection limit 1");
      await execute(url, "grant select on all tables in schema public to limited");
      const limited = url.replace("//fleetport@", "//limited@");
      const holder = new pg.Client({ connectionString: limited });
      await holder.connect();
      try {
        await assert.rejects(open({ url: limited }).watermark(1), unavailable(/53300/));
      } finally {
        await holder.end();
      }
      const archive = open({ url: limited });
      await until("a connection is free", async () => (await archive.watermark(1)) === 0 || true);
    });

    it("says so when every connection of the pool is in use for too long", async () => {
      const archive = open({ poolSize: 1, connectTimeoutMs: 200 });
      const blocker = new pg.Client({ connectionString: url });
      await blocker.connect();
      await blocker.query("begin; lock table messages in access exclusive mode");
      const slow = archive.messages("s", 0, 1, ALL);
      await within(2000, archive.watermark(1), /timeout exceeded when trying to connect/);
      await blocker.end();
      await slow;
      assert.equal(await archive.watermark(1), 0);
    });

    it("closes within 3 s while a server that stands still owes it answers", async () => {
      const archive = open({ statementTimeoutMs: 30_000 });
      await archive.watermark(1);
      await postgres.pause();
      const asked = assert.rejects(archive.watermark(1), ArchiveUnavailable);
      await setImmediate(); // now it is sent
      const began = performance.now();
      await archive.close();
      assert.ok(performance.now() - began < 3000);
      await asked;
      await assert.rejects(archive.watermark(1), ArchiveUnavailable);
      postgres.resume();
    });
  });
});

const sender = fc.constantFrom(
  { role: "user" as const, sender: "u" },
  { role: "agent" as const, sender: "a" },
);

/** Commands on one session. */
function commandOf(session: string): fc.Arbitrary<Command> {
  const body = { kind: "text", content: {}, metadata: {}, id: "m", at: 0 };
  return fc.oneof(
    {
      weight: 60,
      arbitrary: fc.tuple(sender, fc.option(fc.constantFrom("k1", "k2", "k3", "k4"))).map(
        ([who, key]): Command => ({
          t: "append",
          v: 1,
          session,
          ...body,
          ...who,
          ...(key !== null && { key }),
        }),
      ),
    },
    {
      weight: 20,
      arbitrary: fc.nat(40).map((seq): Command => ({ t: "read", v: 1, session, user: "u", seq, at: 0 })),
    },
    { weight: 1, arbitrary: fc.constant<Command>({ t: "archive", v: 1, session, at: 0 }) },
  );
}

/** A log in which each entry appends one message to a session, and may move its cursor. */
class LogOfGroup {
  readonly #group: number;
  readonly #rows: { session: SessionRow; message: MessageRow; cursor: CursorRow | null }[] = [];

  constructor(group: number, entries: readonly { session: number; read: boolean }[]) {
    this.#group = group;
    const lastSeqs = new Map<string, number>();
    entries.forEach((entry, i) => {
      const id = `g${group}-${entry.session}`;
      const seq = (lastSeqs.get(id) ?? 0) + 1;
      lastSeqs.set(id, seq);
      const at = T0 + i;
      this.#rows.push({
        session: sessionRow({ id, lastSeq: seq, updatedAt: at, logIndex: i + 1 }),
        message: messageRow({ session: id, seq, insertedAt: at }),
        cursor: entry.read ? cursorRow({ session: id, lastSeq: seq, at }) : null,
      });
    });
  }

  get messageCount(): number {
    return this.#rows.length;
  }

  /** What an archiver writes of entries from..to, whose predecessors may or may not be archived. */
  slice(from: number, to: number): ArchiveBatch {
    const rows = this.#rows.slice(from - 1, to);
    return batch({
      group: this.#group,
      sessions: rows.map(({ session }) => session),
      messages: rows.map(({ message }) => message),
      cursors: rows.flatMap(({ cursor }) => (cursor ? [cursor] : [])),
      archivedIndex: from === 1 ? to : 0,
    });
  }

  sessions() {
    const ids = [...new Set(this.#rows.map(({ session }) => session.id))];
    return ids.map((id) => {
      const rows = this.#rows.filter(({ session }) => session.id === id);
      const { lastSeq, updatedAt } = rows.at(-1)!.session;
      const cursor = rows.findLast((row) => row.cursor)?.cursor?.lastSeq ?? 0;
      return { id, state: { lastSeq, updatedAt, cursor }, ids: rows.map(({ message }) => message.id) };
    });
  }
}

/** The same batch with its rows in another order. */
function shuffled(original: ArchiveBatch, seed: number): ArchiveBatch {
  const turn = <T>(rows: readonly T[]): T[] => {
    const at = rows.length === 0 ? 0 : seed % rows.length;
    const turned = [...rows.slice(at), ...rows.slice(0, at)];
    return seed % 2 === 0 ? turned : turned.reverse();
  };
  return {
    ...original,
    sessions: turn(original.sessions),
    messages: turn(original.messages),
    cursors: turn(original.cursors),
  };
}
