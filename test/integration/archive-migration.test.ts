/** @module The archive's schema: made as the contract has it, made once, and a FleetLM database taken over whole. */
import assert from "node:assert/strict";
import pg from "pg";
import { IDLE } from "../../lib/conversation/state.ts";
import { ArchiveUnavailable } from "../../services/conversations/archive/errors.ts";
import { migrateArchive } from "../../services/conversations/archive/migrate.ts";
import { openArchive } from "../../services/conversations/archive/store.ts";
import { batch, messageRow, sessionOf, sessionRow } from "../helpers/archive.ts";
import { execute, startPostgres, type TestPostgres } from "../helpers/postgres.ts";

/** Contract, section 4: column to type, `*` for not null, default. */
const SCHEMA: Record<string, Record<string, string>> = {
  agents: {
    id: "text*",
    name: "text*",
    origin_url: "text*",
    webhook_path: "text* '/webhook'",
    message_history_mode: "text* 'tail'",
    message_history_limit: "integer 50",
    timeout_ms: "integer* 30000",
    headers: "jsonb '{}'",
    status: "text* 'enabled'",
    debounce_window_ms: "integer* 500",
    webhook_secret: "text",
    inserted_at: "timestamp with time zone* now()",
    updated_at: "timestamp with time zone* now()",
  },
  sessions: {
    id: "text*",
    user_id: "text*",
    agent_id: "text*",
    status: "text* 'active'",
    metadata: "jsonb* '{}'",
    shard_key: "integer",
    last_seq: "bigint",
    last_sender_id: "text",
    last_activity_at: "timestamp with time zone",
    dispatch: "jsonb",
    log_index: "bigint",
    inserted_at: "timestamp with time zone* now()",
    updated_at: "timestamp with time zone* now()",
  },
  messages: {
    id: "text*",
    session_id: "text*",
    sender_id: "text*",
    recipient_id: "text*",
    seq: "bigint*",
    kind: "text*",
    content: "jsonb* '{}'",
    metadata: "jsonb* '{}'",
    shard_key: "integer",
    idempotency_key: "text",
    inserted_at: "timestamp with time zone* now()",
  },
  cursors: {
    id: "text*",
    session_id: "text*",
    participant_id: "text*",
    last_seq: "bigint*",
    shard_key: "integer",
    inserted_at: "timestamp with time zone* now()",
    updated_at: "timestamp with time zone* now()",
  },
  raft_snapshots: {
    group_id: "integer*",
    raft_index: "bigint*",
    snapshot_data: "bytea*",
    created_at: "timestamp with time zone* now()",
  },
  group_watermarks: {
    group_id: "integer*",
    archived_index: "bigint*",
    updated_at: "timestamp with time zone* now()",
  },
};

const INDEXES = [
  "agents (id) unique",
  "agents (status)",
  "cursors (id) unique",
  "cursors (participant_id)",
  "cursors (session_id, participant_id) unique",
  "cursors (shard_key)",
  "group_watermarks (group_id) unique",
  "messages (id) unique",
  "messages (session_id, seq) WHERE (idempotency_key IS NOT NULL)",
  "messages (session_id, seq) unique",
  "messages (shard_key)",
  "raft_snapshots (group_id, raft_index) unique",
  "sessions (id) unique",
  "sessions (shard_key)",
  "sessions (status)",
  "sessions (user_id, agent_id)",
  "sessions (user_id, inserted_at)",
];

const MIGRATIONS = ["0001_archive", "0002_keys_of_a_session"];

