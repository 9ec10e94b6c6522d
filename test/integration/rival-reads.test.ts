/** @module What a node shows of a group that another one has claimed, while its own lease goes on. */
import assert from "node:assert/strict";
import type { Service } from "moleculer";
import { groupOf } from "../../lib/ids.ts";
import type { Topology } from "../../services/raft/topology.ts";
import { startFleet, type TestFleet, type TestNode } from "../helpers/fleet.ts";
import { request } from "../helpers/http.ts";

const GROUPS = 4;
/** Longer than the test: without a word from the other node, the old leader would serve reads all the while. */
const LEASE_MS = 600_000;

describe("a fleet in which a node claims a group that another one leads", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet({ groups: GROUPS, env: { FLEET_LEADER_LEASE_MS: String(LEASE_MS) } });
  });
  after(() => fleet.stop());

  it("shows on every node what the new leader has acknowledged", async () => {
    for (let round = 0; round < 5; round++) {
      const id = `claimed-${round}`;
      const group = groupOf(id, GROUPS);
      const old = fleet.nodes.find((node) => replica(node, group)?.leader?.leading);
      assert.ok(old, `somebody leads group ${group}`);
      const next = fleet.nodes.find((node) => node !== old && replica(node, group)?.caughtUp);
      assert.ok(next, `somebody follows group ${group}`);
      assert.ok(await replica(next, group)?.promote(), "the claim is in the log");
      const body = { id, user_id: "u", agent_id: "a" };
      assert.equal((await request(next.url, "POST", "/api/sessions", body)).status, 201);
      const said = await request(next.url, "POST", `/api/sessions/${id}/messages`, {
        user_id: "u",
        content: { round },
      });
      assert.equal(said.status, 200);
      for (const { url } of fleet.nodes) {
        const page = await request(url, "GET", `/api/sessions/${id}/messages`);
        assert.equal(page.status, 200, `${url} knows the session`);
        assert.equal(page.body.messages.length, 1);
      }
    }
  });
});

function replica({ broker }: TestNode, group: number) {
  const service: Service & { topology?: Topology } = broker.getLocalService("raft.topology");
  return service.topology?.replicas.get(group);
}
