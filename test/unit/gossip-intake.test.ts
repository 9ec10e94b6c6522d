/** @module The queue of what was received: whatever arrives when, it is merged. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Intake } from "../../corrosion/embedded/gossip/intake.ts";

describe("the queue of what was received", () => {
  it("does what arrives while the work before it is just ending", async () => {
    // However many turns of the microtasks lie between the last work and what comes next.
    for (let turns = 0; turns < 12; turns++) {
      const done: string[] = [];
      const intake = new Intake({
        replication: { receive: async () => [] },
        onReceived() {},
        onTrouble(error) {
          throw error;
        },
      });
      intake.run(async () => {
        done.push("first");
        void (async () => {
          for (let turn = 0; turn < turns; turn++) await null;
          intake.run(async () => void done.push("second"));
        })();
      });
      await setImmediate();
      assert.deepEqual(done, ["first", "second"], `${turns} turns`);
      assert.ok(intake.idle);
      await intake.stop();
    }
  });
});
