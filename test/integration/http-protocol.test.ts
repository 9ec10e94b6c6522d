/** @module HTTP itself: CORS, headers, broken requests, and connections that are shared, cut or flooded. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";
import { type RawAnswer, RawConnection, rawRequest } from "../helpers/raw-http.ts";
import { until } from "../helpers/until.ts";

const MIB = 1024 * 1024;

describe("HTTP", () => {
  let fleet: TestFleet;
  let url: string;
  let id: string;
  before(async () => {
    fleet = await startFleet({ nodes: 1, groups: 4 });
    url = fleet.nodes[0]!.url;
    id = randomUUID();
    await request(url, "POST", "/api/sessions", { id, user_id: "u", agent_id: "a" });
  });
  after(() => fleet?.stop());

  const messages = () => `/api/sessions/${id}/messages`;
  const lastSeq = async () => (await request(url, "GET", messages())).body.last_seq;
  const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(url + path, { method: "POST", body, headers });
  const rawPost = (text: string, path = messages()) =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;

  describe("CORS", () => {
    for (const path of ["/api/sessions", "/api/sessions/x/messages", "/nowhere", "/", "/health/live"]) {
      it(`answers OPTIONS ${path} with 204 and what was asked for`, async () => {
        const response = await fetch(url + path, {
          method: "OPTIONS",
          headers: {
            origin: "https://app.example",
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "content-type, idempotency-key, x-any",
          },
        });
        assert.equal(response.status, 204);
        assert.equal(await response.text(), "");
        assert.equal(response.headers.get("access-control-allow-origin"), "*");
        assert.equal(response.headers.get("access-control-allow-methods"), "PATCH");
        assert.equal(
          response.headers.get("access-control-allow-headers"),
          "content-type, idempotency-key, x-any",
        );
        assert.equal(response.headers.get("access-control-max-age"), "600");
      });
    }

    it("answers a plain OPTIONS with 204 and every method of the API", async () => {
      const response = await fetch(`${url}/api/sessions`, { method: "OPTIONS" });
      assert.equal(response.status, 204);
      const methods = response.headers.get("access-control-allow-methods")?.split(", ");
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) assert.ok(methods?.includes(method));
    });

    for (const [what, method, path, body, status] of [
      ["an answer", "GET", "/health/live", undefined, 200],
      ["a file", "GET", "/", undefined, 200],
      ["the metrics", "GET", "/metrics", undefined, 200],
      ["a 201", "POST", "/api/sessions", '{"user_id":"u","agent_id":"a"}', 201],
      ["a 204", "DELETE", "/api/sessions/:id", undefined, 204],
      ["a 400", "POST", "/api/sessions", "{", 400],
      ["a 404 of a session", "GET", "/api/sessions/none", undefined, 404],
      ["a 404 of a path", "GET", "/nowhere", undefined, 404],
      ["a 413", "POST", "/api/sessions", `"${"x".repeat(MIB)}"`, 413],
      ["a 422", "POST", "/api/sessions", "{}", 422],
    ] as const) {
      it(`lets any origin read ${what}, and browsers neither guess its type nor frame it`, async () => {
        const created = await request(url, "POST", "/api/sessions", { user_id: "u", agent_id: "a" });
        const response = await fetch(url + path.replace(":id", created.body.session.id), {
          method,
          headers: { origin: "https://app.example" },
          ...(body !== undefined && { body }),
        });
        await response.text();
        assert.equal(response.status, status);
        assert.equal(response.headers.get("access-control-allow-origin"), "*");
        assert.match(response.headers.get("access-control-expose-headers") ?? "", /Retry-After/);
        assert.equal(response.headers.get("x-content-type-options"), "nosniff");
        assert.match(response.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
        assert.equal(response.headers.get("x-powered-by"), null);
      });
    }
  });

  describe("An unknown route", () => {
    for (const [method, path] of [
      ["GET", "/nowhere"],
      ["GET", "/api"],
      ["GET", "/api/"],
      ["GET", "/api/nowhere"],
      ["GET", "/API/sessions"],
      ["GET", "/api/sessions/x/y"],
      ["GET", "/api/sessions/x/messages/1"],
      ["GET", "/api/sessions/x/read"],
      ["GET", "/sessions/list"],
      ["GET", "/messages/append"],
      ["GET", "/~node/list"],
      ["GET", "/$node/list"],
      ["GET", "/api/$node/list"],
      ["GET", "/gateway/rest"],
      ["POST", "/nowhere"],
      ["POST", "/api/sessions/x"],
      ["POST", "/health/live"],
      ["POST", "/"],
      ["PUT", "/api/sessions"],
      ["PATCH", "/api/sessions/x"],
      ["DELETE", "/api/sessions"],
      ["DELETE", "/api/sessions/x/messages"],
      ["PROPFIND", "/api/sessions"],
      ["GET", "/.gitignore"],
      ["GET", "/%00"],
      ["GET", "/%zz"],
      ["GET", "/favicon.svg/"],
    ] as const) {
      it(`is 404 with errors.detail: ${method} ${path}`, async () => {
        const response = await fetch(url + path, { method, ...(method === "POST" && { body: "not json" }) });
        const body = JSON.parse(await response.text());
        assert.equal(response.status, 404);
        assert.deepEqual(Object.keys(body), ["errors"]);
        assert.equal(typeof body.errors.detail, "string");
        assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
      });
    }

    it("is 404 for paths that climb out of the public folder", async () => {
      for (const path of ["/../package.json", "/%2e%2e/package.json", "/..%2fpackage.json", "//etc/passwd"]) {
        const answer = await rawRequest(url, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
        assert.equal(answer.status, 404, path);
        assert.ok(JSON.parse(answer.text).errors.detail);
      }
    });
  });

  describe("A path with malformed percent-encoding", () => {
    for (const path of ["/api/sessions/%zz", "/api/sessions/%", "/api/sessions/%ff/messages"]) {
      it(`is 400 with errors.detail: ${path}`, async () => {
        const response = await fetch(url + path);
        assert.equal(response.status, 400);
        assert.ok(JSON.parse(await response.text()).errors.detail);
      });
    }
  });

  describe("A body that is not JSON", () => {
    for (const [what, body] of [
      ["a word", "hello"],
      ["an open object", '{"user_id":"u","content":{}'],
      ["an object with a tail", '{"user_id":"u","content":{}} x'],
      ["single quotes", "{'user_id':'u'}"],
      ["form data", "user_id=u&content=x"],
      ["white space", "  \n"],
      [
        "invalid UTF-8",
        Buffer.concat([
          Buffer.from('{"user_id":"u","content":{"x":"'),
          Buffer.from([0xff, 0x22, 0x7d, 0x7d]),
        ]),
      ],
      ["UTF-16", Buffer.from('{"user_id":"u","content":{}}', "utf16le")],
      ["gzip that is none", "\u001f\u008b"],
    ] as const) {
      it(`is 400 with errors.detail: ${what}`, async () => {
        const before = await lastSeq();
        const headers: Record<string, string> = what.startsWith("gzip") ? { "content-encoding": "gzip" } : {};
        for (const path of ["/api/sessions", messages(), `/api/sessions/${id}/read`]) {
          const response = await post(path, typeof body === "string" ? body : new Uint8Array(body), headers);
          const answer = JSON.parse(await response.text());
          assert.equal(response.status, 400);
          assert.deepEqual(Object.keys(answer), ["errors"]);
          assert.equal(typeof answer.errors.detail, "string");
        }
        assert.equal(await lastSeq(), before);
      });
    }

    it("is 415 when it is packed in a way that the node cannot unpack", async () => {
      const response = await post(messages(), "{}", { "content-encoding": "x-rar" });
      assert.equal(response.status, 415);
      assert.ok(JSON.parse(await response.text()).errors.detail);
    });

    it("may be packed with gzip", async () => {
      const packed = gzipSync(JSON.stringify({ user_id: "u", content: { packed: true } }));
      const response = await post(messages(), new Uint8Array(packed), { "content-encoding": "gzip" });
      assert.equal(response.status, 200);
      assert.deepEqual(JSON.parse(await response.text()).message.content, { packed: true });
    });
  });

  describe("A body over 1 MiB", () => {
    const tooLarge = { error: "the body is over 1048576 bytes", code: "content_too_large" };

    it("is 413 content_too_large, and the connection takes the next request", async () => {
      const connection = await RawConnection.open(url);
      const large = JSON.stringify({ user_id: "u", content: { x: "x".repeat(2 * MIB) } });
      for (let round = 0; round < 3; round++) {
        connection.send(rawPost(large));
        const refused = await connection.answer();
        assert.deepEqual([refused.status, JSON.parse(refused.text)], [413, tooLarge]);
        connection.send(rawPost(JSON.stringify({ user_id: "u", content: {} })));
        assert.equal((await connection.answer()).status, 200);
      }
      connection.close();
    });

    it("is 413 when its length is not announced", async () => {
      const connection = await RawConnection.open(url);
      connection.send(`POST ${messages()} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
      const piece = `10000\r\n${"x".repeat(65_536)}\r\n`;
      for (let n = 0; n < 32; n++) connection.send(piece);
      connection.send("0\r\n\r\n");
      const refused = await connection.answer();
      assert.deepEqual([refused.status, JSON.parse(refused.text)], [413, tooLarge]);
      connection.send("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n");
      assert.equal((await connection.answer()).status, 200);
      connection.close();
    });

    it("is 413 when it is small only as long as it is packed", async () => {
      const packed = new Uint8Array(
        gzipSync(JSON.stringify({ user_id: "u", content: { x: "x".repeat(2 * MIB) } })),
      );
      const response = await post(messages(), packed, { "content-encoding": "gzip" });
      assert.equal(response.status, 413);
      await response.text();
    });

    it("passes when it has exactly 1 MiB, up to the limits of its parts", async () => {
      const text = JSON.stringify({ user_id: "u", content: {}, ignored: "" });
      const padded = text.replace('"ignored":""', `"ignored":"${"x".repeat(MIB - text.length)}"`);
      assert.equal(padded.length, MIB);
      assert.equal((await request(url, "GET", messages())).status, 200);
      const response = await post(messages(), padded);
      assert.equal(response.status, 200);
      await response.text();
    });
  });

  describe("HEAD", () => {
    for (const path of ["/health/live", "/health/ready", "/metrics", "/", "/api/sessions/:id", "/nowhere"]) {
      it(`answers ${path} like GET, without a body`, async () => {
        const target = url + path.replace(":id", id);
        const [head, get] = [await fetch(target, { method: "HEAD" }), await fetch(target)];
        const text = await get.text();
        assert.equal(head.status, get.status);
        assert.equal(await head.text(), "");
        assert.equal(head.headers.get("content-type"), get.headers.get("content-type"));
        if (path !== "/metrics")
          assert.equal(head.headers.get("content-length"), String(Buffer.byteLength(text)));
      });
    }
  });

  describe("What is not HTTP", () => {
    it("is 400 with errors.detail, and the connection ends", async () => {
      const connection = await RawConnection.open(url);
      connection.send("hello, is anybody there?\r\n\r\n");
      const answer = await connection.answer();
      assert.equal(answer.status, 400);
      assert.ok(JSON.parse(answer.text).errors.detail);
      assert.equal(answer.headers["access-control-allow-origin"], "*");
      await connection.closed();
    });

    it("is 431 with errors.detail when URL and headers are over 16 KiB", async () => {
      const answer = await rawRequest(
        url,
        `GET /api/sessions?user_id=${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      );
      assert.equal(answer.status, 431);
      assert.ok(JSON.parse(answer.text).errors.detail);
    });

    it("is refused when one length contradicts another, so that no request hides in a body", async () => {
      const answer = await rawRequest(
        url,
        `POST ${messages()} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      );
      assert.equal(answer.status, 400);
    });
  });

  describe("A connection", () => {
    it("answers pipelined requests in their order", async () => {
      const connection = await RawConnection.open(url);
      const first = (await lastSeq()) + 1;
      const body = (n: number) => JSON.stringify({ user_id: "u", content: { n } });
      connection.send(
        [
          rawPost(body(1)),
          "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n",
          rawPost("{"),
          rawPost(body(2)),
          "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n",
          rawPost(body(3)),
        ].join(""),
      );
      const answers: RawAnswer[] = [];
      for (let n = 0; n < 6; n++) answers.push(await connection.answer());
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 404, 400, 200, 200, 200],
      );
      assert.deepEqual(
        [0, 3, 5].map((n) => JSON.parse(answers[n]!.text).message.content.n),
        [1, 2, 3],
      );
      assert.equal(await lastSeq(), first + 2);
      connection.close();
    });

    it("that is cut in the middle of a body stores nothing and harms nobody", async () => {
      const before = await lastSeq();
      const text = JSON.stringify({ user_id: "u", content: { cut: true } });
      for (const part of [0, 1, text.length - 1]) {
        const connection = await RawConnection.open(url);
        connection.send(rawPost(text).slice(0, -text.length) + text.slice(0, part));
        connection.socket.end();
        await connection.closed();
      }
      assert.equal(await lastSeq(), before);
      assert.deepEqual(fleet.halted, []);
    });

    it("that is cut before the answer leaves the append done, once", async () => {
      const before = await lastSeq();
      const body = { user_id: "u", content: { orphan: true }, idempotency_key: randomUUID() };
      const connection = await RawConnection.open(url);
      await new Promise<void>((resolve) => {
        connection.socket.write(rawPost(JSON.stringify(body)), () => resolve());
      });
      await until("the append is applied", async () => (await lastSeq()) > before);
      connection.close();
      const again = await request(url, "POST", messages(), body);
      assert.deepEqual([again.status, again.body.deduped], [200, true]);
      assert.equal(await lastSeq(), before + 1);
    });

    it("takes a body that comes byte by byte", async () => {
      const connection = await RawConnection.open(url);
      connection.socket.setNoDelay(true);
      for (const byte of rawPost(JSON.stringify({ user_id: "u", content: { slow: "é" } })))
        connection.send(byte);
      const answer = await connection.answer();
      assert.deepEqual(JSON.parse(answer.text).message.content, { slow: "é" });
      connection.close();
    });
  });
});
