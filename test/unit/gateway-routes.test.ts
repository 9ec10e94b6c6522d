/** @module What each HTTP route hands to its action. */
import assert from "node:assert/strict";
import type { JsonObject } from "../../lib/json.ts";
import { parseQuery } from "../../services/gateway/query.ts";
import { FLEET_ROUTES } from "../../services/gateway/routes/fleet.ts";
import { ROUTES } from "../../services/gateway/routes.ts";

interface Asked {
  readonly id?: string;
  readonly query?: string;
  readonly body?: JsonObject;
  readonly key?: string;
}

function paramsOf(action: string, { id = "s1", query = "", body = {}, key }: Asked): JsonObject {
  const route = FLEET_ROUTES.find((candidate) => candidate.action === action);
  assert.ok(route, `no route calls ${action}`);
  return route.params({
    id,
    query: parseQuery(query),
    body,
    header: (name) => (name === "idempotency-key" ? key : undefined),
  });
}

describe("The append route", () => {
  it("hands on every field as it was sent, wrong types and nulls included", () => {
    const body = { user_id: 5, agent_id: null, kind: [], content: "x", metadata: null, expected_seq: "1" };
    assert.deepEqual(paramsOf("messages.append", { body }), { ...body, session_id: "s1" });
  });

  it("ignores fields that it does not know, and takes the session from the path alone", () => {
    const body = { user_id: "u", content: {}, session_id: "other", id: "x", seq: 9 };
    assert.deepEqual(paramsOf("messages.append", { body }), { user_id: "u", content: {}, session_id: "s1" });
  });

  it("takes no field from a prototype", () => {
    const body = JSON.parse('{"__proto__":{"user_id":"mallory"},"content":{}}');
    assert.deepEqual(paramsOf("messages.append", { body }), { content: {}, session_id: "s1" });
  });

  it("refuses sender_id with invalid_message", () => {
    for (const sender_id of ["u", null]) {
      assert.throws(() => paramsOf("messages.append", { body: { user_id: "u", sender_id, content: {} } }), {
        type: "invalid_message",
      });
    }
  });

  it("takes the idempotency key from the header or from the body", () => {
    assert.equal(paramsOf("messages.append", { key: "k" }).idempotency_key, "k");
    assert.equal(paramsOf("messages.append", { body: { idempotency_key: "k" } }).idempotency_key, "k");
    const both = paramsOf("messages.append", { body: { idempotency_key: "k" }, key: "k" });
    assert.equal(both.idempotency_key, "k");
  });

  it("refuses two keys that differ, whatever their types", () => {
    for (const idempotency_key of ["other", "", 1, null]) {
      assert.throws(() => paramsOf("messages.append", { body: { idempotency_key }, key: "1" }), {
        type: "invalid_message",
      });
    }
  });
});

describe("The message list route", () => {
  it("hands on only the parameters that were given", () => {
    assert.deepEqual(paramsOf("messages.list", {}), { session_id: "s1" });
    assert.deepEqual(paramsOf("messages.list", { query: "after_seq=0&limit=10" }), {
      session_id: "s1",
      after_seq: 0,
      limit: 10,
    });
    assert.deepEqual(paramsOf("messages.list", { query: "tail=3&max_bytes=1" }), {
      session_id: "s1",
      tail: 3,
    });
  });

  for (const query of ["tail=3&limit=3", "tail=3&after_seq=0", "tail=3&limit=", "after_seq=abc", "limit="]) {
    it(`refuses "${query}" with invalid_parameter`, () => {
      assert.throws(() => paramsOf("messages.list", { query }), { type: "invalid_parameter" });
    });
  }
});

describe("The session routes", () => {
  it("need user_id to list", () => {
    assert.throws(() => paramsOf("sessions.list", { query: "status=active" }), { type: "invalid_parameter" });
    assert.deepEqual(paramsOf("sessions.list", { query: "user_id=u&status=x&limit=5&cursor=c" }), {
      user_id: "u",
      status: "x",
      limit: 5,
      cursor: "c",
    });
  });

  it("take the session of a read from the path alone", () => {
    assert.deepEqual(paramsOf("sessions.read", { body: { id: "other", user_id: "u", last_seq: null } }), {
      id: "s1",
      user_id: "u",
      last_seq: null,
    });
  });
});

describe("The routes", () => {
  it("each have a method and path of their own, which tells them apart", () => {
    assert.equal(new Set(ROUTES.map(({ method, path }) => `${method} ${path}`)).size, ROUTES.length);
  });
});
