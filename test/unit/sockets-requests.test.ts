/** @module Tests: payloads of joins and sends, and how failures are told. */
import assert from "node:assert/strict";
import { Errors } from "moleculer";
import { FleetError } from "../../lib/errors.ts";
import { joinRefusal, sendFailure } from "../../services/gateway/sockets/failures.ts";
import { lastSeqOf, parseSend } from "../../services/gateway/sockets/requests.ts";

const MAX = Number.MAX_SAFE_INTEGER;

describe("last_seq of a join", () => {
  it("is an integer or a numeric string, and 0 when it is missing, invalid or negative", () => {
    const table: readonly (readonly [unknown, number])[] = [
      [{ last_seq: 7 }, 7],
      [{ last_seq: "7" }, 7],
      [{ last_seq: "007" }, 7],
      [{ last_seq: 0 }, 0],
      [{}, 0],
      [{ last_seq: -1 }, 0],
      [{ last_seq: "-1" }, 0],
      [{ last_seq: 1.5 }, 0],
      [{ last_seq: "1.5" }, 0],
      [{ last_seq: "1e3" }, 0],
      [{ last_seq: "seven" }, 0],
      [{ last_seq: "" }, 0],
      [{ last_seq: " 7" }, 0],
      [{ last_seq: null }, 0],
      [{ last_seq: true }, 0],
      [{ last_seq: [7] }, 0],
      [{ last_seq: { valueOf: 7 } }, 0],
      [null, 0],
      [undefined, 0],
      [7, 0],
      ["7", 0],
      [[7], 0],
    ];
    for (const [payload, expected] of table)
      assert.equal(lastSeqOf(payload), expected, JSON.stringify(payload));
  });

  it("may be beyond every seq, to be clamped later", () => {
    for (const last_seq of [2 ** 60, 1e300, JSON.parse("1e400"), "9".repeat(400)]) {
      assert.equal(lastSeqOf({ last_seq }), MAX);
    }
  });
});

describe("the payload of a send", () => {
  const parse = (payload: unknown) => parseSend(payload, JSON.stringify(payload)?.length ?? 0);

  it("gives the message as sessions.messages.append takes it", () => {
    const payload = {
      content: { kind: "note", content: { text: "hi" }, metadata: { a: 1 } },
      idempotency_key: "k",
      expected_seq: 3,
      other: "ignored",
    };
    assert.deepEqual(parse(payload), {
      ok: true,
      message: {
        kind: "note",
        content: { text: "hi" },
        metadata: { a: 1 },
        idempotency_key: "k",
        expected_seq: 3,
      },
    });
    const least = parse({ content: { content: {} } });
    assert.ok(least.ok);
    assert.equal(least.message.kind, undefined);
    assert.deepEqual(least.message.content, {});
  });

  it("is refused with what is wrong and what was received", () => {
    const content = { text: "hi" };
    const bad: unknown[] = [
      null,
      "text",
      7,
      [],
      {},
      { content: "hi" },
      { content: null },
      { content: [] },
      { content: {} },
      { content: { content: "hi" } },
      { content: { content: [] } },
      { content: { content: null } },
      { content: { content, kind: "" } },
      { content: { content, kind: 5 } },
      { content: { content, kind: null } },
      { content: { content, metadata: [] } },
      { content: { content, metadata: "m" } },
      { content: { content }, idempotency_key: 5 },
      { content: { content }, expected_seq: "3" },
      { content: { content }, expected_seq: -1 },
      { content: { content }, expected_seq: 1.5 },
      { content: { content }, expected_seq: 2 ** 60 },
    ];
    for (const payload of bad) {
      const parsed = parse(payload);
      assert.ok(!parsed.ok, JSON.stringify(payload));
      assert.equal(parsed.response.error, "invalid_message_format");
      assert.equal(typeof parsed.response.details, "string");
      assert.deepEqual(parsed.response.received, payload);
    }
  });

  it("is not echoed when it is large, nor walked over when it is nested beyond reason", () => {
    const large = parse({ content: "x".repeat(20_000) });
    assert.ok(!large.ok);
    assert.match(String(large.response.received), /^a frame of \d+ bytes$/);

    const bomb: unknown = JSON.parse(
      `{"content":{"content":{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}}}`,
    );
    const refused = parseSend(bomb, 400_030);
    assert.ok(!refused.ok);
    assert.match(String(refused.response.details), /nested/);
    assert.doesNotThrow(() => JSON.stringify(refused.response));
  });
});

describe("a send that failed", () => {
  it("is told as the contract's code with its fields", () => {
    const told = (error: Error) => sendFailure(error).response;
    assert.deepEqual(told(new FleetError("session_archived", "")), { error: "session_archived" });
    assert.deepEqual(told(new FleetError("not_participant", "")), { error: "not_participant" });
    assert.deepEqual(told(new FleetError("invalid_message", "")), { error: "invalid_message" });
    assert.deepEqual(told(new FleetError("content_too_large", "")), { error: "content_too_large" });
    assert.deepEqual(told(new FleetError("expected_seq_conflict", "", { last_seq: 5 })), {
      error: "expected_seq_conflict",
      last_seq: 5,
    });
    assert.deepEqual(told(new FleetError("leader_unavailable", "", { retry_after_ms: 250 })), {
      error: "leader_unavailable",
      retry_after_ms: 250,
    });
  });

  it("says that the message may be there whenever nobody knows that it is not", () => {
    const unknown = { error: "timeout", may_have_committed: true };
    const cases = [
      new FleetError("append_timeout", "", { may_have_committed: true }),
      new Errors.RequestTimeoutError({ action: "sessions.messages.append", nodeID: "n" }),
      new Errors.RequestRejectedError({ action: "sessions.messages.append", nodeID: "n" }),
      new TypeError("a defect"),
      "not even an error",
    ];
    for (const error of cases) assert.deepEqual(sendFailure(error).response, unknown);
    assert.deepEqual(
      cases.map((error) => sendFailure(error).unexpected),
      [false, false, false, true, true],
    );
  });

  it("says that it was certainly not written when no handler saw it", () => {
    const error = new Errors.ServiceNotFoundError({ action: "sessions.messages.append", nodeID: "n" });
    assert.deepEqual(sendFailure(error).response, { error: "leader_unavailable", retry_after_ms: 1000 });
    const invalid = new Errors.ValidationError("params", "VALIDATION_ERROR", {});
    assert.deepEqual(sendFailure(invalid).response, { error: "invalid_message" });
  });

  it("tells for how long the node is busy", () => {
    const failure = sendFailure(new FleetError("backpressure", "", { retry_after_ms: 70 }));
    assert.equal(failure.busyForMs, 70);
    assert.deepEqual(failure.response, { error: "backpressure", retry_after_ms: 70 });
  });
});

describe("a join that failed", () => {
  it("is told as not found for an unknown session, and as unavailable for anything else", () => {
    assert.equal(joinRefusal(new FleetError("session_not_found", "")).reason, "not found");
    assert.equal(joinRefusal(new FleetError("leader_unavailable", "")).reason, "unavailable");
    assert.equal(joinRefusal(new Error("fan-out down")).reason, "unavailable");
  });
});