describe("The archive's schema", () => {
  let postgres: TestPostgres;

  before(async () => {
    postgres = await startPostgres();
  });

  after(() => postgres.stop());

  it("is that of the contract", async () => {
    const url = await postgres.database();
    assert.deepEqual(await migrateArchive({ url }), MIGRATIONS);
    assert.deepEqual(await columnsOf(url), SCHEMA);
    assert.deepEqual(await indexesOf(url), INDEXES);
    assert.deepEqual(await execute(url, "select conname from pg_constraint where contype = 'f'"), []);
  });

  it("is made once by nodes that start at the same time", async () => {
    const url = await postgres.database();
    const done = await Promise.all(Array.from({ length: 8 }, () => migrateArchive({ url })));
    assert.deepEqual(done.flat(), MIGRATIONS);
    assert.deepEqual(await columnsOf(url), SCHEMA);
  });

  it("is left alone when it is there", async () => {
    const url = await postgres.database();
    await migrateArchive({ url });
    await execute(url, "insert into group_watermarks values (1, 5)");
    assert.deepEqual(await migrateArchive({ url }), []);
    assert.deepEqual(await execute(url, "select group_id from group_watermarks"), [{ group_id: 1 }]);
  });

  it("is not touched at all when Postgres refuses a part of it, and the error says which", async () => {
    const url = await postgres.database();
    await execute(url, "create view messages as select 1 as seq");
    await assert.rejects(migrateArchive({ url }), (error) => {
      assert.ok(error instanceof Error && !(error instanceof ArchiveUnavailable));
      assert.match(error.message, /^the archive's schema cannot be brought up to date: .*messages/);
      return true;
    });
    assert.deepEqual(
      await execute(url, "select table_name from information_schema.tables where table_name = 'sessions'"),
      [],
    );
    await execute(url, "drop view messages");
    assert.deepEqual(await migrateArchive({ url }), MIGRATIONS);
  });

  describe("takes over a FleetLM database", () => {
    it("with every row, its times read as UTC, and makes what was new", async () => {
      const url = await fleetlm();
      const before = await rowsOf(url);
      assert.deepEqual(await migrateArchive({ url }), MIGRATIONS);
      const after = await rowsOf(url);
      for (const [table, rows] of Object.entries(before)) {
        assert.equal(after[table]!.length, rows.length, table);
        rows.forEach((row, i) => {
          for (const [column, value] of Object.entries(row)) {
            const expected = /_at$/.test(column) ? `${String(value)}+00:00` : value;
            if (column === "status" && value === "inactive") continue;
            assert.deepEqual(after[table]![i]![column], expected, `${table}.${column}`);
          }
        });
      }
      const { compaction_enabled, ...agents } = (await columnsOf(url)).agents!;
      assert.equal(compaction_enabled, "boolean* false");
      const found = { ...(await columnsOf(url)), agents };
      assert.deepEqual(found, SCHEMA);
      assert.deepEqual(await indexesOf(url), INDEXES);
    });

    it("so that its sessions are read and go on", async () => {
      const url = await fleetlm();
      await migrateArchive({ url });
      const archive = openArchive({ url, poolSize: 2 });
      try {
        const insertedAt = Date.parse("2025-10-01T08:00:00Z") * 1000;
        assert.deepEqual(await sessionOf(archive, "s1"), {
          id: "s1",
          user: "u",
          agent: "a",
          status: "active",
          metadata: { origin: "fleetlm" },
          insertedAt,
          updatedAt: insertedAt,
          lastSeq: 3,
          dispatch: IDLE,
          lastSenderId: "a",
          lastActivityAt: insertedAt + 3_000_123,
          cursor: 1,
          unread: [2, 3],
          keys: [],
        });
        const empty = (await sessionOf(archive, "s2"))!;
        assert.deepEqual([empty.status, empty.lastSeq, empty.unread], ["active", 0, []]);
        await archive.writeBatch(
          batch({
            sessions: [sessionRow({ id: "s1", lastSeq: 4, logIndex: 2, lastSenderId: "u" })],
            messages: [messageRow({ session: "s1", seq: 4, key: "k" })],
            cursors: [{ session: "s1", participant: "u", lastSeq: 4, at: insertedAt }],
            archivedIndex: 2,
          }),
        );
        const page = await archive.messages("s1", 0, 10, 1_000_000);
        assert.deepEqual(
          page.messages.map(({ seq }) => seq),
          [1, 2, 3, 4],
        );
        assert.deepEqual(page.messages[0]?.inserted_at, "2025-10-01T08:00:01.000123Z");
        const { lastSeq, cursor, unread, keys } = (await sessionOf(archive, "s1"))!;
        assert.deepEqual(
          { lastSeq, cursor, unread, keys },
          { lastSeq: 4, cursor: 4, unread: [], keys: [["k", 4]] },
        );
        assert.deepEqual(
          (await archive.sessionsOfUser("u", { limit: 10 })).map(({ id }) => id),
          ["s2", "s1"],
        );
      } finally {
        await archive.close();
      }
    });

    it("of its first releases, which named participants otherwise", async () => {
      const url = await fleetlm();
      await execute(url, "alter table sessions rename column user_id to sender_id");
      await execute(url, "alter table sessions rename column agent_id to recipient_id");
      await execute(
        url,
        "alter index sessions_user_id_agent_id_index rename to sessions_sender_id_recipient_id_index",
      );
      await migrateArchive({ url });
      assert.deepEqual((await columnsOf(url)).sessions, SCHEMA.sessions);
      assert.deepEqual(await indexesOf(url), INDEXES);
      assert.deepEqual(await execute(url, "select id, user_id, agent_id from sessions order by id"), [
        { id: "s1", user_id: "u", agent_id: "a" },
        { id: "s2", user_id: "u", agent_id: "a" },
      ]);
    });
  });

  /** The tables as FleetLM's own migrations make them (Ecto on Postgres), with rows. */
  async function fleetlm(): Promise<string> {
    const url = await postgres.database();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(FLEETLM);
    await client.end();
    return url;
  }
});

const FLEETLM = `
  create table schema_migrations (version bigint primary key, inserted_at timestamp(0) without time zone);
  create table agents (
    id varchar(255) primary key, name varchar(255) not null, origin_url varchar(255) not null,
    webhook_path varchar(255) default '/webhook' not null,
    message_history_mode varchar(255) default 'tail' not null, message_history_limit integer default 50,
    timeout_ms integer default 30000 not null, headers jsonb default '{}', status varchar(255) default 'enabled' not null,
    debounce_window_ms integer default 500 not null, compaction_enabled boolean default false not null,
    inserted_at timestamp(0) not null, updated_at timestamp(0) not null);
  create index agents_status_index on agents (status);
  create table sessions (
    id varchar(255) primary key, user_id varchar(255) not null, agent_id varchar(255) not null,
    status varchar(255) default 'active' not null, metadata jsonb default '{}'::jsonb not null, shard_key integer,
    inserted_at timestamp(0) not null, updated_at timestamp(0) not null);
  create index sessions_user_id_agent_id_index on sessions (user_id, agent_id);
  create index sessions_status_index on sessions (status);
  create index sessions_shard_key_index on sessions (shard_key);
  create table messages (
    id varchar(255) primary key, session_id varchar(255) not null, sender_id varchar(255) not null,
    recipient_id varchar(255) not null, seq integer not null, kind varchar(255) not null,
    content jsonb default '{}'::jsonb not null, metadata jsonb default '{}'::jsonb not null, shard_key integer,
    inserted_at timestamp not null);
  create unique index messages_session_id_seq_index on messages (session_id, seq);
  create index messages_shard_key_index on messages (shard_key);
  create table cursors (
    id varchar(255) primary key, session_id varchar(255) not null, participant_id varchar(255) not null,
    last_seq integer not null, shard_key integer, inserted_at timestamp(0) not null, updated_at timestamp(0) not null);
  create unique index cursors_session_id_participant_id_index on cursors (session_id, participant_id);
  create index cursors_participant_id_index on cursors (participant_id);
  create index cursors_shard_key_index on cursors (shard_key);
  create table raft_snapshots (
    group_id integer not null, raft_index bigint not null, snapshot_data bytea not null,
    created_at timestamp(0) default now() not null);
  create unique index raft_snapshots_group_id_raft_index_index on raft_snapshots (group_id, raft_index);

  set timezone = 'Asia/Tokyo';
  insert into agents values ('a', 'Agent', 'http://localhost:3000', '/hook', 'last', 5, 1000, '{"x": "y"}', 'enabled',
    250, false, '2025-10-01 07:00:00', '2025-10-01 07:00:01');
  insert into sessions values
    ('s1', 'u', 'a', 'inactive', '{"origin": "fleetlm"}', 201, '2025-10-01 08:00:00', '2025-10-01 08:00:00'),
    ('s2', 'u', 'a', 'active', '{}', 17, '2025-10-01 09:00:00', '2025-10-01 09:00:00');
  insert into messages values
    ('m1', 's1', 'u', 'a', 1, 'text', '{"text": "hi"}', '{}', 201, '2025-10-01 08:00:01.000123'),
    ('m2', 's1', 'a', 'u', 2, 'text', '{"text": "hello"}', '{}', 201, '2025-10-01 08:00:02.000123'),
    ('m3', 's1', 'a', 'u', 3, 'text', '{"text": "anything else?"}', '{"k": null}', 201, '2025-10-01 08:00:03.000123');
  insert into cursors values ('c1', 's1', 'u', 1, 201, '2025-10-01 08:00:02', '2025-10-01 08:00:02');
  insert into raft_snapshots values (201, 100000, '\\x8368', '2025-10-01 08:00:05');`;

async function columnsOf(url: string): Promise<Record<string, Record<string, string>>> {
  const rows = await execute<{
    table: string;
    column: string;
    type: string;
    nullable: string;
    fallback: string | null;
  }>(
    url,
    `select table_name as table, column_name as column, data_type as type, is_nullable as nullable,
            column_default as fallback
     from information_schema.columns where table_schema = 'public' and table_name = any($1)`,
    [Object.keys(SCHEMA)],
  );
  const found: Record<string, Record<string, string>> = {};
  for (const { table, column, type, nullable, fallback } of rows) {
    const start = fallback === null ? "" : ` ${fallback.replace(/::[\w ]+$/, "")}`;
    found[table] ??= {};
    found[table][column] = `${type}${nullable === "NO" ? "*" : ""}${start}`;
  }
  return found;
}

async function indexesOf(url: string): Promise<string[]> {
  const rows = await execute<{ text: string }>(
    url,
    `select tablename || ' ' || substring(indexdef from '\\(.*\\)')
            || case when indexdef like 'CREATE UNIQUE%' then ' unique' else '' end as text
     from pg_indexes where schemaname = 'public' and tablename = any($1)`,
    [Object.keys(SCHEMA)],
  );
  return rows.map(({ text }) => text).sort();
}

/** All rows of FleetLM's tables, as JSON. */
async function rowsOf(url: string): Promise<Record<string, Record<string, unknown>[]>> {
  const found: Record<string, Record<string, unknown>[]> = {};
  for (const table of ["agents", "sessions", "messages", "cursors", "raft_snapshots"]) {
    const rows = await execute<{ row: Record<string, unknown> }>(
      url,
      `select to_jsonb(t) as row from ${table} t order by 1`,
    );
    found[table] = rows.map(({ row }) => row);
  }
  return found;
}
