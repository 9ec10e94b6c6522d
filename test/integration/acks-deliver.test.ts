/** @module One acknowledgement over real sockets, to originators that answer badly, late, too much or not at all. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { AckClient } from "../../services/acks/sender/deliver.ts";
import type { Answer } from "../../services/acks/sender/delivery-plan.ts";
import { freePort } from "../helpers/program.ts";
import { type Exchange, ScriptedAgent } from "../helpers/scripted-agent.ts";
import { until } from "../helpers/until.ts";

const ACK = {
  pk: `dev-node1_1'; DROP TABLE node_messages; --`,
  ack_node_id: "dev-node2",
  receipt_timestamp: "2026-01-02T03:04:05.678901Z",
  timestamp: "2026-01-02T03:04:06.000000Z",
};
const TIMES = { connectMs: 300, responseMs: 400 };

function portOf(server: { address(): unknown }): number {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null && "port" in address);
  return Number(address.port);
}

describe("An acknowledgement on its way", () => {
  let originator: ScriptedAgent;
  let client: AckClient;

  beforeEach(async () => {
    originator = await ScriptedAgent.start();
    client = new AckClient(null, TIMES);
  });

  afterEach(async () => {
    client.close();
    await until("no connection is left open", async () => (await originator.connections()) === 0, 5000);
    await originator.stop();
  });

  const port = () => Number(new URL(originator.url).port);
  const post = (transport: "gossip" | "pubsub" = "gossip") =>
    client.post({ host: "127.0.0.1", port: port() }, transport, ACK);
  async function answerTo(reply: (exchange: Exchange) => void): Promise<Answer> {
    const answer = post();
    reply(await originator.next());
    return answer;
  }
  const reasonOf = (answer: Answer) =>
    answer.kind === "unanswered" ? answer.reason : assert.fail(answer.kind);

  it("says what was received, by whom and when", async () => {
    assert.deepEqual(await answerTo((e) => e.reply(200, { status: "acknowledged" })), {
      kind: "answered",
      status: 200,
      detail: null,
    });
    const [exchange] = originator.exchanges;
    assert.deepEqual([exchange?.method, exchange?.path], ["POST", "/api/acknowledge"]);
    assert.equal(exchange?.headers["content-type"], "application/json");
    assert.equal("x-fleetport-token" in (exchange?.headers ?? {}), false);
    assert.deepEqual(JSON.parse(exchange?.body ?? ""), {
      message_pk: ACK.pk,
      ack_node_id: "dev-node2",
      receipt_timestamp: ACK.receipt_timestamp,
    });
  });

  it("of a drill has a route and a body of its own", async () => {
    const answer = post("pubsub");
    (await originator.next()).reply(200, {});
    await answer;
    const [exchange] = originator.exchanges;
    assert.equal(exchange?.path, "/api/acknowledge_pubsub");
    const { pk, ...rest } = ACK;
    assert.deepEqual(JSON.parse(exchange?.body ?? ""), { request_id: pk, ...rest });
  });

  it("carries the token, and shows it to nobody who reads what went wrong", async () => {
    client.close();
    client = new AckClient("s3cret", TIMES);
    const answer = await answerTo((e) => e.reply(401, { error: "wrong token" }));
    assert.equal(originator.exchanges[0]?.headers["x-fleetport-token"], "s3cret");
    assert.deepEqual(answer, { kind: "answered", status: 401, detail: "wrong token" });
  });

  for (const status of [204, 400, 403, 404, 408, 429, 500, 503]) {
    it(`brings back the status ${status}`, async () => {
      assert.deepEqual(await answerTo((e) => e.reply(status, "")), {
        kind: "answered",
        status,
        detail: null,
      });
    });
  }

  for (const status of [301, 302, 307, 308]) {
    it(`is not led elsewhere by a ${status}`, async () => {
      const elsewhere = await ScriptedAgent.start();
      const headers = { location: `${elsewhere.url}/api/acknowledge` };
      assert.deepEqual(await answerTo((e) => e.head(status, headers).end()), {
        kind: "answered",
        status,
        detail: null,
      });
      assert.equal(elsewhere.exchanges.length, 0);
      await elsewhere.stop();
    });
  }

  it("says in short what the originator says, and reads nothing else of it", async () => {
    const answer = await answerTo((e) => e.reply(500, { error: "x".repeat(5000), reason: "y" }));
    assert.equal(answer.kind === "answered" && answer.detail, "x".repeat(200));
    for (const body of ["<html>", "null", "[1]", '{"error":{"a":1}}']) {
      const next = await answerTo((e) => e.reply(500, body));
      assert.equal(next.kind === "answered" && next.detail, null);
    }
  });

  it("reads no endless answer: the status counts and the connection is cut", async () => {
    const answer = await answerTo((e) => {
      e.head(200);
      e.write("x".repeat(1024 * 1024));
    });
    assert.deepEqual(answer, { kind: "answered", status: 200, detail: null });
    await until("the originator's connection is cut", () => originator.exchanges[0]?.closed, 5000);
  });

  it("has no answer when the originator dies in the middle of it", async () => {
    const answer = await answerTo((e) => {
      e.head(200, { "content-length": "100" }).write('{"status":');
      e.cut();
    });
    assert.equal(answer.kind, "unanswered");
  });

  it("has no answer when the originator closes without one", async () => {
    assert.equal((await answerTo((e) => e.cut())).kind, "unanswered");
  });

  it("has no answer when nobody listens", async () => {
    const answer = await client.post({ host: "127.0.0.1", port: await freePort() }, "gossip", ACK);
    assert.match(reasonOf(answer), /ECONNREFUSED/);
  });

  it("has no answer when what answers is no HTTP", async () => {
    const server: Server = createServer((socket) => socket.end("220 smtp.example ESMTP\r\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const answer = await client.post({ host: "127.0.0.1", port: portOf(server) }, "gossip", ACK);
    assert.equal(answer.kind, "unanswered");
    server.close();
  });

  it("waits so long for an answer and no longer", async () => {
    const began = performance.now();
    const answer = post();
    const hung = await originator.next();
    assert.equal(reasonOf(await answer), "no whole answer within 400 ms");
    assert.ok(performance.now() - began >= 390);
    await until("it hung up", () => hung.closed, 5000);
  });

  it("waits for the end of an answer no longer than for its beginning", async () => {
    const answer = post();
    const slow = (await originator.next()).head(200);
    const drip = setInterval(() => slow.write(" "), 50);
    assert.equal(reasonOf(await answer), "no whole answer within 400 ms");
    clearInterval(drip);
  });

  it("waits so long for a connection and no longer", async () => {
    // TEST-NET-1 (RFC 5737) answers nobody; where the network refuses it at once, that is no answer either.
    const began = performance.now();
    const answer = await client.post({ host: "192.0.2.1", port: 5001 }, "gossip", ACK);
    assert.match(reasonOf(answer), /no connection within 300 ms|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED/);
    assert.ok(performance.now() - began < 2000);
  });

  it("uses a connection again, and a fresh one when the old one was closed meanwhile", async () => {
    await answerTo((e) => e.reply(200, {}));
    await answerTo((e) => e.reply(200, {}));
    assert.equal(await originator.connections(), 1);
    // It is closed just when the next request is on its way.
    const answer = post();
    (await originator.next()).cut();
    (await originator.next()).reply(200, {});
    assert.equal((await answer).kind, "answered");
    assert.equal(originator.exchanges.length, 4);
  });

  it("reaches an IPv6 address", async () => {
    const server = createServer((socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
    );
    server.listen(0, "::1");
    await once(server, "listening");
    const answer = await client.post({ host: "::1", port: portOf(server) }, "gossip", ACK);
    assert.equal(answer.kind === "answered" && answer.status, 200);
    server.close();
  });

  it("is broken off when its node stops, and none begins after that", async () => {
    const answer = post();
    const exchange = await originator.next();
    client.close();
    assert.equal(reasonOf(await answer), "the node stops");
    await until("it hung up", () => exchange.closed, 5000);
    assert.equal(reasonOf(await post()), "the node stops");
    assert.equal(originator.exchanges.length, 1);
  });
});
