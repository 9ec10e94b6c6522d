/** @module What a node's validator makes of params that cannot be made into text. */
import assert from "node:assert/strict";
import { Errors } from "moleculer";
import { startFleet } from "../helpers/fleet.ts";

describe("A node's actions", () => {
  it("refuse params that cannot be printed as they refuse others", async () => {
    const fleet = await startFleet({ nodes: 1, groups: 1 });
    try {
      const { broker } = fleet.nodes[0]!;
      for (const text of [
        '[{"toString": false}]',
        '[{"valueOf": {}, "toString": []}]',
        '[{"__proto__": null}]',
        "[1]",
      ]) {
        await assert.rejects(broker.call("raft.topology.group", { group: JSON.parse(text) }), (error) => {
          assert.ok(error instanceof Errors.ValidationError, text);
          const [{ type, field }] = error.data;
          assert.deepEqual([type, field], ["number", "group"]);
          return true;
        });
      }
    } finally {
      await fleet.stop();
    }
  });
});
