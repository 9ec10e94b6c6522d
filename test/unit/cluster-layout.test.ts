/** @module The environment of a cluster's nodes, out of that of the person who starts it. */
import assert from "node:assert/strict";
import { nodeEnvironment, readLayout } from "../../bin/cluster/layout.ts";
import { readConfig } from "../../lib/config.ts";

const BACKING = {
  natsUrl: "nats://127.0.0.1:4222",
  databaseUrl: "postgresql://127.0.0.1/fleet",
  redisUrl: null,
};

describe("The nodes of a cluster on one machine", () => {
  const configs = (environment: Record<string, string>) => {
    const layout = readLayout(environment);
    return layout.nodes.map((_, i) => readConfig(nodeEnvironment(layout, i, BACKING)));
  };

  it("take the data folder by either of its names, and have it below", () => {
    for (const name of ["FLEET_DATA_DIR", "DATA_DIR"]) {
      for (const config of configs({ [name]: "/srv/fleet" })) {
        assert.equal(config.dataDir, "/srv/fleet/cluster", name);
      }
    }
  });

  it("are told apart by number, name, ports and folders", () => {
    const all = configs({ PORT: "7000", API_PORT: "7100", CORROSION_API_PORT: "7200" });
    assert.deepEqual(
      all.map(({ nodeId, port, console }) => [nodeId, port, console.ack.port, console.agent.apiPort]),
      [1, 2, 3].map((n) => [`dev-node${n}`, 7000 + n, 7100 + n, 7200 + n]),
    );
    for (const of of [
      all.map(({ console }) => console.dataDir),
      all.map(({ console }) => console.agent.adminPath),
    ]) {
      assert.equal(new Set(of).size, 3);
    }
  });
});
