/** @module The ack API: who may acknowledge what, and every answer that it gives. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import type { ServiceSchema } from "moleculer";
import { originClock } from "../../lib/clock.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { AckStatus } from "../../services/acks/contract.ts";
import tracker from "../../services/acks/tracker.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import { type Actions, actors, DISCOVERY } from "../helpers/console.ts";
import { testBroker } from "../helpers/gateway.ts";
import { freePort } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const MICROS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const AT = "2026-01-02T03:04:05.678901Z";
const PK = "dev-node1_1";
const TOKEN = "a token that nobody sees";

const node = (nodeId: string) => ({ node_id: nodeId, region: nodeId, machine: null });
const ROOM: Actions = {
  "corrosion.discovery.get": () => ({ ...DISCOVERY, nodes: [node("dev-node1"), node("dev-node2")] }),
  "corrosion.identity.configs": () => [{ node_id: "ams-1" }],
};

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
}

describe("The ack API", () => {
  let api: ReturnType<typeof testBroker>;
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function start(
    env: Readonly<Record<string, string>> = {},
    room: Actions = ROOM,
    services: readonly ServiceSchema[] = [tracker],
    namespace?: string,
  ): Promise<void> {
    const options = { nodeId: "dev-node1", env: { API_PORT: "0", ...env } };
    api = testBroker(namespace === undefined ? options : { ...options, namespace });
    for (const service of [...actors(room), ...services, ackGateway]) api.broker.createService(service);
    await api.broker.start();
    const { broker } = api;
    ends.push(() => broker.stop());
  }

  async function track(pk = PK, transport = "gossip"): Promise<void> {
    const expected = ["dev-node2", "dev-node3"];
    const params = { pk, transport, expected, sent_at_us: originClock(), experiment_id: null };
    await api.broker.call("acks.tracker.track", params);
  }
  const status = (pk = PK) => api.broker.call<AckStatus, object>("acks.tracker.status", { pk });

  async function ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const url = `http://${api.broker.metadata.ack_endpoint}${path}`;
    const sent = body instanceof Uint8Array || typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body: sent }) });
    const text = await response.text();
    assert.equal(response.headers.get("access-control-allow-origin"), null);
    assert.equal(response.headers.get("cache-control"), "no-store");
    return { status: response.status, body: JSON.parse(text), text };
  }
  const acknowledge = (body: unknown, headers?: Record<string, string>) =>
    ask("POST", "/api/acknowledge", body, headers);
  const fine = { message_pk: PK, ack_node_id: "dev-node2", receipt_timestamp: AT };

  it("answers an acknowledgement with 200, and has it counted with its region and times", async () => {
    await start();
    await track();
    const { body, status: code } = await acknowledge(fine);
    assert.equal(code, 200);
    assert.deepEqual(body, {
      status: "acknowledged",
      message: body.message,
      ack_node_id: "dev-node2",
      message_pk: PK,
    });
    const { acknowledgments, ack_count, regions, state } = await status();
    assert.deepEqual([ack_count, regions, state], [1, ["dev-node2"], "pending"]);
    const [ack] = acknowledgments;
    assert.deepEqual(
      [ack?.node_id, ack?.region, ack?.receipt_timestamp, ack?.late],
      ["dev-node2", "dev-node2", AT, false],
    );
    assert.match(String(ack?.timestamp), MICROS);
    assert.ok(ack && ack.latency_ms >= 0 && ack.latency_ms < 5000, String(ack?.latency_ms));
  });

  it("answers a repeated acknowledgement with 200, and nothing changes", async () => {
    await start();
    await track();
    await acknowledge(fine);
    const before = await status();
    const again = await acknowledge({ ...fine, receipt_timestamp: "2030-01-01T00:00:00Z" });
    assert.deepEqual([again.status, again.body.status], [200, "acknowledged"]);
    assert.deepEqual(await status(), before);
  });

  it("takes an acknowledgement without a time, and times with an offset", async () => {
    await start();
    await track();
    assert.equal((await acknowledge({ message_pk: PK, ack_node_id: "dev-node2" })).status, 200);
    const receipt_timestamp = "2026-01-02T04:04:05+01:00";
    assert.equal((await acknowledge({ ...fine, ack_node_id: "ams-1", receipt_timestamp })).status, 200);
    const { acknowledgments } = await status();
    assert.deepEqual(
      acknowledgments.map(({ receipt_timestamp }) => receipt_timestamp),
      [null, "2026-01-02T03:04:05.000000Z"],
    );
  });

  it("answers one for a drill with its id and the time of its receipt", async () => {
    await start();
    await track("pubsub_1", "pubsub");
    const sent = { request_id: "pubsub_1", ack_node_id: "dev-node2", timestamp: AT, receipt_timestamp: AT };
    const { body, status: code } = await ask("POST", "/api/acknowledge_pubsub", sent);
    assert.equal(code, 200);
    assert.deepEqual(body, {
      status: "acknowledged",
      message: body.message,
      ack_node_id: "dev-node2",
      request_id: "pubsub_1",
      receipt_timestamp: AT,
    });
    assert.equal((await status("pubsub_1")).ack_count, 1);
  });

  it("answers 404 with the id for a message that is not tracked, also when it came the other way", async () => {
    await start();
    await track();
    const unknown = await acknowledge({ ...fine, message_pk: "dev-node1_2" });
    assert.deepEqual(unknown.body, { error: unknown.body.error, message_pk: "dev-node1_2" });
    assert.equal(unknown.status, 404);
    const drill = await ask("POST", "/api/acknowledge_pubsub", { request_id: PK, ack_node_id: "dev-node2" });
    assert.deepEqual([drill.status, drill.body], [404, { error: drill.body.error, request_id: PK }]);
    assert.equal((await status()).ack_count, 0);
  });

  it("answers 400 with a sentence for a body that it cannot take", async () => {
    await start();
    await track();
    const bodies: readonly (readonly [unknown, RegExp])[] = [
      ["{", /not JSON/],
      [new Uint8Array([0x22, 0xff, 0x22]), /UTF-8/],
      [[], /must be a JSON object/],
      ["null", /must be a JSON object/],
      [undefined, /is required/],
      [{ ack_node_id: "dev-node2" }, /^message_pk is required/],
      [{ message_pk: PK }, /^ack_node_id is required/],
      [{ ...fine, message_pk: 7 }, /^message_pk must be a text/],
      [{ ...fine, message_pk: "" }, /^message_pk must be a text/],
      [{ ...fine, ack_node_id: ["dev-node2"] }, /^ack_node_id must be a text/],
      [{ ...fine, message_pk: "x".repeat(513) }, /^message_pk has over 512 bytes/],
      [{ ...fine, receipt_timestamp: 7 }, /^receipt_timestamp must be a time/],
      [{ ...fine, receipt_timestamp: "2026-13-41T00:00:00Z" }, /^receipt_timestamp must be a time/],
      [{ ...fine, receipt_timestamp: "yesterday" }, /^receipt_timestamp must be a time/],
      [{ ...fine, timestamp: "7" }, /^timestamp must be a time/],
    ];
    for (const [sent, reason] of bodies) {
      const { body, status: code, text } = await acknowledge(sent);
      assert.equal(code, 400, text);
      assert.deepEqual(Object.keys(body), ["error"]);
      assert.match(String(body.error), reason);
    }
    assert.equal((await status()).ack_count, 0);
  });

  it("answers 413 to a body over 16 KiB, and takes the next request of the connection", async () => {
    await start();
    await track();
    const { body, status: code } = await acknowledge({ ...fine, more: "x".repeat(17_000) });
    assert.deepEqual([code, Object.keys(body)], [413, ["error"]]);
    assert.equal((await acknowledge(fine)).status, 200);
  });

  it("answers 401 without the token, before it reads anything, and never says it", async () => {
    await start({ ACK_TOKEN: TOKEN });
    await track();
    const wrong = [undefined, "", "x", TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toUpperCase()];
    for (const given of wrong) {
      const headers: Record<string, string> = given === undefined ? {} : { "x-fleetport-token": given };
      for (const sent of [fine, "{", { ...fine, message_pk: "unknown" }]) {
        const { body, status: code, text } = await acknowledge(sent, headers);
        assert.deepEqual([code, Object.keys(body)], [401, ["error"]]);
        assert.ok(!text.includes(TOKEN));
      }
    }
    assert.equal((await status()).ack_count, 0);
    const right = await acknowledge(fine, { "x-fleetport-token": TOKEN });
    assert.equal(right.status, 200);
    assert.ok(!JSON.stringify(api.broker.metadata).includes(TOKEN));
    assert.equal((await ask("GET", "/api/acknowledge/health")).status, 200);
  });

  it("answers 403 to a node that is none, to the node itself, and to pages", async () => {
    await start();
    await track();
    for (const ack_node_id of ["mallory", "dev-node3", "dev-node1", "AMS-1", "__proto__"]) {
      const { body, status: code } = await acknowledge({ ...fine, ack_node_id });
      assert.deepEqual([code, Object.keys(body)], [403, ["error"]], ack_node_id);
    }
    assert.equal((await acknowledge(fine, { origin: "http://localhost:4001" })).status, 403);
    assert.equal((await status()).ack_count, 0);
  });

  it("knows nodes by the DNS, by node_configs and by the registry", async () => {
    const namespace = `ack-api-${process.pid}`;
    const { broker: other } = testBroker({ namespace, nodeId: "fra-9" });
    for (const service of actors({ "corrosion.agent.status": () => null })) other.createService(service);
    await other.start();
    ends.push(() => other.stop());
    await start({}, ROOM, [tracker], namespace);
    await track();
    await until("the registry has the other node", () => api.broker.registry.nodes.get("fra-9"));
    for (const ack_node_id of ["dev-node2", "ams-1", "fra-9"]) {
      const { status: code, text } = await acknowledge({ ...fine, ack_node_id });
      assert.equal(code, 200, text);
    }
  });

  it("answers 500 with a reason when nobody can say whether a node is known, and knows the others", async () => {
    await start(
      {},
      {
        ...ROOM,
        "corrosion.identity.configs": () => {
          throw new CorrosionError("agent_unavailable", "the agent is away");
        },
      },
    );
    await track();
    const { body, status: code } = await acknowledge({ ...fine, ack_node_id: "ams-1" });
    assert.deepEqual([code, body], [500, { error: body.error, reason: "the agent is away" }]);
    assert.equal((await acknowledge(fine)).status, 200);
  });

  it("answers 500 with a reason while there is no tracker", async () => {
    await start({}, ROOM, []);
    for (const reply of [await acknowledge(fine), await ask("GET", "/api/acknowledge/health")]) {
      assert.equal(reply.status, 500);
      assert.deepEqual(Object.keys(reply.body), ["error", "reason"]);
    }
  });

  it("asks the agent once a second at most for nodes that it does not know", async () => {
    let asked = 0;
    await start(
      {},
      {
        ...ROOM,
        "corrosion.identity.configs": () => {
          asked += 1;
          return [];
        },
      },
    );
    for (let i = 0; i < 50; i++)
      assert.equal((await acknowledge({ ...fine, ack_node_id: `m${i}` })).status, 403);
    assert.ok(asked >= 1 && asked <= 5, String(asked));
  });

  it("tells its health and the newest message", async () => {
    await start();
    const health = async () => (await ask("GET", "/api/acknowledge/health")).body;
    const empty = await health();
    assert.match(String(empty.timestamp), MICROS);
    assert.deepEqual(empty, {
      status: "healthy",
      node_id: "dev-node1",
      timestamp: empty.timestamp,
      ack_tracker_status: { latest_message: null, acknowledgments: [], ack_count: 0, regions: [] },
    });
    await track();
    await acknowledge(fine);
    const { acknowledgments, latest_message } = await status();
    assert.deepEqual((await health()).ack_tracker_status, {
      latest_message,
      acknowledgments: acknowledgments.map(({ node_id, timestamp }) => ({ node_id, timestamp })),
      ack_count: 1,
      regions: ["dev-node2"],
    });
    assert.deepEqual(Object.keys(latest_message ?? {}).sort(), ["node_id", "pk", "timestamp"]);
  });

  it("answers 404 to everything else", async () => {
    await start();
    for (const [method, path] of [
      ["GET", "/api/acknowledge"],
      ["GET", "/"],
      ["GET", "/api/acks"],
      ["POST", "/api/acknowledge/health"],
      ["POST", "/api/acknowledge/x"],
      ["OPTIONS", "/api/acknowledge"],
      ["GET", "/~node/health"],
    ] as const) {
      const { body, status: code } = await ask(method, path);
      assert.deepEqual([code, body], [404, { errors: { detail: "Not Found" } }], `${method} ${path}`);
    }
  });

  it("says in the node's metadata where it is, also on IPv6", async () => {
    await start();
    assert.match(String(api.broker.metadata.ack_endpoint), /^127\.0\.0\.1:\d+$/);
    await start({ HOST: "0.0.0.0", FLEET_AUTH_ALLOW_INSECURE: "true" });
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const outward = others.find(({ family, internal }) => family === "IPv4" && !internal);
    const [host] = String(api.broker.metadata.ack_endpoint).split(":");
    assert.equal(host, outward?.address ?? "127.0.0.1", "where other machines reach it");
    await track();
    assert.equal((await acknowledge(fine)).status, 200);
    await start({ FLY_PRIVATE_IP: "::1" });
    assert.match(String(api.broker.metadata.ack_endpoint), /^\[::1\]:\d+$/);
    await track();
    assert.equal((await acknowledge(fine)).status, 200);
    assert.equal(api.broker.metadata.url, undefined);
  });

  it("ends the start with a sentence when its port is taken", async () => {
    const port = await freePort(2);
    const server = createServer().listen(port + 1, "127.0.0.1");
    const end = () => new Promise<void>((resolve) => void server.close(() => resolve()));
    try {
      await assert.rejects(start({ API_PORT: String(port), FLEET_NODES: "1" }), /in use by another program/);
      assert.deepEqual(api.halts, [
        `Port ${port + 1} on 127.0.0.1 is in use by another program: stop it, or set API_PORT to a free port.`,
      ]);
      assert.equal(api.broker.metadata.ack_endpoint, undefined);
    } finally {
      await end();
      await api.broker.stop();
    }
  });
});
