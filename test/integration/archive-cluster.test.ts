/** @module How the nodes of a cluster recover groups whose log has lost its beginning: from each other, from a snapshot. */
import assert from "node:assert/strict";
import { Cluster } from "../helpers/cluster.ts";
import { request } from "../helpers/http.ts";
import { createSessions, Load } from "../helpers/load.ts";
import { execute, startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 4;
const SESSIONS = ["a", "b", "c", "d", "e", "f"];

/** Waits until old messages can be read again: connections that hung are given up one by one. */
async function archiveIsBack(url: string): Promise<void> {
  await until("old messages can be read", async () => {
    const pages = await Promise.all(
      SESSIONS.map((id) => request(url, "GET", `/api/sessions/${id}/messages`)),
    );
    return pages.every(({ status }) => status === 200);
  });
}

describe("a cluster whose logs have lost their beginning", () => {
  let postgres: TestPostgres;
  let cluster: Cluster;
  let load: Load;
  before(async function () {
    this.timeout(120_000);
    postgres = await startPostgres();
    cluster = await Cluster.start({
      groups: GROUPS,
      servers: 1,
      databaseUrl: await postgres.database(),
      env: { FLEET_FLUSH_INTERVAL_MS: "100", FLEET_SNAPSHOT_EVERY: "60" },
    });
    const [{ url } = { url: "" }] = cluster.nodes;
    await createSessions(url, SESSIONS);
    load = new Load(SESSIONS, () => cluster.nodes.map((node) => node.url));
    await until("every group that has sessions has two snapshots", async () => {
      const rows = await execute<{ snapshots: string }>(
        cluster.databaseUrl,
        "select count(*) as snapshots from raft_snapshots group by group_id",
      );
      return rows.length >= 3 && rows.every(({ snapshots }) => Number(snapshots) >= 2);
    });
    await load.stop();
  });
  after(async () => {
    await cluster.stop();
    await postgres.stop();
  });

  it("gives a node that was killed a copy from another one, also while Postgres is away", async () => {
    await cluster.node("n2").program.end("SIGKILL");
    await postgres.pause();
    try {
      await cluster.startNode("n2");
      await cluster.settled();
      await cluster.replicasAgree();
    } finally {
      postgres.resume();
    }
    await archiveIsBack(cluster.node("n2").url);
    await load.verify(cluster.node("n2").url);
  });

  it("waits for Postgres when no node has a copy, says so, and is whole when it is back", async function () {
    this.timeout(120_000);
    const ids = cluster.nodes.map(({ id }) => id);
    await Promise.all(cluster.nodes.map(({ program }) => program.end("SIGKILL")));
    await postgres.pause();
    const starts = ids.map((id) => cluster.startNode(id));
    try {
      await until(
        "a node says what it waits for",
        () =>
          ids.some((id) =>
            /^waiting .*the log begins at \d+, and neither a live replica nor a usable snapshot/m.test(
              cluster.node(id).program.output,
            ),
          ),
        60_000,
      );
      const ready = await request(cluster.node("n1").url, "GET", "/health/ready");
      assert.equal(ready.status, 503);
      assert.equal(ready.body.reason, "groups_recovering");
    } finally {
      postgres.resume();
    }
    await Promise.all(starts);
    await cluster.settled();
    await cluster.replicasAgree();
    await archiveIsBack(cluster.node("n3").url);
    await load.verify(cluster.node("n3").url);
  });
});
