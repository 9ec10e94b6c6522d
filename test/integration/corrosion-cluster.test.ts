/** @module Members, identity and cluster updates over three real agents, each watched by its own node of one process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { failureType } from "../../lib/corrosion/failures.ts";
import type {
  AgentStatus,
  ClusterUpdate,
  CorrosionTables,
  Disagreements,
  Identity,
  IdentityMap,
  Membership,
  NodeConfigRow,
  NodeConfiguration,
} from "../../services/corrosion/contract.ts";
import { type ConsoleCluster, type ConsoleNode, startConsole } from "../helpers/console-cluster.ts";
import { until } from "../helpers/until.ts";

const LIMIT_MS = 90_000;

describe("Three nodes and their agents", function () {
  this.timeout(180_000);
  let cluster: ConsoleCluster;
  let one: ConsoleNode;
  let two: ConsoleNode;
  let three: ConsoleNode;

  before(async () => {
    cluster = await startConsole({ nodes: 3, heartbeat: { interval: 1, timeout: 4 } });
    [one, two, three] = cluster.nodes as [ConsoleNode, ConsoleNode, ConsoleNode];
    await cluster.running();
  });
  after(() => cluster.stop());

  const client = (node: ConsoleNode) =>
    new CorrosionClient({ url: `http://127.0.0.1:${node.apiPort}`, token: null });
  const hostsOf = async (node: ConsoleNode) => (await node.call<NodeConfiguration>("config.get")).hosts;
  const gossip = (...nodes: ConsoleNode[]) => nodes.map(({ gossipPort }) => `127.0.0.1:${gossipPort}`);

  async function refusal(asked: Promise<unknown>): Promise<string | null> {
    return asked.then(
      () => assert.fail("it was granted"),
      (error: unknown) => failureType(error),
    );
  }

  /** Waits until the update is over, as this node knows it; meanwhile counts the agents that are down. */
  async function over(
    node: ConsoleNode,
    update_id: string,
  ): Promise<{ update: ClusterUpdate; mostDown: number }> {
    let mostDown = 0;
    const update = await until(
      "the update is over",
      async () => {
        const states = await Promise.all(cluster.nodes.map(({ call }) => call<AgentStatus>("agent.status")));
        mostDown = Math.max(mostDown, states.filter(({ state }) => state !== "running").length);
        const known = await node.call<ClusterUpdate | null>("coordinator.status");
        const going = known?.state === "running" || known?.state === "rolling_back";
        return known?.update_id === update_id && !going ? known : null;
      },
      LIMIT_MS,
    );
    return { update, mostDown };
  }

  const statuses = ({ nodes }: ClusterUpdate) => nodes.map(({ node_id, status }) => [node_id, status]);

  it("report their actors, so that every node knows which actor is which node", async () => {
    const map = await until(
      "all are reported everywhere",
      async () => {
        const maps = await Promise.all(cluster.nodes.map(({ call }) => call<IdentityMap>("identity.map")));
        return maps.every((each) => Object.keys(each).length === 3) ? maps[2] : null;
      },
      LIMIT_MS,
    );
    assert.deepEqual(new Set(Object.values(map!)), new Set(["dev-node1", "dev-node2", "dev-node3"]));
    const { actor_id, error, node_id } = await one.call<Identity>("identity.get");
    assert.deepEqual([node_id, map![actor_id ?? ""], error], ["dev-node1", "dev-node1", null]);
  });

  it("write nothing while their actor stays the same, and write what changed without touching other columns", async () => {
    const rows = await one.call<NodeConfigRow[]>("identity.configs");
    await one.call<Identity>("identity.report");
    assert.deepEqual(await one.call<NodeConfigRow[]>("identity.configs"), rows, "nothing was written");
    const api = client(one);
    await api.transact([
      [
        "UPDATE node_configs SET corrosion_actor_id = ?, bootstrap_hosts = ? WHERE node_id = ?",
        ["f".repeat(32), '["x:1"]', "dev-node1"],
      ],
    ]);
    const { actor_id } = await one.call<Identity>("identity.report");
    const row = (await one.call<NodeConfigRow[]>("identity.configs")).find(
      ({ node_id }) => node_id === "dev-node1",
    );
    assert.deepEqual(
      [row?.corrosion_actor_id, row?.bootstrap_hosts, row?.updated_by],
      [actor_id, '["x:1"]', "dev-node1"],
    );
    // Another spelling of the same id is no change.
    await api.transact([
      [
        "UPDATE node_configs SET corrosion_actor_id = ? WHERE node_id = ?",
        [actor_id!.replaceAll("-", "").toUpperCase(), "dev-node1"],
      ],
    ]);
    await one.call<Identity>("identity.report");
    const kept = (await one.call<NodeConfigRow[]>("identity.configs")).find(
      ({ node_id }) => node_id === "dev-node1",
    );
    assert.match(kept?.corrosion_actor_id ?? "", /^[0-9A-F]{32}$/);
  });

  it("see each other as members with their nodes and regions, and themselves once", async () => {
    for (const node of cluster.nodes) {
      const { members, regions, cache_status, error } = await until(
        `${node.id} sees all`,
        async () => {
          const seen = await node.call<Membership>("members.get");
          const complete =
            seen.members.length === 3 &&
            seen.members.every(({ state, node_id }) => state === "Alive" && node_id !== null);
          return complete && seen.error === null ? seen : null;
        },
        LIMIT_MS,
      );
      assert.deepEqual(regions, ["dev-node1", "dev-node2", "dev-node3"]);
      assert.deepEqual(members.map(({ self, node_id }) => [self, node_id])[0], [true, node.id]);
      assert.equal(members.filter(({ self }) => self).length, 1);
      assert.deepEqual(new Set(members.map(({ address }) => address)), new Set(gossip(...cluster.nodes)));
      for (const member of members.filter(({ self }) => !self)) {
        assert.ok(BigInt(member.ts ?? 0) > 2n ** 53n);
        assert.ok(["active", "connected"].includes(member.status));
      }
      assert.equal(error, null);
      assert.equal(cache_status.member_count, 3);
    }
  });

  it("tell only their own listeners of their members", async () => {
    for (const node of cluster.nodes) {
      await until(`${node.id} heard of members`, () =>
        node.memberships.some(({ members }) => members.length === 3),
      );
      const selves = node.memberships.flatMap(({ members }) => members.filter(({ self }) => self));
      assert.ok(selves.every(({ node_id }) => node_id === node.id));
    }
  });

  it("have one fetch at a time, which all who ask for a refresh join", async () => {
    const before = one.memberships.length;
    const answers = await Promise.all([1, 2, 3, 4].map(() => one.call<Membership>("members.refresh")));
    assert.ok(
      answers.every(
        ({ cache_status }) => cache_status.last_updated === answers[0]!.cache_status.last_updated,
      ),
    );
    const begun = one.memberships
      .slice(before)
      .filter(({ cache_status }) => cache_status.status === "fetching");
    assert.ok(begun.length <= 2, "one fetch, and perhaps one of the timer's");
  });

  it("show what their own tables hold, and agree about everybody", async () => {
    const tables = await until(
      "the agent wrote its members",
      async () => {
        const found = await one.call<CorrosionTables>("members.corrosion");
        return found.members.filter(({ state }) => state === "Alive").length === 2 ? found : null;
      },
      LIMIT_MS,
    );
    assert.equal(tables.tracked_peers, null);
    assert.equal(tables.actor_id, (await one.call<Identity>("identity.get")).actor_id);
    assert.deepEqual(
      new Set(tables.members.map(({ node_id }) => node_id)),
      new Set(["dev-node2", "dev-node3"]),
    );
    const matrix = await one.call<Disagreements>("members.disagreements");
    assert.deepEqual(
      matrix.subjects.map(({ node_id, states }) => [node_id, ...states]),
      [
        ["dev-node1", "self", "Alive", "Alive"],
        ["dev-node2", "Alive", "self", "Alive"],
        ["dev-node3", "Alive", "Alive", "self"],
      ],
    );
    assert.equal(matrix.disagreement, false);
  });

  it("refuse an update without targets, for strangers, with bad hosts, and for nodes that are away", async () => {
    const update = (params: object) =>
      refusal(one.call("coordinator.update", { hosts: "a:1", node_ids: ["dev-node1"], ...params }));
    assert.equal(await update({ node_ids: [] }), "invalid_request");
    assert.equal(await update({ node_ids: ["dev-node1", "nobody-1"] }), "unknown_node");
    assert.equal(await update({ hosts: "a:1, no port" }), "invalid_request");
    await client(one).transact([["INSERT INTO node_configs (node_id) VALUES (?)", ["ams-gone"]]]);
    assert.equal(await update({ node_ids: ["ams-gone"] }), "agent_not_managed");
    await client(one).transact([["DELETE FROM node_configs WHERE node_id = ?", ["ams-gone"]]]);
    assert.equal(await two.call("coordinator.status"), null);
  });

  it("refuse an update of a node whose agent does not run, and touch none of the others", async () => {
    await three.call("agent.stop", { wait: true });
    try {
      const node_ids = ["dev-node1", "dev-node3"];
      const before = await hostsOf(one);
      const refused = one.call("coordinator.update", { hosts: gossip(one, three), node_ids });
      await assert.rejects(refused, {
        code: 409,
        message: /The agent of dev-node3 does not run, it is stopped/,
      });
      assert.deepEqual(await hostsOf(one), before);
      assert.equal(await two.call("coordinator.status"), null);
    } finally {
      await three.call("agent.start");
      await until(
        "it runs again",
        async () => (await three.call<AgentStatus>("agent.status")).state === "running",
        LIMIT_MS,
      );
    }
  });

  it("take new bootstrap hosts one after another, and meanwhile no other update, whoever leads it", async () => {
    const hosts = gossip(one, two, three);
    const node_ids = cluster.nodes.map(({ id }) => id);
    const { update_id } = await two.call<{ update_id: string }>("coordinator.update", { hosts, node_ids });
    // Not even one of other nodes: two agents would be down.
    assert.equal(await refusal(three.call("coordinator.update", { hosts, node_ids: ["dev-node3"] })), "busy");
    assert.equal(await refusal(two.call("coordinator.update", { hosts, node_ids: ["dev-node1"] })), "busy");
    // Nor a change of a node's own, by whoever operates that one.
    assert.equal(await refusal(three.call("config.applyBootstrap", { hosts })), "busy");
    for (const action of ["restart", "stop"])
      assert.equal(await refusal(three.call(`agent.${action}`)), "busy", action);
    const { mostDown, update } = await over(three, update_id);
    assert.equal(update.state, "succeeded", JSON.stringify(update));
    assert.deepEqual(statuses(update), [
      ["dev-node1", "ready"],
      ["dev-node3", "ready"],
      ["dev-node2", "ready"],
    ]);
    assert.equal(mostDown, 1);
    for (const node of cluster.nodes) {
      assert.deepEqual(await hostsOf(node), hosts);
      assert.deepEqual((await node.call<ClusterUpdate>("coordinator.status")).state, "succeeded");
    }
    await until(
      "their rows say so",
      async () => {
        const rows = await one.call<NodeConfigRow[]>("identity.configs");
        return rows.every(
          (row) =>
            row.bootstrap_hosts === JSON.stringify(hosts) &&
            row.corrosion_actor_id !== null &&
            row.updated_by === two.id,
        );
      },
      LIMIT_MS,
    );
    const seen = new Set(
      three.updates
        .filter((one) => one.update_id === update_id)
        .flatMap(({ nodes }) => nodes.map(({ status }) => status)),
    );
    for (const status of ["pending", "applying", "restarting", "ready"] as const)
      assert.ok(seen.has(status), status);
  });

  it("are all as before, in reverse order, when the second one's agent does not start again", async () => {
    const before = await Promise.all(cluster.nodes.map(hostsOf));
    const hosts = gossip(one, two);
    const { update_id } = await three.call<{ update_id: string }>("coordinator.update", {
      hosts,
      node_ids: cluster.nodes.map(({ id }) => id),
    });
    const status = () => three.call<ClusterUpdate>("coordinator.status");
    await until(
      "the second one restarts",
      async () => (await status()).nodes[1]?.status === "restarting",
      LIMIT_MS,
    );
    const squatter = await takePort(two.gossipPort);
    await until("the update is undone", async () => (await status()).state !== "running", LIMIT_MS);
    squatter.close();
    const { mostDown, update } = await over(one, update_id);
    assert.equal(update.state, "rolled_back", JSON.stringify(update));
    assert.deepEqual(statuses(update), [
      ["dev-node1", "rolled_back"],
      ["dev-node2", "rolled_back"],
      ["dev-node3", "skipped"],
    ]);
    assert.ok(mostDown <= 1, `${mostDown} agents were down at a time`);
    assert.deepEqual(await Promise.all(cluster.nodes.map(hostsOf)), before);
    const undone = one.updates
      .filter((one) => one.update_id === update_id)
      .map(({ nodes }) => nodes.map(({ status }) => status === "rolled_back"));
    const first = (i: number) => undone.findIndex((rolledBack) => rolledBack[i]);
    assert.ok(first(1) >= 0 && first(1) < first(0), "the second one first");
  });

  /** Takes a port as soon as it is free: its agent cannot listen there again. */
  async function takePort(port: number): Promise<Server> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const server = createServer();
      server.listen(port, "127.0.0.1");
      const taken = await once(server, "listening").then(
        () => true,
        () => false,
      );
      if (taken) return server;
      assert.ok(performance.now() < deadline, "the port never got free");
      // The pace of the tries: the port is free for moments only.
      await delay(1);
    }
  }

  it("keep what they last knew of their members, with its age, while their agent is away", async () => {
    await three.call("agent.stop", { wait: true });
    const stale = await until("the fetch fails", async () => {
      const seen = await three.call<Membership>("members.refresh");
      return seen.error === null ? null : seen;
    });
    assert.equal(stale.members.length, 3);
    assert.equal(stale.cache_status.status, "error");
    assert.ok(stale.cache_status.last_updated !== null);
    assert.equal(stale.members.find(({ self }) => self)?.state, "Alive");
    const down = await until(
      "the others take it for Down",
      async () => {
        const seen = await one.call<Membership>("members.get");
        return seen.members.find(({ node_id, state }) => node_id === three.id && state === "Down");
      },
      LIMIT_MS,
    );
    assert.equal(down.status, "unknown");
    await three.call("agent.start");
    await cluster.running();
  });

  it("see that an update is interrupted when the node that leads it stops", async () => {
    const hosts = gossip(three);
    await two.call<{ update_id: string }>("coordinator.update", {
      hosts,
      node_ids: ["dev-node1", "dev-node3"],
    });
    await until(
      "the first one is being changed",
      async () => (await one.call<ClusterUpdate>("coordinator.status")).nodes[0]?.status === "applying",
      LIMIT_MS,
    );
    await two.broker.stop();
    for (const node of [one, three]) {
      const update = await until(`${node.id} knows`, async () => {
        const known = await node.call<ClusterUpdate>("coordinator.status");
        return known.state === "interrupted" ? known : null;
      });
      assert.deepEqual(statuses(update), [
        ["dev-node1", "failed"],
        ["dev-node3", "skipped"],
      ]);
    }
    const matrix = await one.call<Disagreements>("members.disagreements");
    const gone = matrix.observers.find(({ node_id }) => node_id === "dev-node2");
    assert.deepEqual([gone?.answered, gone?.reason], [false, "it is not connected to the bus"]);
    const column = matrix.observers.findIndex(({ node_id }) => node_id === "dev-node2");
    assert.ok(matrix.subjects.every(({ states }) => states[column] === "no answer"));
    // What the lost node began may still go on: nobody gets its nodes before the promise lapses.
    assert.equal(await refusal(three.call("coordinator.update", { hosts, node_ids: ["dev-node3"] })), "busy");
  });
});

