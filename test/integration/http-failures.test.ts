/** @module What callers are told when the fleet cannot do what they ask. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Context, Errors, type ServiceSchema } from "moleculer";
import { FleetError } from "../../lib/errors.ts";
import { groupName, groupOf } from "../../lib/ids.ts";
import gateway from "../../services/gateway/gateway.service.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { startGateway, type TestGateway, testBroker } from "../helpers/gateway.ts";
import { type Answer, request } from "../helpers/http.ts";
import { RawConnection } from "../helpers/raw-http.ts";

const KIB = 1024;

function assertError(answer: Answer, status: number, code: string): void {
  assert.deepEqual([answer.status, answer.body.code], [status, code]);
  assert.equal(typeof answer.body.error, "string");
  if (status !== 429 && status !== 503) return;
  assert.ok(answer.body.retry_after_ms > 0);
  assert.equal(answer.headers.get("retry-after"), String(Math.ceil(answer.body.retry_after_ms / 1000)));
}

describe("A node whose byte budget is spent", () => {
  let fleet: TestFleet;
  let url: string;
  before(async () => {
    fleet = await startFleet({
      nodes: 1,
      groups: 2,
      env: { FLEET_INFLIGHT_BYTES: String(2 * KIB), FLEET_MAX_CONTENT_BYTES: String(4 * KIB) },
    });
    url = fleet.nodes[0]!.url;
  });
  after(() => fleet?.stop());

  const append = (id: string, body: object) => request(url, "POST", `/api/sessions/${id}/messages`, body);
  const content = (bytes: number) => ({ x: "x".repeat(bytes) });

  it("answers 429 backpressure with the time to try again, and stores nothing", async () => {
    const { body } = await request(url, "POST", "/api/sessions", { user_id: "u", agent_id: "a" });
    const { id } = body.session;
    assertError(await append(id, { user_id: "u", content: content(3 * KIB) }), 429, "backpressure");
    const shown = await request(url, "GET", `/api/sessions/${id}/messages`);
    assert.equal(shown.body.last_seq, 0);
    assert.equal((await append(id, { user_id: "u", content: content(KIB) })).status, 200);
  });

  it("looks at shape and size first, at the session later", async () => {
    const wrong = { user_id: "u", content: content(5 * KIB), kind: 1 };
    assertError(await append("none", wrong), 422, "invalid_message");
    assertError(await append("none", { user_id: "u", content: content(5 * KIB) }), 413, "content_too_large");
    assertError(await append("none", { user_id: "u", content: content(3 * KIB) }), 429, "backpressure");
    assertError(await append("none", { user_id: "u", content: {} }), 404, "session_not_found");
  });
});

describe("A group without a leader", () => {
  let fleet: TestFleet;
  let url: string;
  const id = randomUUID();
  before(async () => {
    fleet = await startFleet({ nodes: 1, groups: 1, env: { FLEET_APPEND_TIMEOUT_MS: "300" } });
    const { broker } = fleet.nodes[0]!;
    url = fleet.nodes[0]!.url;
    await request(url, "POST", "/api/sessions", { id, user_id: "u", agent_id: "a" });
    await broker.destroyService(`raft.${groupName(groupOf(id, 1))}`);
  });
  after(() => fleet?.stop());

  it("makes every session route answer 503 leader_unavailable", async () => {
    for (const [method, path, body] of [
      ["POST", `/api/sessions/${id}/messages`, { user_id: "u", content: {} }],
      ["POST", "/api/sessions", { user_id: "u", agent_id: "a" }],
      ["POST", `/api/sessions/${id}/read`, { user_id: "u" }],
      ["DELETE", `/api/sessions/${id}`, undefined],
      ["GET", `/api/sessions/${id}`, undefined],
      ["GET", `/api/sessions/${id}/messages`, undefined],
    ] as const) {
      assertError(await request(url, method, path, body), 503, "leader_unavailable");
    }
  });

  it("is noticed after the shape and the size, and before the session", async () => {
    const append = (session: string, body: object) =>
      request(url, "POST", `/api/sessions/${session}/messages`, body);
    const content = { x: "x".repeat(300 * KIB) };
    assertError(await append("none", { user_id: "u", content, kind: 1 }), 422, "invalid_message");
    assertError(await append("none", { user_id: "u", content }), 413, "content_too_large");
    assertError(await append("none", { user_id: "x", content: {} }), 503, "leader_unavailable");
  });
});

describe("A log that does not answer", () => {
  it("makes appends answer 504 append_timeout with may_have_committed; a retry with the key settles it", async () => {
    const fleet = await startFleet({ nodes: 1, groups: 1, env: { FLEET_APPEND_TIMEOUT_MS: "400" } });
    const { url } = fleet.nodes[0]!;
    const { body } = await request(url, "POST", "/api/sessions", { user_id: "u", agent_id: "a" });
    const path = `/api/sessions/${body.session.id}/messages`;
    const message = { user_id: "u", content: { n: 1 }, idempotency_key: "k" };
    // Another program holds the write lock of the log's file.
    const other = new DatabaseSync(join(fleet.dataDir, "log.sqlite"));
    try {
      other.exec("BEGIN IMMEDIATE");
      const answer = await request(url, "POST", path, message);
      assertError(answer, 504, "append_timeout");
      assert.equal(answer.body.may_have_committed, true);
      assert.match(answer.body.error, /same idempotency key/);
      other.exec("ROLLBACK");
      let settled = await request(url, "POST", path, message);
      for (let tries = 0; settled.status !== 200 && tries < 50; tries++) {
        assert.ok([503, 504].includes(settled.status));
        settled = await request(url, "POST", path, message);
      }
      assert.equal(settled.status, 200);
      const { messages } = (await request(url, "GET", path)).body;
      assert.deepEqual(messages, [settled.body.message]);
    } finally {
      other.close();
      await fleet.stop();
    }
  });
});

describe("The gateway, over services that fail", () => {
  let gate: TestGateway | undefined;
  afterEach(async () => {
    await gate?.stop();
    gate = undefined;
  });

  const services = (fail: (ctx: Context) => unknown): ServiceSchema[] => [
    { name: "sessions.messages", actions: { append: fail, list: fail } },
    { name: "sessions", actions: { get: fail } },
  ];
  async function failing(fail: (ctx: Context) => unknown): Promise<TestGateway> {
    gate = await startGateway({ services: services(fail) });
    return gate;
  }
  const append = (url: string) =>
    request(url, "POST", "/api/sessions/s/messages", { user_id: "u", content: {} });
  const read = (url: string) => request(url, "GET", "/api/sessions/s/messages");

  it("answers 503 for actions that no node offers yet", async () => {
    gate = await startGateway();
    const { url } = gate;
    assertError(await append(url), 503, "leader_unavailable");
    assertError(await read(url), 503, "leader_unavailable");
    assertError(await request(url, "GET", "/api/fleet/status"), 503, "leader_unavailable");
    assert.deepEqual(gate.errors, []);
  });

  it("answers 500 internal_error to what nobody foresaw, logs the cause, and shows none of it", async () => {
    const { url, errors } = await failing(() => {
      throw new TypeError("secret detail", { cause: new Error("the very cause") });
    });
    const { status, body } = await append(url);
    assert.deepEqual([status, body], [500, { error: "internal error", code: "internal_error" }]);
    assert.equal(errors.length, 1);
    for (const part of ["secret detail", "the very cause", "/api/sessions/s/messages", "POST"]) {
      assert.ok(errors[0]!.includes(part), part);
    }
  });

  it("answers 504 with may_have_committed to a write, and 503 to a read, whose call got no answer", async () => {
    const { url } = await failing((ctx) => {
      throw new Errors.RequestTimeoutError({ action: ctx.action?.name ?? "", nodeID: "gone" });
    });
    const written = await append(url);
    assertError(written, 504, "append_timeout");
    assert.equal(written.body.may_have_committed, true);
    assertError(await read(url), 503, "leader_unavailable");
  });

  it("shows an error of another node as its own", async () => {
    const namespace = `failures-${process.pid}`;
    const fail = () => {
      throw new FleetError("expected_seq_conflict", "somebody was faster", { last_seq: 4 });
    };
    const other = testBroker({ namespace, nodeId: "other" });
    for (const service of services(fail)) other.broker.createService(service);
    await other.broker.start();
    gate = await startGateway({ namespace });
    try {
      await gate.broker.waitForServices(["sessions.messages", "sessions"]);
      const { status, body } = await append(gate.url);
      assert.deepEqual(
        [status, body],
        [409, { error: "somebody was faster", code: "expected_seq_conflict", last_seq: 4 }],
      );
    } finally {
      await other.broker.stop();
    }
  });

  it("answers 422 when the bus refuses the params of an append", async () => {
    const strict = { params: { user_id: { type: "string", length: 5 } }, handler: () => ({}) };
    gate = await startGateway({ services: [{ name: "sessions.messages", actions: { append: strict } }] });
    assertError(await append(gate.url), 422, "invalid_message");
  });
});

describe("The port of a node", () => {
  it("that is taken ends the node with a sentence that names the port and PORT", async () => {
    const server: Server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    const { port } = server.address() as AddressInfo;
    const { broker, halts } = testBroker({ port });
    broker.createService(gateway);
    try {
      await assert.rejects(broker.start());
      assert.equal(halts.length, 1);
      assert.match(halts[0]!, new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is in use.*PORT.*\\.$`));
    } finally {
      await broker.stop();
      server.close();
    }
  });
});

describe("The address that a node tells the others", () => {
  it("can be opened, also where it listens on IPv6 or on every address", async () => {
    for (const host of ["::1", "::", "0.0.0.0"]) {
      const gate = await startGateway({ env: { HOST: host, FLEET_AUTH_ALLOW_INSECURE: "true" } });
      try {
        const url = new URL(String(gate.broker.metadata.url));
        assert.ok(!["[::]", "0.0.0.0"].includes(url.hostname), `${host} is told as ${url.href}`);
        assert.equal((await fetch(new URL("/health/live", url))).status, 200, url.href);
      } finally {
        await gate.stop();
      }
    }
  });
});

describe("A gateway that stops", () => {
  it("lets requests under way finish, ends idle connections, and takes no new ones", async () => {
    const answering = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const handler = async () => {
      asked.resolve();
      await answering.promise;
      return { messages: [], last_seq: 0, has_more: false };
    };
    const gate = await startGateway({
      services: [{ name: "sessions.messages", actions: { list: handler } }],
      // What hangs is cut only after this time, far behind the end of the test.
      env: { FLEET_APPEND_TIMEOUT_MS: "120000" },
    });
    const idle = await RawConnection.open(gate.url);
    idle.send("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await idle.answer()).status, 200);
    const busy = await RawConnection.open(gate.url);
    busy.send("GET /api/sessions/s/messages HTTP/1.1\r\nhost: x\r\n\r\n");
    await asked.promise;

    const stopped = gate.stop();
    await idle.closed();
    await assert.rejects(RawConnection.open(gate.url), { code: "ECONNREFUSED" });
    answering.resolve();
    assert.equal((await busy.answer()).status, 200);
    await busy.closed();
    await stopped;
  });
});
