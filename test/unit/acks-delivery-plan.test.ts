/** @module What a sender does after each answer, and where it may send at all. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, retryWaitMs, verdictOf } from "../../services/acks/sender/delivery-plan.ts";
import { ackPortOf, allowedEndpoint } from "../../services/acks/sender/endpoint.ts";

const answered = (status: number): Answer => ({ kind: "answered", status, detail: null });
const UNANSWERED: Answer = { kind: "unanswered", reason: "connect ECONNREFUSED" };
const kind = (answer: Answer, attempt = 1) => verdictOf(answer, attempt, 6, 0.5).kind;

describe("After an attempt to deliver an acknowledgement", () => {
  it("only a 2xx means acknowledged", () => {
    const any = fc.integer({ min: 100, max: 599 });
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 6 }), (status, attempt) => {
        assert.equal(kind(answered(status), attempt) === "acked", status >= 200 && status < 300);
      }),
    );
  });

  for (const status of [404, 408, 429, 500, 503, 599]) {
    it(`${status} is tried again, six times in all`, () => {
      for (const attempt of [1, 2, 3, 4, 5]) assert.equal(kind(answered(status), attempt), "retry");
      assert.equal(kind(answered(status), 6), "failed");
    });
  }

  it("no answer is tried again, and what still has none may get through later", () => {
    assert.equal(kind(UNANSWERED, 5), "retry");
    const reason = "connect ECONNREFUSED";
    assert.deepEqual(verdictOf(UNANSWERED, 6, 6, 0.5), { kind: "failed", failure: "unavailable", reason });
  });

  for (const status of [301, 302, 307, 308, 400, 401, 403, 405, 409, 410, 413, 422]) {
    it(`${status} is final at once`, () => {
      const verdict = verdictOf(answered(status), 1, 6, 0.5);
      assert.equal(verdict.kind === "failed" && verdict.failure, "refused");
    });
  }

  it("a message that stays unknown is asked for no more", () => {
    const verdict = verdictOf({ kind: "answered", status: 404, detail: "no such message" }, 6, 6, 0);
    assert.deepEqual(verdict, {
      kind: "failed",
      failure: "refused",
      reason: "the originator answered 404: no such message",
    });
  });

  it("waits between half and all of 250, 500, 1000, 2000, 4000, 8000, 8000 ms", () => {
    const longest = [250, 500, 1000, 2000, 4000, 8000, 8000, 8000];
    fc.assert(
      fc.property(fc.nat(longest.length - 1), fc.double({ min: 0, max: 1, noNaN: true }), (i, random) => {
        const waitMs = retryWaitMs(i + 1, random);
        const most = longest[i] ?? 0;
        assert.ok(waitMs >= most / 2 && waitMs <= most, `${waitMs} of ${most}`);
      }),
    );
    assert.deepEqual([retryWaitMs(1, 0), retryWaitMs(1, 1), retryWaitMs(60, 1)], [125, 250, 8000]);
  });
});

describe("An endpoint", () => {
  const DEV = ackPortOf("dev", 5002);
  const advertised = (said: Readonly<Record<string, string>>) => (id: string) => said[id] ?? null;
  const NOBODY = { advertised: () => null, members: [] };
  const known = {
    advertised: advertised({ "dev-node1": "127.0.0.1:5001", "ams-1": "[fdaa:0:1::3]:8088" }),
    members: [
      { node_id: "dev-node1", address: "127.0.0.1:8787" },
      { node_id: "dev-node2", address: "127.0.0.1:8788" },
      { node_id: "fra-2", address: "[fdaa:0:2:0:0::9]:8787" },
      { node_id: null, address: "10.0.0.9:8787" },
    ],
  };
  const to = (endpoint: string, node = "dev-node1", port = DEV) =>
    allowedEndpoint(endpoint, node, known, port);

  it("is allowed when its node advertises it", () => {
    assert.deepEqual(to("127.0.0.1:5001"), { host: "127.0.0.1", port: 5001 });
    assert.equal(allowedEndpoint("127.0.0.1:5001", "dev-node1", NOBODY, DEV), null);
  });

  it("is allowed at its member's host, on the development node's ack port", () => {
    assert.deepEqual(to("127.0.0.1:5002", "dev-node2"), { host: "127.0.0.1", port: 5002 });
    assert.equal(to("127.0.0.1:8788", "dev-node2"), null, "the gossip port is none");
    assert.equal(to("127.0.0.1:5003", "dev-node2"), null);
  });

  it("is allowed at its member's host, on production's one ack port", () => {
    const prod = ackPortOf("prod", 8088);
    assert.deepEqual(to("[fdaa:0:2::9]:8088", "fra-2", prod), { host: "fdaa:0:2::9", port: 8088 });
    assert.equal(to("[fdaa:0:2::9]:5001", "fra-2", prod), null);
  });

  it("may spell an IPv6 address as it likes, and is sent to the one that is meant", () => {
    for (const same of [
      "[FDAA:0:1::3]:8088",
      "[fdaa:0000:0001:0:0:0:0:0003]:8088",
      "[fdaa:0:1::0:3]:08088",
    ]) {
      assert.deepEqual(to(same, "ams-1"), { host: "fdaa:0:1::3", port: 8088 }, same);
    }
  });

  it("is each node's own, also of two in one region", () => {
    const ams = {
      advertised: advertised({ "ams-1": "10.0.0.1:8088", "ams-2": "10.0.0.2:8088" }),
      members: [],
    };
    const of = (node: string, endpoint: string) => allowedEndpoint(endpoint, node, ams, DEV) !== null;
    assert.deepEqual([of("ams-1", "10.0.0.1:8088"), of("ams-2", "10.0.0.2:8088")], [true, true]);
    assert.deepEqual([of("ams-1", "10.0.0.2:8088"), of("ams-2", "10.0.0.1:8088")], [false, false]);
  });

  it("of a server that does not listen yet is none", () => {
    const said = { advertised: advertised({ n: "127.0.0.1:0" }), members: [] };
    assert.equal(allowedEndpoint("127.0.0.1:0", "n", said, DEV), null);
  });

  it("of another node is not this node's", () => {
    assert.equal(to("127.0.0.1:5002", "dev-node1"), null);
    assert.equal(to("127.0.0.1:5001", "dev-node2"), null);
    assert.equal(to("127.0.0.1:5001", "stranger"), null);
    assert.equal(to("10.0.0.9:5001", ""), null, "a member that no node claims is nobody's");
  });

  for (const forged of [
    "169.254.169.254:80",
    "127.0.0.1:5001@evil.example:80",
    "evil@127.0.0.1:5001",
    "127.0.0.1:5001/admin",
    "127.0.0.1:5001#",
    "127.0.0.1:5001 ",
    " 127.0.0.1:5001",
    "http://127.0.0.1:5001",
    "127.0.0.1.:5001",
    "127.0.0.1.evil.example:5001",
    "127.1:5001",
    "0177.0.0.1:5001",
    "2130706433:5001",
    "localhost:5001",
    "[::ffff:127.0.0.1]:5001",
    "[127.0.0.1]:5001",
    "１２７.0.0.1:5001",
    "127.0.0.1:5001\r\nx: y",
    "127.0.0.1:0",
    "127.0.0.1:70537",
    "127.0.0.1",
    ":5001",
    "",
  ]) {
    it(`${JSON.stringify(forged)} is not allowed, however it looks`, () => {
      assert.equal(to(forged), null);
    });
  }

  it("is allowed only when it means exactly what its node advertises", () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip}]`),
      fc.domain(),
    );
    const endpoint = fc.tuple(host, fc.integer({ min: 1, max: 65_535 }));
    fc.assert(
      fc.property(endpoint, endpoint, ([host, port], [otherHost, otherPort]) => {
        const said = { advertised: advertised({ n: `${host}:${port}` }), members: [] };
        assert.ok(allowedEndpoint(`${host}:${port}`, "n", said, DEV), `${host}:${port}`);
        if (port !== otherPort) assert.equal(allowedEndpoint(`${host}:${otherPort}`, "n", said, DEV), null);
        if (host === otherHost) return;
        assert.equal(allowedEndpoint(`${otherHost}:${port}`, "n", said, DEV), null);
      }),
    );
  });
});
