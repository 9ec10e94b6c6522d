/** @module Lists of sessions over a real archive: rows that left RAM, rows that are old, and a Postgres that is away. */
import assert from "node:assert/strict";
import { microsOf } from "../../lib/clock.ts";
import type { SessionRow } from "../../services/conversations/archive/rows.ts";
import { type ArchiveStore, openArchive } from "../../services/conversations/archive/store.ts";
import type { Session } from "../../services/conversations/contract.ts";
import { batch, sessionRow, T0 } from "../helpers/archive.ts";
import { UNREACHABLE } from "../helpers/database.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { type Body, request } from "../helpers/http.ts";
import { startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

/** What a test puts into the archive stays as it is. */
const NO_FLUSH = { FLEET_FLUSH_INTERVAL_MS: "3600000" };

let users = 0;

describe("The list of a user's sessions", () => {
  let fleet: TestFleet;
  let store: ArchiveStore;
  let user: string;

  before(async () => {
    fleet = await startFleet({ groups: 8, env: NO_FLUSH });
    store = openArchive({ url: fleet.databaseUrl, poolSize: 2 });
  });
  after(async () => {
    await store.close();
    await fleet.stop();
  });
  beforeEach(() => {
    users += 1;
    user = `u${users}`;
  });

  async function list(query = "", node = 0): Promise<Body> {
    const path = `/api/sessions?user_id=${user}${query}`;
    const { status, body } = await request(fleet.nodes[node]!.url, "GET", path);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }
  const ids = (body: Body) => body.sessions.map(({ id }) => id);

  async function create(id: string): Promise<Session> {
    const body = { id: `${user}-${id}`, user_id: user, agent_id: "a" };
    return (await request(fleet.nodes[0]!.url, "POST", "/api/sessions", body)).body.session;
  }

  /** Writes rows as a leader's archiver would; `id` is completed by the user's. */
  async function archive(rows: readonly Partial<SessionRow>[]): Promise<void> {
    const sessions = rows.map((row) => sessionRow({ ...row, user, id: `${user}-${row.id}` }));
    await store.writeBatch(batch({ sessions }));
  }

  it("shows sessions that are only in the archive, on every node, as they were archived", async () => {
    await archive([
      { id: "old", insertedAt: T0, updatedAt: T0 + 5, lastSeq: 12, metadata: { topic: "x" } },
      { id: "older", insertedAt: T0 - 1, status: "archived" },
    ]);
    const resident = await create("new");
    for (const node of [0, 1, 2]) {
      const body = await list("", node);
      assert.deepEqual(ids(body), [resident.id, `${user}-old`, `${user}-older`]);
      assert.deepEqual([body.partial, body.next_cursor], [false, null]);
      const [, old] = body.sessions;
      assert.deepEqual([old?.last_seq, old?.metadata, old?.status], [12, { topic: "x" }, "active"]);
      assert.equal(old?.inserted_at, "2026-01-02T03:04:05.678901Z");
    }
    assert.deepEqual(ids(await list("&status=archived")), [`${user}-older`]);
    assert.deepEqual(ids(await list("&status=active")), [resident.id, `${user}-old`]);
  });

  it("believes a resident session over an older row of the archive, whatever status is asked for", async () => {
    const session = await create("s");
    const { id } = session;
    await archive([{ id: "s", insertedAt: microsOf(session.inserted_at)!, agent: "a", lastSeq: 0 }]);
    await request(fleet.nodes[1]!.url, "POST", `/api/sessions/${id}/messages`, {
      user_id: user,
      content: { n: 1 },
    });
    const active = await list("&status=active");
    assert.deepEqual(
      active.sessions.map(({ last_seq }) => last_seq),
      [1],
    );
    await request(fleet.nodes[2]!.url, "DELETE", `/api/sessions/${id}`);
    assert.deepEqual(ids(await list("&status=active")), []);
    for (const query of ["&status=archived", ""]) {
      const { sessions } = await list(query);
      assert.deepEqual(
        sessions.map(({ status, last_seq }) => [status, last_seq]),
        [["archived", 1]],
      );
    }
  });

  it("pages over archive and RAM with every limit, each session exactly once", async () => {
    const residents: Session[] = [];
    for (let i = 0; i < 5; i++) residents.push(await create(`r${i}`));
    // Some resident ones are in the archive too; two of them were archived since.
    await archive(
      residents
        .slice(0, 4)
        .map(({ inserted_at }, i) => ({ id: `r${i}`, insertedAt: microsOf(inserted_at)! })),
    );
    for (const { id } of residents.slice(1, 3)) {
      await request(fleet.nodes[0]!.url, "DELETE", `/api/sessions/${id}`);
    }
    // Three of one time, which only their ids put in order.
    await archive([0, 0, 0, 1, 2, 3].map((after, i) => ({ id: `a${i}`, insertedAt: T0 + after })));
    const newestFirst = ["r4", "r3", "r2", "r1", "r0", "a5", "a4", "a3", "a2", "a1", "a0"];
    for (const [query, expected] of [
      ["", newestFirst],
      ["&status=active", newestFirst.filter((id) => id !== "r1" && id !== "r2")],
      ["&status=archived", ["r2", "r1"]],
    ] as const) {
      for (let limit = 1; limit <= newestFirst.length + 1; limit++) {
        const seen: string[] = [];
        for (let cursor = ""; ; ) {
          const body = await list(`${query}&limit=${limit}${cursor}`);
          assert.ok(body.sessions.length <= limit);
          assert.ok(body.sessions.length > 0 || body.next_cursor === null);
          seen.push(...ids(body));
          if (body.next_cursor === null) break;
          cursor = `&cursor=${body.next_cursor}`;
        }
        assert.deepEqual(
          seen,
          expected.map((id) => `${user}-${id}`),
          `${query} limit ${limit}`,
        );
      }
    }
  });

  it("refuses a cursor that was made up", async () => {
    for (const made of [
      ["2026", "s"],
      ["2026-01-02T03:04:05.678901Z", "a\u0000b"],
      ["2026-01-02T03:04:05.678901Z"],
    ]) {
      const cursor = Buffer.from(JSON.stringify(made)).toString("base64url");
      const path = `/api/sessions?user_id=${user}&cursor=${cursor}`;
      const { status, body } = await request(fleet.nodes[0]!.url, "GET", path);
      assert.deepEqual([status, body.code], [400, "invalid_parameter"]);
    }
  });
});

describe("The list of a user's sessions without the archive", () => {
  let postgres: TestPostgres;
  let fleet: TestFleet | null;

  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());
  beforeEach(() => {
    fleet = null;
  });
  afterEach(async () => {
    postgres.resume();
    await fleet?.stop();
  });

  const list = async () => {
    const { status, body } = await request(fleet!.nodes[0]!.url, "GET", "/api/sessions?user_id=u");
    assert.equal(status, 200, JSON.stringify(body));
    return { ids: body.sessions.map(({ id }) => id), partial: body.partial };
  };

  it("is partial, holds the resident ones and comes soon while Postgres does not answer, and is whole after it", async () => {
    fleet = await startFleet({ groups: 4, databaseUrl: await postgres.database(), env: NO_FLUSH });
    const [node] = fleet.nodes;
    await until("the archive is asked", async () => !(await list()).partial);
    const body = { id: "s", user_id: "u", agent_id: "a" };
    await request(node!.url, "POST", "/api/sessions", body);
    assert.deepEqual(await list(), { ids: ["s"], partial: false });
    await postgres.pause();
    for (let i = 0; i < 3; i++) {
      const began = performance.now();
      assert.deepEqual(await list(), { ids: ["s"], partial: true });
      assert.ok(performance.now() - began < 4000, "a paused Postgres delays the answer by about a second");
    }
    postgres.resume();
    await until("it is whole again", async () => !(await list()).partial);
  });

  it("is partial when there is no Postgres at its address", async () => {
    fleet = await startFleet({ nodes: 1, groups: 4, databaseUrl: UNREACHABLE });
    assert.deepEqual(await list(), { ids: [], partial: true });
  });
});
