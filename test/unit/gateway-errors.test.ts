/** @module How failures become HTTP answers. */
import assert from "node:assert/strict";
import { Errors } from "moleculer";
import ApiGateway from "moleculer-web";
import { type ErrorCode, FleetError, STATUS } from "../../lib/errors.ts";
import { type Attempt, errorAnswer, RequestRefused, retryable } from "../../services/gateway/http-errors.ts";

const write: Attempt = { half: "fleet", writes: true, invalid: "invalid_message" };
const read: Attempt = { half: "fleet", writes: false, invalid: "invalid_parameter" };

/** As an error looks that came from another node: no class of ours, only its fields. */
function overTheBus(error: Errors.MoleculerError): Error {
  return Object.assign(new Error(error.message), {
    name: error.name,
    code: error.code,
    type: error.type,
    data: error.data,
  });
}

function bodyOf(error: unknown, attempt: Attempt | null): unknown {
  return errorAnswer(error, attempt)?.body;
}

function codeOf(error: unknown, attempt: Attempt | null): unknown {
  const body = bodyOf(error, attempt);
  return typeof body === "object" && body !== null && "code" in body ? body.code : undefined;
}

describe("An error", () => {
  for (const [code, status] of Object.entries(STATUS) as [ErrorCode, number][]) {
    it(`of code ${code} is answered with ${status}, its text and its code, also from another node`, () => {
      const error = new FleetError(code, "what was wrong");
      for (const seen of [error, overTheBus(error)]) {
        const answer = errorAnswer(seen, write);
        assert.equal(answer?.status, status);
        const retry = status === 429 || status === 503 ? { retry_after_ms: 1000 } : {};
        assert.deepEqual(answer?.body, { error: "what was wrong", code, ...retry });
      }
    });
  }

  it("shows its details and nothing else of what it carries", () => {
    const error = new FleetError("expected_seq_conflict", "no", { last_seq: 7 });
    Object.assign(error.data, { stack: "secret", may_have_committed: "yes", retry_after_ms: "soon" });
    assert.deepEqual(bodyOf(error, write), { error: "no", code: "expected_seq_conflict", last_seq: 7 });
    const timeout = new FleetError("append_timeout", "late", { may_have_committed: true });
    assert.deepEqual(bodyOf(timeout, write), {
      error: "late",
      code: "append_timeout",
      may_have_committed: true,
    });
  });

  it("that says when to try again does so in whole seconds too, rounded up, at least one", () => {
    for (const [ms, seconds] of [
      [1, "1"],
      [1000, "1"],
      [1001, "2"],
      [4500, "5"],
    ] as const) {
      const answer = errorAnswer(new FleetError("backpressure", "full", { retry_after_ms: ms }), write);
      assert.equal(answer?.headers?.["retry-after"], seconds);
      assert.deepEqual(answer?.body, { error: "full", code: "backpressure", retry_after_ms: ms });
    }
  });

  it("of a call that nobody could take is 503 leader_unavailable, for reads and writes", () => {
    const attempts: readonly (Attempt | null)[] = [read, write, null];
    for (const error of [
      new Errors.ServiceNotFoundError({ action: "messages.append" }),
      new Errors.ServiceNotAvailableError({ action: "messages.append" }),
      new ApiGateway.Errors.ServiceUnavailableError(""),
    ]) {
      for (const attempt of attempts) {
        const answer = errorAnswer(error, attempt);
        assert.equal(answer?.status, 503);
        assert.equal(answer?.headers?.["retry-after"], "1");
        assert.equal(codeOf(error, attempt), "leader_unavailable");
      }
    }
  });

  it("that leaves a write's outcome open is 504 append_timeout with may_have_committed", () => {
    for (const error of [
      new Errors.RequestTimeoutError({ action: "messages.append", nodeID: "a" }),
      new Errors.RequestRejectedError({ action: "messages.append", nodeID: "a" }),
      new Errors.RequestSkippedError({ action: "messages.append", nodeID: "a" }),
    ]) {
      const answer = errorAnswer(error, write);
      assert.equal(answer?.status, 504);
      const body = answer?.body as Record<string, unknown>;
      assert.equal(body.code, "append_timeout");
      assert.equal(body.may_have_committed, true);
      assert.match(String(body.error), /idempotency key/);
    }
  });

  it("that leaves a read without an answer is 503, for nothing can have happened", () => {
    const error = new Errors.RequestTimeoutError({ action: "sessions.get", nodeID: "a" });
    assert.equal(errorAnswer(error, read)?.status, 503);
    assert.equal(codeOf(error, read), "leader_unavailable");
  });

  it("of params that the bus refused has the route's own code", () => {
    const error = new Errors.ValidationError("Parameters validation error!", "VALIDATION_ERROR", {});
    assert.equal(errorAnswer(error, write)?.status, 422);
    assert.equal(codeOf(error, write), "invalid_message");
    assert.equal(errorAnswer(error, read)?.status, 400);
  });

  it("of the request itself is told under errors.detail", () => {
    assert.deepEqual(errorAnswer(new RequestRefused(404, "nothing here"), null), {
      status: 404,
      body: { errors: { detail: "nothing here" } },
    });
  });

  it("that nobody foresaw has no answer here, so that it is logged and its text stays inside", () => {
    for (const error of [
      new TypeError("x is undefined"),
      new Errors.MoleculerError("oops", 418, "TEAPOT"),
      "text",
      null,
    ]) {
      assert.equal(errorAnswer(error, write), null);
    }
  });
});

describe("An answer with 503", () => {
  it("says when to try again, unless it says so already", () => {
    assert.deepEqual(retryable({ status: 503, body: { status: "starting" } }), {
      status: 503,
      body: { status: "starting", retry_after_ms: 1000 },
      headers: { "retry-after": "1" },
    });
    assert.deepEqual(retryable({ status: 200, body: { status: "ok" } }), {
      status: 200,
      body: { status: "ok" },
    });
  });
});
