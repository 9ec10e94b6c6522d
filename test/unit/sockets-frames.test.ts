/** @module Tests: the Phoenix Channels V2 frame. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addressOf,
  closeFrame,
  decodeFrame,
  PUSH_END,
  pushStart,
  replyFrame,
} from "../../services/gateway/sockets/frames.ts";

const decode = (text: string) => decodeFrame(Buffer.from(text));

describe("a V2 frame", () => {
  it("is read with text, numbers or null as refs and any payload", () => {
    const frame = decode('["1","2","session:a","send",{"x":[1]}]');
    assert.deepEqual(frame, {
      joinRef: "1",
      ref: "2",
      topic: "session:a",
      event: "send",
      payload: { x: [1] },
      bytes: 38,
    });
    assert.equal(decode('[null,null,"t","e",null]')?.joinRef, null);
    assert.equal(decode('[4,5,"t","e","text"]')?.ref, 5);
  });

  it("is refused when it is anything else", () => {
    const bad = [
      "",
      "x",
      "{}",
      "null",
      "[]",
      '[null,null,"t","e"]',
      '[null,null,"t","e",{},1]',
      '[null,null,1,"e",{}]',
      '[null,null,"t",null,{}]',
      '[{},null,"t","e",{}]',
      '[null,[],"t","e",{}]',
      '[true,null,"t","e",{}]',
      '[1e400,null,"t","e",{}]',
      `["${"r".repeat(257)}",null,"t","e",{}]`,
      '[null,null,"t","e",{}',
      '\ufeff[null,null,"t","e",{}]',
    ];
    for (const text of bad) assert.equal(decode(text), null, text);
    assert.equal(decodeFrame(Buffer.from([0x5b, 0xff, 0x5d])), null);
  });

  it("never throws, whatever the bytes are", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeFrame(Buffer.from(bytes))));
    fc.assert(fc.property(fc.json(), (text) => void decode(text)));
    for (const open of ["[", '{"a":', '["1",']) decode(open.repeat(100_000));
    decode(`["1","2","t","e",${"[".repeat(300_000)}${"]".repeat(300_000)}]`);
  });

  it("is written so that JSON.parse gives back what went in", () => {
    const ref = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.integer(), fc.constant(null));
    const text = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(ref, ref, text, text, fc.jsonValue(), (joinRef, number, topic, event, payload) => {
        const to = addressOf(joinRef, topic);
        const json = JSON.stringify(payload);
        assert.deepEqual(JSON.parse(replyFrame(to, number, "ok", json)), [
          joinRef,
          number,
          topic,
          "phx_reply",
          { status: "ok", response: JSON.parse(json) },
        ]);
        assert.deepEqual(JSON.parse(pushStart(to, event) + json + PUSH_END), [
          joinRef,
          null,
          topic,
          event,
          JSON.parse(json),
        ]);
        assert.deepEqual(JSON.parse(closeFrame(to)), [joinRef, joinRef, topic, "phx_close", {}]);
      }),
    );
  });
});
