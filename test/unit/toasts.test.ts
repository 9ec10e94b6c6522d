/** @module Toasts: errors stay until they are closed, however many others come. */
import assert from "node:assert/strict";
import { closeToast, toast, toasts } from "../../public/data/toasts.ts";

describe("Toasts", () => {
  afterEach(() => {
    for (const { id } of toasts.value) closeToast(id);
  });
  const texts = () => toasts.value.map(({ text }) => text);

  it("of errors stay when others come, and the older ones of the others give way", () => {
    for (const n of [1, 2, 3]) toast.error(`error ${n}`);
    for (const n of [1, 2, 3, 4]) toast.success(`done ${n}`);
    assert.deepEqual(texts(), ["Error 1.", "Error 2.", "Error 3.", "done 3", "done 4"]);
    for (const n of [4, 5, 6]) toast.error(`error ${n}`);
    assert.deepEqual(texts().filter((text) => text.startsWith("Error")).length, 6);
    toast.info("the newest is shown");
    assert.equal(texts().at(-1), "the newest is shown");
  });

  it("of the same sentence are one", () => {
    for (let i = 0; i < 3; i++) toast.error("the disk is full");
    assert.deepEqual(texts(), ["The disk is full."]);
  });
});
