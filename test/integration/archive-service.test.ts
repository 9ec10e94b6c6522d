/** @module The archive on the bus: what it answers, what it throws, how it comes and goes with Postgres. */
import assert from "node:assert/strict";
import type { Context, ServiceBroker } from "moleculer";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import { isoMicros } from "../../lib/clock.ts";
import { encodeSnapshot } from "../../lib/conversation/snapshot.ts";
import { emptyState } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import { ArchiveLink } from "../../services/conversations/archive/link.ts";
import { migrateArchive } from "../../services/conversations/archive/migrate.ts";
import archive from "../../services/conversations/archive.service.ts";
import type {
  ArchiveChanged,
  ArchivedMessages,
  ArchivedUserSessions,
  ArchiveStatus,
  ArchiveWritten,
  FoundSession,
  LoadedSnapshot,
  SnapshotIndexes,
} from "../../services/conversations/contract.ts";
import { batch, conversation, messageRow, sessionRow, T0 } from "../helpers/archive.ts";
import { freshDatabase, UNREACHABLE } from "../helpers/database.ts";
import { testBroker } from "../helpers/gateway.ts";
import { execute, startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

interface TestArchive {
  readonly broker: ServiceBroker;
  /** Lifecycle events in the order in which they came. */
  readonly events: [string, ArchiveChanged][];
  /** Lines that were logged as errors. */
  readonly errors: string[];
  call<T>(action: string, params?: object): Promise<T>;
  /** The code with which a call is refused. */
  refusal(action: string, params?: object): Promise<{ code: string | null; message: string }>;
  metric(name: string): Promise<number>;
  available(): Promise<void>;
}

const ALL = { limit: 1000, max_bytes: 1_000_000 };

describe("The archive service", () => {
  const brokers: ServiceBroker[] = [];

  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
  });

  async function start(env: Record<string, string>): Promise<TestArchive> {
    const { broker, errors, metrics } = testBroker({ env });
    const events: [string, ArchiveChanged][] = [];
    const heard = (ctx: Context<ArchiveChanged>) => void events.push([ctx.eventName ?? "", ctx.params]);
    broker.createService({
      name: "listener",
      events: { "archive.available": heard, "archive.unavailable": heard },
    });
    broker.createService(archive);
    brokers.push(broker);
    await broker.start();
    const { nodeID } = broker;
    const call = <T>(action: string, params: object = {}) =>
      broker.call<T, object>(`archive.${action}`, params, { nodeID });
    return {
      broker,
      events,
      errors,
      call,
      refusal: async (action, params) => {
        const error: unknown = await call(action, params).then(
          () => assert.fail(`archive.${action} was answered`),
          (thrown: unknown) => thrown,
        );
        assert.ok(error instanceof Error);
        return { code: errorCode(error), message: error.message };
      },
      metric: async (name) => {
        const found = (await metrics.getMetricsAsJSON()).find((one) => one.name === `fleet_${name}`);
        return found?.values[0]?.value ?? Number.NaN;
      },
      available: async () => {
        await until("the archive is available", async () => (await call<ArchiveStatus>("status")).available);
      },
    };
  }

  describe("with Postgres", () => {
    let url: string;
    let node: TestArchive;

    beforeEach(async () => {
      url = await freshDatabase();
      node = await start({ DATABASE_URL: url });
      await node.available();
    });

    it("makes the schema and says that it is available, once", async () => {
      await execute(url, "select id from sessions");
      assert.deepEqual(node.events, [["archive.available", { node: node.broker.nodeID }]]);
      assert.deepEqual(await node.call("status"), { available: true, problem: null });
    });

    it("writes a batch, again without harm, and reads it back", async () => {
      const written = conversation("s", 5, 40);
      for (let i = 0; i < 2; i++) {
        const answer = await node.call<ArchiveWritten>("write", written);
        assert.deepEqual(answer, { kind: "written", conflicts: 0 });
      }
      assert.equal(await node.call("watermark", { group: 7 }), 40);
      assert.equal(await node.call("watermark", { group: 8 }), 0);
      const { session } = await node.call<FoundSession>("session", { id: "s", group: 7 });
      assert.deepEqual([session?.lastSeq, session?.unread], [5, [2, 4]]);
      const absent = await node.call<FoundSession>("session", { id: "unknown", group: 8 });
      assert.deepEqual(absent, { session: null, watermark: 0 });
      const page = await node.call<ArchivedMessages>("messages", { session: "s", after: 2, ...ALL });
      assert.deepEqual(
        page.messages.map(({ seq }) => seq),
        [3, 4, 5],
      );
    });

    it("counts messages that met another one in their place, and goes on", async () => {
      await node.call("write", conversation("s", 2));
      const other = batch({ messages: [messageRow({ id: "another", seq: 2 })], archivedIndex: 3 });
      assert.deepEqual(await node.call("write", other), { kind: "written", conflicts: 1 });
      assert.equal(await node.metric("archive_conflicts_total"), 1);
      assert.equal(await node.metric("archive_errors_total"), 0);
    });

    it("says that a batch is refused when a row cannot be stored, and that the archive is still available", async () => {
      const messages = [messageRow(), messageRow({ seq: 2, content: { text: "\u0000" } })];
      const answer = await node.call<ArchiveWritten>("write", batch({ messages, archivedIndex: 1 }));
      assert.ok(answer.kind === "refused");
      assert.match(answer.problem, /table messages, session s, seq 2/);
      assert.equal(await node.metric("archive_errors_total"), 1);
      assert.equal((await node.call<ArchiveStatus>("status")).available, true);
      assert.deepEqual(await execute(url, "select * from messages"), []);
    });

    it("does not pass over a hole: it says where it is", async () => {
      await node.call("write", conversation("s", 5));
      await execute(url, "delete from messages where seq = 3");
      const { code, message } = await node.refusal("messages", { session: "s", after: 0, ...ALL });
      assert.equal(code, "archive_unavailable");
      assert.equal(message, "archive table messages, session s, seq 3: the message is missing.");
      assert.equal(node.errors.length, 1);
      assert.equal((await node.call<ArchiveStatus>("status")).available, true);
    });

    it("shows a user's sessions as callers see them, newest first, page by page", async () => {
      const sessions = [1, 2, 3].map((i) =>
        sessionRow({ id: `s${i}`, insertedAt: T0 + i, status: i === 2 ? "archived" : "active", logIndex: i }),
      );
      await node.call("write", batch({ sessions }));
      const list = (params: object) =>
        node.call<ArchivedUserSessions>("userSessions", { user_id: "u", limit: 50, ...params });
      const ids = ({ sessions: found }: ArchivedUserSessions) => found.map(({ id }) => id);
      const all = await list({});
      assert.deepEqual([ids(all), all.more], [["s3", "s2", "s1"], false]);
      assert.deepEqual(all.sessions[1], {
        id: "s2",
        user_id: "u",
        agent_id: "a",
        status: "archived",
        metadata: {},
        inserted_at: isoMicros(T0 + 2),
        updated_at: isoMicros(T0),
        last_seq: 0,
        dispatch: { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null },
      });
      assert.deepEqual(ids(await list({ status: "active" })), ["s3", "s1"]);
      const first = await list({ limit: 2 });
      assert.deepEqual([ids(first), first.more], [["s3", "s2"], true]);
      const position = { insertedAt: isoMicros(T0 + 2), id: "s2" };
      const second = await list({ limit: 2, position });
      assert.deepEqual([ids(second), second.more], [["s1"], false]);
      assert.deepEqual(await list({ user_id: "nobody" }), { sessions: [], more: false });
    });

    it("answers no more sessions than the bus carries in one message", async () => {
      const metadata = { note: "x".repeat(60_000) };
      const sessions = Array.from({ length: 20 }, (_, i) =>
        sessionRow({ id: `s${i}`, insertedAt: T0 + i, metadata, logIndex: i + 1 }),
      );
      await node.call("write", batch({ sessions }));
      const page = await node.call<ArchivedUserSessions>("userSessions", { user_id: "u", limit: 20 });
      assert.ok(Buffer.byteLength(JSON.stringify(page)) < MAX_CALL_BYTES + 1024);
      assert.ok(page.sessions.length > 4 && page.more);
    });

    it("keeps the newest snapshots and gives them back as they were", async () => {
      const snapshot = (index: number) => encodeSnapshot({ ...emptyState(3), applied: index });
      for (const index of [10, 20, 30, 40]) {
        await node.call("saveSnapshot", { group: 3, index, data: snapshot(index) });
      }
      const { indexes } = await node.call<SnapshotIndexes>("snapshots", { group: 3 });
      assert.deepEqual(indexes, [40, 30, 20]);
      const { data } = await node.call<LoadedSnapshot>("snapshot", { group: 3, index: 30 });
      assert.ok(data && Buffer.from(snapshot(30)).equals(data));
      assert.deepEqual(await node.call("snapshot", { group: 3, index: 10 }), { data: null });
    });

    it("refuses bytes that are no snapshot as a defect, which trying again does not mend", async () => {
      const data = Buffer.from("no snapshot");
      const { code, message } = await node.refusal("saveSnapshot", { group: 3, index: 1, data });
      assert.equal(code, null);
      assert.match(message, /not a snapshot/);
      assert.equal(await node.metric("archive_errors_total"), 1);
    });
  });

  it("leaves the schema alone with FLEET_MIGRATE_ON_BOOT=false, and serves once somebody has made it", async () => {
    const url = await freshDatabase();
    const node = await start({ DATABASE_URL: url, FLEET_MIGRATE_ON_BOOT: "false" });
    await until("it says why it is not available", async () =>
      /group_watermarks.*does not exist/.test((await node.call<ArchiveStatus>("status")).problem ?? ""),
    );
    assert.equal((await node.refusal("watermark", { group: 1 })).code, "archive_unavailable");
    assert.deepEqual(await execute(url, "select * from pg_tables where schemaname = 'public'"), []);
    await migrateArchive({ url });
    await node.available();
    assert.equal(await node.call("watermark", { group: 1 }), 0);
  });

  it("goes on without an archive when a migration is refused, and logs what is wrong", async () => {
    const url = await freshDatabase();
    await execute(url, "create view sessions as select 1 as one");
    const node = await start({ DATABASE_URL: url });
    await until("it is logged", () => node.errors.some((line) => /schema cannot be brought up/.test(line)));
    const { code } = await node.refusal("session", { id: "s", group: 7 });
    assert.equal(code, "archive_unavailable");
    const [event] = node.events;
    assert.equal(event?.[0], "archive.unavailable");
    assert.match(event[1].problem ?? "", /schema cannot be brought up to date/);
  });

  it("tries a refused migration again", async () => {
    const url = await freshDatabase();
    await execute(url, "create view sessions as select 1 as one");
    const changes: (string | null)[] = [];
    const quiet = () => undefined;
    const link = new ArchiveLink({
      url,
      poolSize: 1,
      migrate: true,
      refusedRetryMs: 20,
      logger: { info: quiet, warn: quiet, error: quiet },
      onChange: (problem) => void changes.push(problem),
    });
    try {
      link.start();
      await until("it was refused", () => changes.length === 1);
      await execute(url, "drop view sessions");
      await until("it is available", () => link.problem === null);
      assert.equal(changes.length, 2);
    } finally {
      await link.stop();
    }
  });

  it("answers every call with archive_unavailable, quickly, when there is no Postgres at its address", async () => {
    const node = await start({ DATABASE_URL: UNREACHABLE });
    await until("it says why", async () =>
      /ECONNREFUSED/.test((await node.call<ArchiveStatus>("status")).problem ?? ""),
    );
    const calls: [string, object][] = [
      ["write", batch()],
      ["watermark", { group: 1 }],
      ["session", { id: "s", group: 7 }],
      ["messages", { session: "s", after: 0, ...ALL }],
      ["userSessions", { user_id: "u", limit: 1 }],
      ["saveSnapshot", { group: 1, index: 1, data: encodeSnapshot(emptyState(1)) }],
      ["snapshots", { group: 1 }],
      ["snapshot", { group: 1, index: 1 }],
    ];
    for (const [action, params] of calls) {
      const { code, message } = await node.refusal(action, params);
      assert.equal(code, "archive_unavailable", action);
      assert.equal(message, "The archive cannot be asked at the moment; try again.");
    }
    assert.equal(await node.metric("archive_errors_total"), calls.length);
    assert.deepEqual(
      node.events.map(([name]) => name),
      ["archive.unavailable"],
    );
  });

  it("says so when the node has no database at all", async () => {
    const node = await start({});
    assert.equal((await node.refusal("watermark", { group: 1 })).code, "archive_unavailable");
    assert.equal((await node.refusal("write", batch())).code, "archive_unavailable");
    assert.equal((await node.call<ArchiveStatus>("status")).available, false);
  });

  describe("when Postgres comes and goes", () => {
    let postgres: TestPostgres;

    before(async () => {
      postgres = await startPostgres();
    });
    after(() => postgres.stop());
    afterEach(() => postgres.resume());

    it("starts while Postgres does not answer, and serves when it does", async () => {
      const url = await postgres.database();
      await postgres.pause();
      const node = await start({ DATABASE_URL: url });
      assert.equal((await node.refusal("watermark", { group: 1 })).code, "archive_unavailable");
      await until("it has noticed", () => node.events.length === 1);
      postgres.resume();
      await node.available();
      assert.equal(await node.call("watermark", { group: 1 }), 0);
      assert.deepEqual(
        node.events.map(([name]) => name),
        ["archive.unavailable", "archive.available"],
      );
    });

    it("is unavailable while Postgres is down, and comes back by itself", async () => {
      const node = await start({ DATABASE_URL: await postgres.database() });
      await node.available();
      await node.call("write", conversation("s", 3));
      let failed = 0;
      let over = false;
      const reader = (async () => {
        while (!over) {
          await node.call("session", { id: "s", group: 7 }).catch((error: unknown) => {
            assert.equal(errorCode(error), "archive_unavailable");
            failed += 1;
          });
        }
      })();
      await postgres.crash();
      await until("it is back", () => node.events.at(-1)?.[0] === "archive.available" && failed > 0);
      over = true;
      await reader;
      assert.equal((await node.call<FoundSession>("session", { id: "s", group: 7 })).session?.lastSeq, 3);
      const names = node.events.map(([name]) => name);
      names.forEach((name, i) => {
        assert.equal(name, i % 2 === 0 ? "archive.available" : "archive.unavailable", names.join());
      });
    });

    it("stops within 3 s while Postgres does not answer, in the middle of a call", async () => {
      const node = await start({ DATABASE_URL: await postgres.database() });
      await node.available();
      await postgres.pause();
      const refused = node.refusal("session", { id: "s", group: 7 });
      const began = performance.now();
      await node.broker.stop();
      assert.ok(performance.now() - began < 3000);
      assert.equal((await refused).code, "archive_unavailable");
    });

    it("stops within 3 s while its migration waits for somebody else", async () => {
      const url = await postgres.database();
      await migrateArchive({ url });
      const { Client } = (await import("pg")).default;
      const other = new Client({ connectionString: url });
      await other.connect();
      await other.query("begin; lock table fleetport_migrations in access exclusive mode");
      const node = await start({ DATABASE_URL: url });
      await until("the migration waits", async () => {
        const waiting = await execute(
          url,
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return waiting.length > 0;
      });
      const began = performance.now();
      await node.broker.stop();
      assert.ok(performance.now() - began < 3000);
      await other.end();
    });
  });
});
