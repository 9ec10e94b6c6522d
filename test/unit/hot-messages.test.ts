/** @module Message bodies in RAM: never more than the node may hold. */
import assert from "node:assert/strict";
import { type HotMessage, HotMessages } from "../../services/raft/hot-messages.ts";

function hotMessage(session: string, seq: number, bytes: number): HotMessage {
  const message = {
    id: `m${seq}`,
    session_id: session,
    seq,
    sender_id: "u",
    kind: "text",
    content: {},
    metadata: {},
    inserted_at: "2026-01-01T00:00:00.000000Z",
  };
  return { message, at: 1, key: null, bytes };
}

describe("the bodies in RAM", () => {
  it("never take more than their bound; the ones used last stay", () => {
    const hot = new HotMessages(100_000);
    for (let seq = 1; seq <= 1000; seq++) {
      hot.put(hotMessage("s", seq, 1000));
      assert.ok(hot.bytes <= 100_000);
    }
    assert.equal(hot.get("s", 1), undefined);
    assert.equal(hot.get("s", 1000)?.message.seq, 1000);
  });

  it("are kept apart by session and seq", () => {
    const hot = new HotMessages(1_000_000);
    hot.put(hotMessage("s", 11, 100));
    hot.put(hotMessage("s1", 1, 100));
    assert.equal(hot.get("s", 11)?.message.session_id, "s");
    assert.equal(hot.get("s1", 1)?.message.session_id, "s1");
    assert.equal(hot.get("s", 1), undefined);
  });

  it("leave out what alone is larger than the bound", () => {
    const hot = new HotMessages(1000);
    hot.put(hotMessage("s", 1, 5000));
    assert.equal(hot.get("s", 1), undefined);
    assert.equal(hot.bytes, 0);
  });
});
