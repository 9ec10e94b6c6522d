/** @module The archive under a whole fleet, as callers and operators see it: over HTTP, with a real Postgres that fails. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { freshDatabase, UNREACHABLE } from "../helpers/database.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";
import { createSessions, Load, readAll } from "../helpers/load.ts";
import { execute, startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

const QUICK = { FLEET_FLUSH_INTERVAL_MS: "50" };

/** Waits until every message of the sessions is in Postgres, and checks that each is there once, at its seq. */
async function archived(fleet: TestFleet, sessions: readonly string[]): Promise<void> {
  for (const session of sessions) {
    const messages = await readAll(fleet.nodes[0]!.url, session);
    const rows = () =>
      execute<{ seq: string; id: string }>(
        fleet.databaseUrl,
        "select seq, id from messages where session_id = $1 order by seq",
        [session],
      );
    await until(`all of ${session} is archived`, async () => (await rows()).length >= messages.length);
    assert.deepEqual(
      (await rows()).map(({ seq, id }) => [Number(seq), id]),
      messages.map(({ seq, id }) => [seq, id]),
    );
  }
}

async function post(fleet: TestFleet, path: string, body: object, node = 0) {
  return request(fleet.nodes[node]!.url, "POST", path, body);
}

describe("a fleet with an archive", () => {
  it("has every acknowledged message in Postgres once, also those of one group with equal seqs", async () => {
    const fleet = await startFleet({ groups: 2, env: QUICK });
    try {
      const { url } = fleet.nodes[0]!;
      const sessions = ["a", "b", "c", "d"];
      await createSessions(url, sessions);
      const load = new Load(sessions, () => fleet.nodes.map((node) => node.url));
      await until("some is acknowledged", () => load.acknowledged > 200);
      await load.stop();
      await load.verify(url);
      await archived(fleet, sessions);
    } finally {
      await fleet.stop();
    }
  });

  it("is archived up to the last message when it was stopped in an orderly way", async () => {
    const databaseUrl = await freshDatabase();
    const dataDir = await mkdtemp(join(tmpdir(), "fleet-archive-"));
    try {
      const fleet = await startFleet({ groups: 2, dataDir, databaseUrl });
      await createSessions(fleet.nodes[0]!.url, ["s"]);
      await post(fleet, "/api/sessions/s/messages", { user_id: "u", content: { n: 1 } });
      await fleet.stop();
      const rows = await execute(databaseUrl, "select session_id, seq from messages");
      assert.deepEqual(rows, [{ session_id: "s", seq: "1" }]);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it("shows idle sessions that left RAM: in lists, by id, page by page, and takes appends to them", async () => {
    const fleet = await startFleet({
      groups: 4,
      env: { ...QUICK, FLEET_EVICT_IDLE_MS: "100", FLEET_CATCHUP_INTERVAL_MS: "60000" },
    });
    try {
      const { url, broker } = fleet.nodes[0]!;
      const ids = Array.from({ length: 9 }, (_, i) => `s${i}`);
      await createSessions(url, ids);
      for (const id of ids) {
        for (let n = 1; n <= 5; n++) {
          const path = `/api/sessions/${id}/messages`;
          await post(fleet, path, { user_id: "u", content: { n }, idempotency_key: `k${n}` });
        }
      }
      await until("all sessions have left RAM", async () => {
        const status = await broker.call<FleetStatus, object>("fleet.ops.status", {});
        return status.resident_sessions === 0;
      });
      const listed: string[] = [];
      for (let cursor = ""; ; ) {
        const { status, body } = await request(url, "GET", `/api/sessions?user_id=u&limit=2${cursor}`);
        assert.equal(status, 200);
        assert.equal(body.partial, false);
        listed.push(...body.sessions.map(({ id }: { id: string }) => id));
        if (body.next_cursor === null) break;
        cursor = `&cursor=${body.next_cursor}`;
      }
      assert.deepEqual(listed, ids.toReversed());

      const again = await post(
        fleet,
        "/api/sessions/s3/messages",
        { user_id: "u", content: { n: 5 }, idempotency_key: "k5" },
        1,
      );
      assert.deepEqual([again.status, again.body.deduped, again.body.message.seq], [200, true, 5]);
      const fresh = await post(fleet, "/api/sessions/s3/messages", { user_id: "u", content: { n: 6 } }, 2);
      assert.equal(fresh.body.message.seq, 6);
      for (const limit of [1, 4, 1000]) {
        const messages = await readAll(url, "s3", limit);
        assert.deepEqual(
          messages.map(({ seq, content }) => [seq, content.n]),
          [1, 2, 3, 4, 5, 6].map((n) => [n, n]),
        );
      }
      const { body } = await request(url, "GET", "/api/sessions/s7");
      assert.equal(body.session.last_seq, 5);
      assert.equal((await request(url, "GET", "/api/sessions/nobody")).status, 404);
    } finally {
      await fleet.stop();
    }
  });

  it("recovers from snapshots when the log no longer has its beginning", async () => {
    const databaseUrl = await freshDatabase();
    const dataDir = await mkdtemp(join(tmpdir(), "fleet-snapshots-"));
    const env = { ...QUICK, FLEET_SNAPSHOT_EVERY: "50" };
    try {
      const before = await startFleet({ groups: 2, dataDir, databaseUrl, env });
      const sessions = ["a", "b", "c"];
      await createSessions(before.nodes[0]!.url, sessions);
      const load = new Load(sessions, () => before.nodes.map(({ url }) => url));
      await until("every group has a snapshot", async () => {
        const rows = await execute(databaseUrl, "select distinct group_id from raft_snapshots");
        return rows.length === 2 && load.acknowledged > 300;
      });
      await load.stop();
      await before.stop();
      const after = await startFleet({ groups: 2, dataDir, databaseUrl, env });
      try {
        await load.verify(after.nodes[2]!.url);
        await archived(after, sessions);
        assert.deepEqual(after.halted, []);
      } finally {
        await after.stop();
      }
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it("is not ready over an empty log when the archive is of other data, and says so", async () => {
    const first = await startFleet({ nodes: 1, groups: 1, env: QUICK });
    await createSessions(first.nodes[0]!.url, ["s"]);
    await post(first, "/api/sessions/s/messages", { user_id: "u", content: {} });
    await archived(first, ["s"]);
    const { databaseUrl } = first;
    await first.stop();
    const start = startFleet({ nodes: 1, groups: 1, databaseUrl, readyWithinMs: 3000 });
    await assert.rejects(
      start,
      /not ready after 3 s: groups_recovering: group 0: its log is empty, and the archive holds its entries up to/,
    );
  });
});

describe("while Postgres is away", () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(async () => {
    await postgres.stop();
  });

  it("a fleet starts, is ready and takes appends; only what is not in RAM is refused", async () => {
    const fleet = await startFleet({ groups: 2, databaseUrl: UNREACHABLE });
    try {
      const { url } = fleet.nodes[0]!;
      const created = await post(fleet, "/api/sessions", { user_id: "u", agent_id: "a" });
      assert.equal(created.status, 201);
      const path = `/api/sessions/${created.body.session.id}/messages`;
      assert.equal((await post(fleet, path, { user_id: "u", content: {} })).status, 200);
      assert.equal((await request(url, "GET", "/health/ready")).status, 200);
      const unknown = await request(url, "GET", "/api/sessions/unknown");
      assert.deepEqual([unknown.status, unknown.body.code], [503, "archive_unavailable"]);
      const page = await request(url, "GET", "/api/sessions/unknown/messages");
      assert.deepEqual([page.status, page.body.code], [503, "archive_unavailable"]);
      const metrics = await (await fetch(`${url}/metrics`)).text();
      assert.match(metrics, /^fleet_archive_available 0$/m);
      assert.match(metrics, /^fleet_read_duration_seconds_count\{path="failed"\} 1$/m);
      const append = await post(fleet, "/api/sessions/unknown/messages", { user_id: "u", content: {} });
      assert.deepEqual([append.status, append.body.code], [503, "archive_unavailable"]);
      const list = await request(url, "GET", "/api/sessions?user_id=u");
      assert.deepEqual([list.body.partial, list.body.sessions.length], [true, 1]);
    } finally {
      await fleet.stop();
    }
  });

  for (const [how, fault] of [
    ["has crashed", () => postgres.crash()],
    ["answers nothing", () => postgres.pause()],
  ] as const) {
    it(`(it ${how}) no append fails, and later everything is archived`, async () => {
      const databaseUrl = await postgres.database();
      const fleet = await startFleet({ groups: 4, databaseUrl, env: QUICK });
      try {
        const { url } = fleet.nodes[0]!;
        const sessions = ["a", "b", "c"];
        await createSessions(url, sessions);
        const load = new Load(sessions, () => fleet.nodes.map((node) => node.url));
        await until("some is acknowledged", () => load.acknowledged > 50);
        const fails = fault();
        const before = load.acknowledged;
        await until("much more is acknowledged", () => load.acknowledged > before + 300);
        await fails;
        postgres.resume();
        await load.stop();
        assert.equal(load.refusals, 0);
        assert.deepEqual(load.doubts, []);
        await load.verify(url);
        await archived(fleet, sessions);
      } finally {
        postgres.resume();
        await fleet.stop();
      }
    });
  }
});
