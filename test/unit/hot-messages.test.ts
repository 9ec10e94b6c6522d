/** @module Message bodies in RAM: never more than the node may hold. */
import assert from "node:assert/strict";
import type { Message } from "../../services/conversations/contract.ts";
import { HotMessages } from "../../services/raft/hot-messages.ts";

const message = (seq: number): Message => ({
  id: `m${seq}`,
  session_id: "s",
  seq,
  sender_id: "u",
  kind: "text",
  content: {},
  metadata: {},
  inserted_at: "2026-01-01T00:00:00.000000Z",
});

describe("the bodies in RAM", () => {
  it("never take more than their bound; the ones used last stay", () => {
    const hot = new HotMessages(100_000);
    for (let seq = 1; seq <= 1000; seq++) {
      hot.put(3, seq, { message: message(seq), bytes: 1000 });
      assert.ok(hot.bytes <= 100_000);
    }
    assert.equal(hot.get(3, 1), undefined);
    assert.equal(hot.get(3, 1000)?.message.seq, 1000);
  });

  it("are kept apart by group, also far into a log", () => {
    const hot = new HotMessages(1_000_000);
    const far = 512 * 1_000_000_000;
    hot.put(0, far, { message: message(1), bytes: 100 });
    hot.put(1023, far, { message: message(2), bytes: 100 });
    hot.put(0, far + 1, { message: message(3), bytes: 100 });
    assert.deepEqual(
      [hot.get(0, far), hot.get(1023, far), hot.get(0, far + 1), hot.get(1, far)].map((h) => h?.message.seq),
      [1, 2, 3, undefined],
    );
  });

  it("leave out what alone is larger than the bound", () => {
    const hot = new HotMessages(1000);
    hot.put(0, 1, { message: message(1), bytes: 5000 });
    assert.equal(hot.get(0, 1), undefined);
    assert.equal(hot.bytes, 0);
  });
});
