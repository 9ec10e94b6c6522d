/** @module The message routes of the HTTP API, on a real fleet. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Message } from "../../services/conversations/contract.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { type Answer, request } from "../helpers/http.ts";
import { rawRequest } from "../helpers/raw-http.ts";

const KIB = 1024;

describe("The message routes", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet();
  });
  after(() => fleet?.stop());

  const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>, node = 0) =>
    request(fleet.nodes[node]!.url, method, path, body, headers);
  const append = (id: string, body?: unknown, headers?: Record<string, string>, node = 0) =>
    call("POST", `/api/sessions/${id}/messages`, body, headers, node);
  const list = (id: string, query = "", node = 0) =>
    call("GET", `/api/sessions/${id}/messages${query}`, undefined, {}, node);

  async function session(): Promise<string> {
    const id = randomUUID();
    const { status } = await call("POST", "/api/sessions", { id, user_id: "u", agent_id: "a" });
    assert.equal(status, 201);
    return id;
  }
  async function sessionWith(count: number): Promise<string> {
    const id = await session();
    for (let n = 1; n <= count; n++) await append(id, { user_id: "u", content: { n } });
    return id;
  }
  const messageOf = (answer: Answer): Message => answer.body.message;
  const messagesOf = (answer: Answer): readonly Message[] => answer.body.messages;
  const seqsOf = (answer: Answer): number[] => messagesOf(answer).map(({ seq }) => seq);

  function assertError(answer: Answer, status: number, code: string): void {
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
    assert.equal(typeof answer.body.error, "string");
  }

  describe("POST /api/sessions/:id/messages", () => {
    it("answers 200 with the stored message", async () => {
      const id = await session();
      const answer = await append(id, { user_id: "u", content: { text: "hi" } });
      assert.equal(answer.status, 200);
      assert.deepEqual(Object.keys(answer.body), ["message", "deduped"]);
      assert.equal(answer.body.deduped, false);
      const { id: messageId, inserted_at, ...rest } = messageOf(answer);
      assert.match(messageId, /^[\w-]{22}$/);
      assert.match(inserted_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      assert.deepEqual(rest, {
        session_id: id,
        seq: 1,
        sender_id: "u",
        kind: "text",
        content: { text: "hi" },
        metadata: {},
      });
    });

    it("stores kind, metadata and the agent as sender, as they were sent, on every node", async () => {
      const id = await session();
      const content = { "": [null, true, 1e-7, "ü\u0007😀"], nested: { a: { b: [] } }, n: -0.5 };
      const body = { agent_id: "a", kind: "tool-call", content, metadata: { trace: "t" } };
      const sent = messageOf(await append(id, body, {}, 1));
      assert.deepEqual([sent.sender_id, sent.kind, sent.metadata], ["a", "tool-call", { trace: "t" }]);
      for (const node of fleet.nodes.keys()) {
        assert.deepEqual(messagesOf(await list(id, "", node)), [sent]);
      }
    });

    it("numbers the messages of any node 1, 2, 3 without holes", async () => {
      const id = await session();
      await Promise.all(
        Array.from({ length: 60 }, (_, i) => append(id, { user_id: "u", content: { i } }, {}, i % 3)),
      );
      assert.deepEqual(
        seqsOf(await list(id, "?limit=100")),
        Array.from({ length: 60 }, (_, i) => i + 1),
      );
    });

    it("reads bodies as JSON whatever content type they have", async () => {
      const id = await session();
      const text = `{"user_id":"u","content":{"text":"ünïcödé"}}`;
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "a/b; charset=latin1",
        ";",
        "é",
      ]) {
        const head = [
          `POST /api/sessions/${id}/messages HTTP/1.1`,
          "host: x",
          `content-type: ${type}`,
          `content-length: ${Buffer.byteLength(text)}`,
        ];
        const answer = await rawRequest(fleet.nodes[0]!.url, `${head.join("\r\n")}\r\n\r\n${text}`);
        assert.equal(answer.status, 200, type);
        assert.equal(JSON.parse(answer.text).message.content.text, "ünïcödé");
      }
    });

    describe("with an idempotency key", () => {
      it("answers the original message with deduped, and does not compare bodies", async () => {
        const id = await session();
        const key = { "Idempotency-Key": "k1" };
        const first = await append(id, { user_id: "u", content: { first: true } }, key);
        const again = await append(id, { user_id: "u", content: { first: false } }, key, 2);
        assert.deepEqual(again.body, { message: messageOf(first), deduped: true });
        assert.equal((await list(id)).body.last_seq, 1);
      });

      it("takes it from the header, the body, or both when they are equal", async () => {
        const id = await session();
        const body = { user_id: "u", content: {}, idempotency_key: "schlüssel" };
        // Headers are bytes: clients send UTF-8.
        const header = { "Idempotency-Key": Buffer.from("schlüssel").toString("latin1") };
        const { idempotency_key: _, ...keyless } = body;
        const answers = [
          await append(id, body),
          await append(id, body, header),
          await append(id, keyless, header),
        ];
        assert.deepEqual(
          answers.map(({ status, body }) => [status, body.deduped]),
          [
            [200, false],
            [200, true],
            [200, true],
          ],
        );
      });

      it("dedupes for an archived session too, where anything else is 409", async () => {
        const id = await session();
        const body = { user_id: "u", content: {}, idempotency_key: "k", expected_seq: 0 };
        const first = await append(id, body);
        await call("DELETE", `/api/sessions/${id}`);
        assert.deepEqual((await append(id, body)).body, { message: messageOf(first), deduped: true });
        assertError(await append(id, { ...body, idempotency_key: "other" }), 409, "session_archived");
      });
    });

    describe("with expected_seq", () => {
      it("appends when it is the last seq, and else answers 409 with last_seq", async () => {
        const id = await session();
        const at = (expected_seq: number) => append(id, { user_id: "u", content: {}, expected_seq });
        assert.equal((await at(0)).status, 200);
        const conflict = await at(0);
        assertError(conflict, 409, "expected_seq_conflict");
        assert.equal(conflict.body.last_seq, 1);
        assert.equal((await at(1)).status, 200);
      });

      it("lets exactly one of many racing appends through", async () => {
        const id = await session();
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, i) =>
            append(id, { user_id: "u", content: { i }, expected_seq: 0 }, {}, i % 3),
          ),
        );
        assert.equal(answers.filter(({ status }) => status === 200).length, 1);
        assert.equal(answers.filter(({ status }) => status === 409).length, 11);
      });
    });

    const good = { user_id: "u", content: {} };
    const badShapes: (readonly [string, unknown])[] = [
      ["no body", undefined],
      ["an empty object", {}],
      ["a list", [good]],
      ["null", null],
      ["a string", "x"],
      ["false", false],
      ["no sender", { content: {} }],
      ["two senders", { user_id: "u", agent_id: "a", content: {} }],
      ["sender_id", { ...good, sender_id: "u" }],
      ["sender_id alone", { sender_id: "u", content: {} }],
      ["a user_id that is null", { user_id: null, content: {} }],
      ["a user_id that is null beside an agent_id", { user_id: null, agent_id: "a", content: {} }],
      ["a user_id that is a number", { user_id: 1, content: {} }],
      ["an empty user_id", { user_id: "", content: {} }],
      ["a user_id of 256 bytes", { user_id: "x".repeat(256), content: {} }],
      ["a user_id with a control character", { user_id: "u\u0085", content: {} }],
      ["an agent_id that is a boolean", { agent_id: true, content: {} }],
      ["no content", { user_id: "u" }],
      ["content that is null", { ...good, content: null }],
      ["content that is a string", { ...good, content: "hi" }],
      ["content that is a list", { ...good, content: [] }],
      ["content that is a number", { ...good, content: 0 }],
      ["content with U+0000", { ...good, content: { text: "a\u0000b" } }],
      ["content with U+0000 in a key", { ...good, content: { deep: [{ "\u0000": 1 }] } }],
      ["content with a lone high surrogate", { ...good, content: { text: "\ud83d" } }],
      ["content with a lone low surrogate", { ...good, content: { text: "\ude00x" } }],
      ["metadata that is null", { ...good, metadata: null }],
      ["metadata that is a list", { ...good, metadata: [] }],
      ["metadata that is a string", { ...good, metadata: "{}" }],
      ["metadata with U+0000", { ...good, metadata: { a: "\u0000" } }],
      ["an empty kind", { ...good, kind: "" }],
      ["a kind that is null", { ...good, kind: null }],
      ["a kind that is a number", { ...good, kind: 1 }],
      ["a kind with U+0000", { ...good, kind: "\u0000" }],
      ["a kind with a lone surrogate", { ...good, kind: "\ud800" }],
      ["an empty idempotency_key", { ...good, idempotency_key: "" }],
      ["an idempotency_key that is null", { ...good, idempotency_key: null }],
      ["an idempotency_key that is a number", { ...good, idempotency_key: 7 }],
      ["an idempotency_key of 256 bytes", { ...good, idempotency_key: "é".repeat(128) }],
      ["a reserved idempotency_key", { ...good, idempotency_key: "fleetport:1:1" }],
      ["an idempotency_key with U+0000", { ...good, idempotency_key: "\u0000" }],
      ["a negative expected_seq", { ...good, expected_seq: -1 }],
      ["an expected_seq that is a fraction", { ...good, expected_seq: 0.5 }],
      ["an expected_seq that is a string", { ...good, expected_seq: "0" }],
      ["an expected_seq that is null", { ...good, expected_seq: null }],
    ];
    for (const [what, body] of badShapes) {
      it(`answers 422 invalid_message to ${what}`, async () => {
        const id = await session();
        assertError(await append(id, body), 422, "invalid_message");
        assert.equal((await list(id)).body.last_seq, 0);
      });
    }

    for (const [what, key, body] of [
      ["an Idempotency-Key header that differs from the body's key", "k", { idempotency_key: "other" }],
      ["an Idempotency-Key header beside a key that is null", "k", { idempotency_key: null }],
      ["an empty Idempotency-Key header", "", {}],
      ["an Idempotency-Key header of 256 bytes", "x".repeat(256), {}],
      ["a reserved Idempotency-Key header", "fleetport:x", {}],
    ] as const) {
      it(`answers 422 invalid_message to ${what}`, async () => {
        const answer = await append(await session(), { ...good, ...body }, { "Idempotency-Key": key });
        assertError(answer, 422, "invalid_message");
      });
    }

    it("answers 422 to content that is nested 5,000 levels deep, and lives on", async () => {
      const id = await session();
      const { url } = fleet.nodes[0]!;
      const deep = `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`;
      const response = await fetch(`${url}/api/sessions/${id}/messages`, {
        method: "POST",
        body: `{"user_id":"u","content":${deep}}`,
      });
      assert.equal(response.status, 422);
      assert.equal((await append(id, good)).status, 200);
    });

    it("stores content of exactly 256 KiB and metadata of exactly 64 KiB", async () => {
      const id = await session();
      const content = { x: "x".repeat(256 * KIB - 8) };
      const metadata = { x: "x".repeat(64 * KIB - 8) };
      assert.equal(JSON.stringify(content).length, 256 * KIB);
      const answer = await append(id, { user_id: "u", content, metadata });
      assert.equal(answer.status, 200);
      const [stored] = messagesOf(await list(id));
      assert.deepEqual([stored?.content, stored?.metadata], [content, metadata]);
    });

    it("answers 413 content_too_large to one byte more, counted in bytes of UTF-8", async () => {
      const id = await session();
      const content = { x: "x".repeat(256 * KIB - 7) };
      assertError(await append(id, { user_id: "u", content }), 413, "content_too_large");
      const metadata = { x: "é".repeat(32 * KIB) };
      assertError(await append(id, { ...good, metadata }), 413, "content_too_large");
    });

    it("answers 404 session_not_found for ids that no session has", async () => {
      for (const id of ["none", "a.b", "%00", "x".repeat(300), "a%2F..%2Fb", "%F0%9F%98%80"]) {
        assertError(await append(id, good), 404, "session_not_found");
      }
    });

    it("answers 403 not_participant to others, and to a participant in the other's role", async () => {
      const id = await session();
      for (const sender of [{ user_id: "stranger" }, { user_id: "a" }, { agent_id: "u" }]) {
        assertError(await append(id, { ...sender, content: {} }), 403, "not_participant");
      }
    });

    it("decides in the contract's order", async () => {
      const id = await session();
      await append(id, { ...good, idempotency_key: "used" });
      await call("DELETE", `/api/sessions/${id}`);
      const large = { x: "x".repeat(257 * KIB) };
      for (const [target, body, status, code] of [
        // Each line is wrong in everything that the lines below it are wrong in.
        ["none", { user_id: "stranger", content: large, kind: 1, expected_seq: 9 }, 422, "invalid_message"],
        ["none", { user_id: "stranger", content: large, expected_seq: 9 }, 413, "content_too_large"],
        ["none", { user_id: "stranger", content: {}, expected_seq: 9 }, 404, "session_not_found"],
        [
          id,
          { user_id: "stranger", content: {}, expected_seq: 9, idempotency_key: "used" },
          403,
          "not_participant",
        ],
        [id, { user_id: "u", content: {}, expected_seq: 9 }, 409, "session_archived"],
      ] as const) {
        assertError(await append(target, body), status, code);
      }
      const deduped = await append(id, { ...good, expected_seq: 9, idempotency_key: "used" });
      assert.deepEqual([deduped.status, deduped.body.deduped], [200, true]);
    });
  });

  describe("GET /api/sessions/:id/messages", () => {
    let id: string;
    before(async () => {
      id = await sessionWith(7);
    });

    it("answers from the first message, with last_seq and has_more, on every node", async () => {
      for (const node of fleet.nodes.keys()) {
        const answer = await list(id, "", node);
        assert.equal(answer.status, 200);
        assert.deepEqual(Object.keys(answer.body).sort(), ["has_more", "last_seq", "messages"]);
        assert.deepEqual(seqsOf(answer), [1, 2, 3, 4, 5, 6, 7]);
        assert.deepEqual([answer.body.last_seq, answer.body.has_more], [7, false]);
      }
    });

    for (const limit of [1, 2, 3, 6, 7, 8, 1000]) {
      it(`gives exactly 1..7 in pages of ${limit}`, async () => {
        const seen: number[] = [];
        for (let more = true; more; ) {
          const answer = await list(id, `?after_seq=${seen.length}&limit=${limit}`);
          assert.ok(seqsOf(answer).length <= limit);
          seen.push(...seqsOf(answer));
          more = answer.body.has_more;
        }
        assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7]);
      });
    }

    it("answers the last ones with tail, ascending; has_more tells of earlier ones", async () => {
      for (const [tail, seqs, more] of [
        [1, [7], true],
        [3, [5, 6, 7], true],
        [7, [1, 2, 3, 4, 5, 6, 7], false],
        [1000, [1, 2, 3, 4, 5, 6, 7], false],
      ] as const) {
        const answer = await list(id, `?tail=${tail}`);
        assert.deepEqual(seqsOf(answer), seqs);
        assert.deepEqual([answer.body.last_seq, answer.body.has_more], [7, more]);
      }
    });

    it("answers nothing behind the end, or in an empty session", async () => {
      for (const [target, query, last_seq] of [
        [id, "?after_seq=7", 7],
        [id, "?after_seq=9007199254740991", 7],
        [await session(), "", 0],
        [await session(), "?tail=5", 0],
      ] as const) {
        assert.deepEqual((await list(target, query)).body, { messages: [], last_seq, has_more: false });
      }
    });

    it("gives 50 messages when nothing is said", async () => {
      const long = await session();
      await Promise.all(Array.from({ length: 55 }, () => append(long, { user_id: "u", content: {} })));
      const answer = await list(long);
      assert.equal(messagesOf(answer).length, 50);
      assert.equal(answer.body.has_more, true);
    });

    it("ends a page early at 8 MiB", async () => {
      const heavy = await session();
      const content = { x: "x".repeat(250 * KIB) };
      for (let n = 0; n < 40; n++) await append(heavy, { user_id: "u", content });
      const first = await list(heavy, "?limit=1000");
      const count = seqsOf(first).length;
      assert.ok(count > 25 && count < 35, `${count} messages`);
      assert.equal(first.body.has_more, true);
      const rest = await list(heavy, `?after_seq=${count}&limit=1000`);
      assert.deepEqual(
        [...seqsOf(first), ...seqsOf(rest)],
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    });

    it("shows an acknowledged message at once, on every node", async () => {
      const target = await session();
      for (let n = 1; n <= 9; n++) {
        await append(target, { user_id: "u", content: { n } }, {}, n % 3);
        assert.equal((await list(target, "", (n + 1) % 3)).body.last_seq, n);
      }
    });

    for (const query of [
      "?after_seq=abc",
      "?after_seq=",
      "?after_seq=-1",
      "?after_seq=1.5",
      "?after_seq=99999999999999999999",
      "?after_seq=1&after_seq=2",
      "?limit=0",
      "?limit=1001",
      "?limit=-5",
      "?limit=ten",
      "?limit=%zz",
      "?tail=0",
      "?tail=1001",
      "?tail=x",
      "?tail=5&limit=5",
      "?tail=5&after_seq=0",
      "?tail=5&limit=5&after_seq=0",
    ]) {
      it(`answers 400 to "${query}"`, async () => {
        assertError(await list(id, query), 400, "invalid_parameter");
      });
    }

    it("ignores parameters that it does not know", async () => {
      assert.deepEqual(seqsOf(await list(id, "?after_seq=5&after_seq[]=1&user_id=x&max_bytes=1")), [6, 7]);
    });

    it("answers 404 session_not_found for ids that no session has", async () => {
      for (const unknown of ["none", "a.b", "%00", "x".repeat(300)]) {
        assertError(await list(unknown), 404, "session_not_found");
      }
    });
  });
});
