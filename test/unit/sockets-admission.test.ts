/** @module Tests: admission of work. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { Admission } from "../../services/gateway/sockets/admission.ts";

/** Begins a work of this weight, and tells whether it was let in. */
async function began(admission: Admission, weight: number): Promise<boolean> {
  let inside = false;
  void admission.begin(weight).then(() => {
    inside = true;
  });
  await turn();
  return inside;
}

describe("admission", () => {
  it("lets work begin up to its capacity, then in the order of arrival as other work ends", async () => {
    const admission = new Admission({ capacity: 10, maxLoad: 0, load: () => 0 });
    assert.equal(await began(admission, 6), true);
    const second = admission.begin(6);
    const order: number[] = [];
    void second.then(() => order.push(2));
    void admission.begin(1).then(() => order.push(3));
    await turn();
    assert.deepEqual(order, []);
    admission.done(6);
    await turn();
    assert.deepEqual(order, [2, 3]);
  });

  it("lets one work in that is heavier than its capacity, alone", async () => {
    const admission = new Admission({ capacity: 10, maxLoad: 0, load: () => 0 });
    assert.equal(await began(admission, 50), true);
    assert.equal(await began(admission, 1), false);
  });

  it("counts the load, and begins nothing while it is high", async () => {
    let load = 5;
    const admission = new Admission({ capacity: 10, maxLoad: 4, load: () => load });
    let inside = false;
    void admission.begin(1).then(() => {
      inside = true;
    });
    await turn();
    assert.equal(inside, false);
    load = 4;
    admission.admit();
    await turn();
    assert.equal(inside, true);
    assert.equal(await began(admission, 6), false);
  });

  it("forgets who waits when it is cleared", async () => {
    const admission = new Admission({ capacity: 1, maxLoad: 0, load: () => 0 });
    assert.equal(await began(admission, 1), true);
    assert.equal(await began(admission, 1), false);
    admission.clear();
    admission.done(1);
    assert.equal(await began(admission, 1), true);
  });
});