describe("A node that is cut off", function () {
  this.timeout(180_000);
  let cluster: ConsoleCluster;

  before(async () => {
    cluster = await startConsole({ nodes: 2, heartbeat: { interval: 1, timeout: 3 }, stepMs: 10_000 });
    await cluster.running();
  });
  after(() => cluster.stop());

  it("leaves an update that it led interrupted, and can lead no other one without the bus", async () => {
    const [one, two] = cluster.nodes as [ConsoleNode, ConsoleNode];
    const hosts = [`127.0.0.1:${two.gossipPort}`];
    await two.call("coordinator.update", { hosts, node_ids: ["dev-node1", "dev-node2"] });
    await until(
      "the other one restarts its agent",
      async () => (await one.call<ClusterUpdate>("coordinator.status")).nodes[0]?.status === "restarting",
      LIMIT_MS,
    );
    // No goodbye: the others must find out.
    await two.broker.transit?.tx.disconnect();
    await until(
      "the other one knows",
      async () => (await one.call<ClusterUpdate>("coordinator.status")).state === "interrupted",
      LIMIT_MS,
    );
    const ended = await until(
      "the one that is cut off gave up",
      async () => {
        const known = await two.call<ClusterUpdate>("coordinator.status");
        return known.state === "running" || known.state === "rolling_back" ? null : known;
      },
      LIMIT_MS,
    );
    assert.equal(
      ended.state,
      "rollback_failed",
      "it never restarts its own agent while the other one's may be down",
    );
    assert.deepEqual(
      ended.nodes.map(({ status }) => status),
      ["failed", "skipped"],
    );
    await two.broker.transit?.disconnect();
    const refused = two.call("coordinator.update", { hosts, node_ids: ["dev-node2"] });
    await assert.rejects(refused, (error: unknown) => failureType(error) === "bus_unavailable");
    const matrix = await two.call<Disagreements>("members.disagreements");
    assert.deepEqual(
      matrix.observers.map(({ node_id, answered }) => [node_id, answered]),
      [
        ["dev-node1", false],
        ["dev-node2", true],
      ],
    );
  });
});
