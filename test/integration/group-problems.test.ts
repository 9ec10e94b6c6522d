/** @module Groups that stand still or cannot go on, as metrics and fleet status count them. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNode } from "../../bin/start-node.ts";
import { stopAll } from "../../bin/stop-node.ts";
import { readConfig } from "../../lib/config.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { startFleet } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";
import { execute } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

describe("groups with a problem", () => {
  it("are counted while their archive stands still, and while a copy is halted", async () => {
    const fleet = await startFleet({ nodes: 1, groups: 1, env: { FLEET_FLUSH_INTERVAL_MS: "50" } });
    try {
      const [{ url, broker }] = fleet.nodes as [(typeof fleet.nodes)[0]];
      await request(url, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
      await execute(fleet.databaseUrl, "alter table messages add constraint none check (kind <> 'text')");
      await request(url, "POST", "/api/sessions/s/messages", { user_id: "u", content: {} });
      await until("its archive stands still", async () =>
        /^fleet_groups_stalled 1$/m.test(await runtimeOf(broker).metrics.metrics()),
      );
    } finally {
      await fleet.stop();
    }
    await execute(
      fleet.databaseUrl,
      "insert into group_watermarks values (0, 1000, now()) on conflict (group_id) do update set archived_index = 1000",
    );
    // A log that is empty, over that database: no group starts empty over existing data.
    const dataDir = await mkdtemp(join(tmpdir(), "fleet-problems-"));
    const config = readConfig({
      PORT: "0",
      DATABASE_URL: fleet.databaseUrl,
      FLEET_GROUPS: "1",
      FLEET_NODES: "1",
      FLEET_DATA_DIR: dataDir,
      FLEET_LOG_DIR: join(dataDir, "logs"),
      FLEET_LOG_LEVEL: "fatal",
    });
    const broker = createNode(config, {
      namespace: `problems-${process.pid}`,
      halt: (error) => assert.fail(error),
      retire: () => undefined,
    });
    try {
      await broker.start();
      await until("its copy is halted", async () =>
        /^fleet_groups_halted 1$/m.test(await runtimeOf(broker).metrics.metrics()),
      );
    } finally {
      await stopAll([broker]);
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
