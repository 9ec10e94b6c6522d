/** @module A node whose copy of a group cannot go on: another node, which can, leads that group. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { groupOf } from "../../lib/ids.ts";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { rankNodes } from "../../services/raft/placement.ts";
import { Cluster } from "../helpers/cluster.ts";
import { ask } from "../helpers/console.ts";
import { until } from "../helpers/until.ts";

const OLDER = fileURLToPath(new URL("../helpers/older-version.mjs", import.meta.url));
const GROUPS = 16;
const IDS = ["n1", "n2", "n3"];

describe("A node of an older version, whose copy of a group meets a command that it does not know", function () {
  this.timeout(120_000);
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({ groups: GROUPS, nodes: 2, servers: 1 });
    await cluster.startNode("n3", { NODE_OPTIONS: `--import ${OLDER}` });
    await cluster.settled();
  });
  after(() => cluster?.stop());

  const statusOf = async (id: string): Promise<FleetStatus> =>
    JSON.parse((await ask(cluster.node(id), "GET /api/fleet/status")).text);

  it("leaves that group to the next one that can go on, when its leader is lost", async () => {
    const ids = Array.from({ length: 1000 }, (_, i) => `s${i}`);
    const session = ids.find((id) => rankNodes(groupOf(id, GROUPS), IDS)[1] === "n3") ?? assert.fail();
    const group = groupOf(session, GROUPS);
    const [leader, , survivor] = rankNodes(group, IDS) as [string, string, string];
    await until("the first leads it", async () => (await statusOf(survivor)).leaders[group] === leader);
    const body = { id: session, user_id: "u", agent_id: "a" };
    assert.equal((await ask(cluster.node(survivor), "POST /api/sessions", body)).status, 201);
    const { url } = cluster.node(survivor);
    const archived = await fetch(`${url}/api/sessions/${session}`, { method: "DELETE" });
    assert.equal(archived.status, 204);
    await until("n3 is halted", async () => {
      const { problems } = await statusOf(survivor);
      return problems.some((problem) => problem.startsWith("n3: ") && problem.includes('command "archive"'));
    });
    await cluster.node(leader).program.end("SIGKILL");
    const leads = async () => (await statusOf(survivor)).leaders[group] === survivor;
    await until("the third leads it", leads, 20_000);
    const found = await ask(cluster.node("n3"), `GET /api/sessions/${session}`);
    assert.equal((found.body.session as { status: string }).status, "archived");
  });
});
