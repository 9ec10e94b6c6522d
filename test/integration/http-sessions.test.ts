/** @module The session routes of the HTTP API, on a real fleet. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { type Answer, request } from "../helpers/http.ts";

describe("The session routes", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet();
  });
  after(() => fleet?.stop());

  const call = (method: string, path: string, body?: unknown, node = 0): Promise<Answer> =>
    request(fleet.nodes[node]!.url, method, path, body);
  const create = (body: object): Promise<Answer> => call("POST", "/api/sessions", body);
  const unique = (): string => randomUUID();

  function assertError(answer: Answer, status: number, code: string): void {
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
    assert.equal(typeof answer.body.error, "string");
  }

  describe("POST /api/sessions", () => {
    it("creates a session with a generated id, and says where it is", async () => {
      const { status, body, headers } = await create({ user_id: "u", agent_id: "a", metadata: { n: [1] } });
      assert.equal(status, 201);
      assert.deepEqual(Object.keys(body), ["session"]);
      const { id, inserted_at, updated_at, ...rest } = body.session;
      assert.match(id, /^[\w-]{22}$/);
      assert.match(inserted_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      assert.equal(updated_at, inserted_at);
      assert.deepEqual(rest, {
        user_id: "u",
        agent_id: "a",
        status: "active",
        metadata: { n: [1] },
        last_seq: 0,
        dispatch: { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null },
      });
      assert.equal(headers.get("location"), `/api/sessions/${id}`);
    });

    it("answers 200 with the session that is there when the id has the same participants", async () => {
      const id = unique();
      const first = await create({ id, user_id: "u", agent_id: "a", metadata: { first: true } });
      const second = await create({ id, user_id: "u", agent_id: "a", metadata: { first: false } });
      assert.deepEqual([first.status, second.status], [201, 200]);
      assert.deepEqual(second.body, first.body);
    });

    it("answers 409 session_exists when the id has other participants", async () => {
      const id = unique();
      await create({ id, user_id: "u", agent_id: "a" });
      assertError(await create({ id, user_id: "u", agent_id: "other" }), 409, "session_exists");
      assertError(await create({ id, user_id: "other", agent_id: "a" }), 409, "session_exists");
    });

    it("refuses a user who is the agent: a message's sender would be unclear", async () => {
      assertError(await create({ user_id: "same", agent_id: "same" }), 422, "invalid_session");
    });

    it("ignores fields that it does not know", async () => {
      const { status, body } = await create({ user_id: "u", agent_id: "a", status: "archived", last_seq: 9 });
      assert.equal(status, 201);
      assert.deepEqual([body.session.status, body.session.last_seq], ["active", 0]);
    });

    it("takes ids of 255 bytes with any characters but control characters", async () => {
      const user_id = `${"é".repeat(126)}/%?`;
      assert.equal(Buffer.byteLength(user_id), 255);
      assert.equal((await create({ user_id, agent_id: "😀 #&=" })).status, 201);
    });

    const good = { user_id: "u", agent_id: "a" };
    for (const [what, body] of [
      ["an empty object", {}],
      ["no user_id", { agent_id: "a" }],
      ["no agent_id", { user_id: "u" }],
      ["a user_id that is a number", { ...good, user_id: 1 }],
      ["a user_id that is null", { ...good, user_id: null }],
      ["a user_id that is a list", { ...good, user_id: ["u"] }],
      ["an empty user_id", { ...good, user_id: "" }],
      ["a user_id of 256 bytes", { ...good, user_id: "é".repeat(128) }],
      ["a user_id with a control character", { ...good, user_id: "a\u0007b" }],
      ["a user_id with U+0000", { ...good, user_id: "a\u0000b" }],
      ["a user_id with a lone surrogate", { ...good, user_id: "a\ud800" }],
      ["an agent_id with a line break", { ...good, agent_id: "a\n" }],
      ["an agent_id that is an object", { ...good, agent_id: {} }],
      ["metadata that is null", { ...good, metadata: null }],
      ["metadata that is a list", { ...good, metadata: [] }],
      ["metadata that is a string", { ...good, metadata: "x" }],
      ["metadata with U+0000", { ...good, metadata: { deep: [{ x: "\u0000" }] } }],
      ["metadata with U+0000 in a key", { ...good, metadata: { "a\u0000": 1 } }],
      ["metadata with a lone surrogate", { ...good, metadata: { x: "\udc00" } }],
      ["an id that is null", { ...good, id: null }],
      ["an id with a dot", { ...good, id: "a.b" }],
      ["an id of 65 characters", { ...good, id: "x".repeat(65) }],
      ["an empty id", { ...good, id: "" }],
      ["an id that is a number", { ...good, id: 7 }],
      ["a list", [good]],
      ["null", null],
      ["a string", "text"],
      ["a number", 5],
    ] as const) {
      it(`answers 422 invalid_session to ${what}`, async () => {
        assertError(await call("POST", "/api/sessions", body), 422, "invalid_session");
      });
    }

    it("answers 422 when nothing is sent", async () => {
      assertError(await call("POST", "/api/sessions"), 422, "invalid_session");
    });

    it("answers 413 content_too_large to metadata over 64 KiB", async () => {
      const metadata = { x: "x".repeat(65_536) };
      assertError(await create({ ...good, metadata }), 413, "content_too_large");
    });
  });

  describe("GET /api/sessions/:id", () => {
    it("shows the session, the same on every node", async () => {
      const { body } = await create({ id: unique(), user_id: "u", agent_id: "a" });
      const { id } = body.session;
      for (const node of fleet.nodes.keys()) {
        const shown = await call("GET", `/api/sessions/${id}`, undefined, node);
        assert.equal(shown.status, 200);
        assert.deepEqual(shown.body, body);
      }
    });

    for (const id of ["unknown", "a%2Fb", "%00", "x".repeat(300), "a.b", "%F0%9F%98%80", "__proto__"]) {
      it(`answers 404 session_not_found to the id ${id.slice(0, 20)}`, async () => {
        assertError(await call("GET", `/api/sessions/${id}`), 404, "session_not_found");
      });
    }
  });

  describe("DELETE /api/sessions/:id", () => {
    it("archives the session with 204 and no body, once or more often", async () => {
      const id = unique();
      await create({ id, user_id: "u", agent_id: "a" });
      for (const node of [0, 1, 2]) {
        const response = await fetch(`${fleet.nodes[node]!.url}/api/sessions/${id}`, { method: "DELETE" });
        assert.equal(response.status, 204);
        assert.equal(await response.text(), "");
        assert.equal(response.headers.get("content-type"), null);
      }
      const { body } = await call("GET", `/api/sessions/${id}`);
      assert.equal(body.session.status, "archived");
    });

    it("answers 404 for a session that does not exist", async () => {
      assertError(await call("DELETE", "/api/sessions/none"), 404, "session_not_found");
    });
  });

  describe("GET /api/sessions", () => {
    it("lists a user's sessions, newest first, archived ones included, on every node", async () => {
      const user_id = unique();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        const { body } = await create({ user_id, agent_id: `a${i}` });
        ids.unshift(body.session.id);
      }
      await call("DELETE", `/api/sessions/${ids[1]}`);
      for (const node of fleet.nodes.keys()) {
        const { status, body } = await call("GET", `/api/sessions?user_id=${user_id}`, undefined, node);
        assert.equal(status, 200);
        const { sessions } = body;
        assert.deepEqual(
          sessions.map(({ id }) => id),
          ids,
        );
        assert.deepEqual(
          sessions.map(({ status }) => status),
          ["active", "archived", "active", "active", "active"],
        );
        assert.deepEqual([body.next_cursor, body.partial], [null, false]);
      }
    });

    it("answers an empty list for a user without sessions", async () => {
      const { status, body } = await call("GET", `/api/sessions?user_id=${unique()}`);
      assert.equal(status, 200);
      assert.deepEqual(body, { sessions: [], next_cursor: null, partial: false });
    });

    it("pages with limit and cursor over exactly the sessions there are", async () => {
      const user_id = unique();
      for (let i = 0; i < 7; i++) await create({ user_id, agent_id: "a" });
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const { status, body } = await call("GET", `/api/sessions?user_id=${user_id}&limit=3${next}`);
        assert.equal(status, 200);
        const { sessions } = body;
        assert.ok(sessions.length <= 3);
        seen.push(...sessions.map(({ id }) => id));
        cursor = body.next_cursor;
      } while (cursor !== null);
      assert.equal(seen.length, 7);
      assert.equal(new Set(seen).size, 7);
    });

    it("shows at most 50 at once", async () => {
      const user_id = unique();
      await Promise.all(Array.from({ length: 52 }, () => create({ user_id, agent_id: "a" })));
      const { body } = await call("GET", `/api/sessions?user_id=${user_id}`);
      assert.equal(body.sessions.length, 50);
      assert.equal(typeof body.next_cursor, "string");
    });

    it("filters by status", async () => {
      const user_id = unique();
      const gone = await create({ user_id, agent_id: "a" });
      const kept = await create({ user_id, agent_id: "b" });
      const idOf = (answer: Answer) => answer.body.session.id;
      await call("DELETE", `/api/sessions/${idOf(gone)}`);
      for (const [status, id] of [
        ["archived", idOf(gone)],
        ["active", idOf(kept)],
      ]) {
        const { body } = await call("GET", `/api/sessions?user_id=${user_id}&status=${status}`);
        assert.deepEqual(
          body.sessions.map((session) => session.id),
          [id],
        );
      }
    });

    it("finds a user by an id that needs encoding", async () => {
      const user_id = `a b+c/ü😀&=${unique()}`;
      await create({ user_id, agent_id: "a" });
      const { body } = await call("GET", `/api/sessions?user_id=${encodeURIComponent(user_id)}`);
      assert.equal(body.sessions.length, 1);
    });

    for (const query of [
      "",
      "?",
      "?user_id=",
      "?user_id=%00",
      "?user_id=%zz",
      "?user_id=%ff",
      "?user_id=u&user_id=v",
      `?user_id=${"x".repeat(256)}`,
      "?user_id=u&status=gone",
      "?user_id=u&status=",
      "?user_id=u&limit=0",
      "?user_id=u&limit=51",
      "?user_id=u&limit=-1",
      "?user_id=u&limit=x",
      "?user_id=u&limit=1.0",
      "?user_id=u&cursor=nonsense",
      "?user_id=u&cursor=",
      "?user_id[]=u",
      "?user_id[x]=u",
    ]) {
      it(`answers 400 invalid_parameter to "${query.slice(0, 40)}"`, async () => {
        assertError(await call("GET", `/api/sessions${query}`), 400, "invalid_parameter");
      });
    }
  });

  describe("POST /api/sessions/:id/read", () => {
    let id: string;
    before(async () => {
      id = unique();
      await create({ id, user_id: "u", agent_id: "a" });
      for (const sender of ["agent_id", "user_id", "agent_id", "agent_id"]) {
        const body = { [sender]: sender[0], content: {} };
        assert.equal((await call("POST", `/api/sessions/${id}/messages`, body)).status, 200);
      }
    });
    const read = (body?: unknown) => call("POST", `/api/sessions/${id}/read`, body);

    it("answers the session and the cursor with the exact unread count", async () => {
      const { status, body } = await read({ user_id: "u" });
      assert.equal(status, 200);
      assert.deepEqual(body.cursor, { user_id: "u", last_seq: 0, unread_count: 3 });
      assert.equal(body.session.id, id);
    });

    it("never moves the cursor back, nor beyond the last message", async () => {
      for (const [last_seq, cursor, unread_count] of [
        [3, 3, 1],
        [1, 3, 1],
        [99, 4, 0],
        [0, 4, 0],
      ] as const) {
        const { body } = await read({ user_id: "u", last_seq });
        assert.deepEqual(body.cursor, { user_id: "u", last_seq: cursor, unread_count });
      }
    });

    it("answers 403 not_participant to anybody but the user", async () => {
      assertError(await read({ user_id: "stranger" }), 403, "not_participant");
      assertError(await read({ user_id: "a" }), 403, "not_participant");
    });

    it("answers 404 for a session that does not exist", async () => {
      const answer = await call("POST", "/api/sessions/none/read", { user_id: "u" });
      assertError(answer, 404, "session_not_found");
    });

    for (const [what, body] of [
      ["no body", undefined],
      ["no user_id", {}],
      ["a user_id that is a number", { user_id: 1 }],
      ["a user_id with a control character", { user_id: "\u001b" }],
      ["a negative last_seq", { user_id: "u", last_seq: -1 }],
      ["a last_seq that is a fraction", { user_id: "u", last_seq: 1.5 }],
      ["a last_seq that is a string", { user_id: "u", last_seq: "1" }],
      ["a last_seq that is null", { user_id: "u", last_seq: null }],
      ["a list", []],
      ["null", null],
    ] as const) {
      it(`answers 422 invalid_read to ${what}`, async () => {
        assertError(await read(body), 422, "invalid_read");
      });
    }
  });
});
