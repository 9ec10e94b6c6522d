/** @module Conversations over an embedded fleet, asked on every node through the bus. */
import assert from "node:assert/strict";
import type { Appended, CreatedSession, MessagePage } from "../../services/conversations/contract.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";
import { readAll } from "../helpers/load.ts";

describe("an embedded fleet of three nodes", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet();
  });
  after(() => fleet.stop());

  it("shows on every node what was appended on another one", async () => {
    const [one, two, three] = fleet.nodes.map(({ broker }) => broker);
    const { session } = await one!.call<CreatedSession, object>("sessions.create", {
      user_id: "u",
      agent_id: "a",
    });
    for (let i = 1; i <= 20; i++) {
      const { message } = await two!.call<Appended, object>("messages.append", {
        session_id: session.id,
        user_id: "u",
        content: { i },
      });
      assert.equal(message.seq, i);
    }
    const page = await three!.call<MessagePage, object>("messages.list", { session_id: session.id });
    assert.deepEqual(
      page.messages.map(({ seq }) => seq),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });
});

describe("an embedded fleet under more load than it accepts", () => {
  it("refuses before acceptance only: what was answered 200 is stored, once, and nothing else is", async () => {
    const fleet = await startFleet({ env: { FLEET_INFLIGHT_BYTES: "40000" } });
    try {
      const urls = fleet.nodes.map(({ url }) => url);
      await request(urls[0]!, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
      const answers = await Promise.all(
        Array.from({ length: 300 }, (_, n) =>
          request(urls[n % 3]!, "POST", "/api/sessions/s/messages", {
            user_id: "u",
            content: { n, text: "x".repeat(4000) },
          }),
        ),
      );
      const taken = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status === 429);
      assert.ok(taken.length > 0 && refused.length > 0, `${taken.length} taken, ${refused.length} refused`);
      assert.equal(taken.length + refused.length, answers.length);
      for (const { body, headers } of refused) {
        assert.equal(body.code, "backpressure");
        assert.ok(Number(headers.get("retry-after")) >= 1 && body.retry_after_ms > 0);
      }
      const stored = await readAll(urls[1]!, "s");
      const bySeq = taken.map(({ body }) => body.message).sort((a, b) => a.seq - b.seq);
      assert.deepEqual(stored, bySeq);
    } finally {
      await fleet.stop();
    }
  });
});
