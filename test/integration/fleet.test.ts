/** @module Conversations over an embedded fleet, asked on every node through the bus. */
import assert from "node:assert/strict";
import type { Appended, CreatedSession, MessagePage } from "../../services/conversations/contract.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";

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
