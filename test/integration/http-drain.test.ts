/** @module Draining over HTTP: a node of a real fleet hands its groups over, stays, and takes them back. */
import assert from "node:assert/strict";
import type { Drained } from "../../services/raft/contract.ts";
import type { FleetStatus } from "../../services/raft/fleet-status.ts";
import { ask } from "../helpers/console.ts";
import { startFleet, type TestFleet, type TestNode } from "../helpers/fleet.ts";
import { until } from "../helpers/until.ts";

const TOKEN = "open-sesame";
const BEARER = { authorization: `Bearer ${TOKEN}` };

describe("A drain over HTTP", () => {
  let fleet: TestFleet;
  let one: TestNode;
  before(async () => {
    fleet = await startFleet({ env: { CONSOLE_TOKEN: TOKEN } });
    one = fleet.nodes[0]!;
  });
  after(() => fleet?.stop());

  const order = (what: string, node: string, headers: Readonly<Record<string, string>> = BEARER) =>
    ask(one, `POST /api/fleet/nodes/${node}/${what}`, undefined, headers);
  async function status(): Promise<FleetStatus> {
    return JSON.parse((await ask(one, "GET /api/fleet/status")).text);
  }
  /** A node learns of the others' draining a moment after they themselves, and decides by what it knows. */
  const everybodySees = (draining: readonly string[]) =>
    until("every node knows who drains", async () => {
      const views = await Promise.all(
        fleet.nodes.map(async (node) => JSON.parse((await ask(node, "GET /api/fleet/status")).text)),
      );
      return (views as FleetStatus[]).every(({ nodes }) =>
        nodes.every((node) => node.draining === draining.includes(node.id)),
      );
    });
  const leads = async (id: string) => (await status()).leaders.filter((leader) => leader === id).length;
  const ready = async ({ url }: TestNode) => (await fetch(`${url}/health/ready`)).status;

  it("moves every group of another node to the others; the node stays, not ready, until it is undrained", async () => {
    const two = fleet.nodes[1]!;
    assert.ok((await leads(two.id)) > 0);
    const { body, status: code } = await order("drain", two.id);
    assert.deepEqual([code, body.node, body.draining, body.node_id], [202, two.id, true, one.id]);
    await until("it leads nothing", async () => (await leads(two.id)) === 0);
    await until("every group has a leader", async () =>
      (await status()).leaders.every((one) => one !== null),
    );
    assert.equal((await status()).nodes.find(({ id }) => id === two.id)?.draining, true);
    assert.equal(await ready(two), 503);

    // Again: nothing more happens, and it does not end.
    assert.equal((await order("drain", two.id)).status, 202);
    assert.equal((await fetch(`${two.url}/health/live`)).status, 200);

    const back = await order("undrain", two.id);
    assert.deepEqual([back.status, back.body.node, back.body.draining], [202, two.id, false]);
    await everybodySees([]);
    await until("it leads again", async () => (await leads(two.id)) > 0);
    await until("it is ready", async () => (await ready(two)) === 200);
    assert.deepEqual(fleet.halted, []);
  });

  it("of the node that is asked works as of any other", async () => {
    assert.equal((await order("drain", one.id)).status, 202);
    await until("it leads nothing", async () => (await leads(one.id)) === 0);
    assert.equal((await order("undrain", one.id)).status, 202);
    await everybodySees([]);
    await until("it leads again", async () => (await leads(one.id)) > 0);
  });

  it("that is ordered again right after it was taken back is done", async () => {
    const two = fleet.nodes[1]!;
    const tell = (what: string) =>
      two.broker.call<Drained, object>(`fleet.ops.${what}`, what === "drain" ? { stay: true } : {});
    const told = [await tell("drain"), await tell("undrain"), await tell("drain")];
    assert.deepEqual(
      told.map(({ draining }) => draining),
      [true, false, true],
    );
    await until("it leads nothing", async () => (await leads(two.id)) === 0);
    assert.equal(await ready(two), 503);
    await tell("undrain");
    await everybodySees([]);
    await until("it leads again", async () => (await leads(two.id)) > 0);
    assert.deepEqual(fleet.halted, []);
  });

  it("is refused when nobody is left to take the groups", async () => {
    const [, two, three] = fleet.nodes as [TestNode, TestNode, TestNode];
    for (const { id } of [two, three]) {
      assert.equal((await order("drain", id)).status, 202);
      await until(`${id} leads nothing`, async () => (await leads(id)) === 0);
    }
    await everybodySees([two.id, three.id]);
    const { body, status: code } = await order("drain", one.id);
    assert.deepEqual([code, body.code], [409, "no_other_node"]);
    assert.match(String(body.error), /^No other node takes groups: dev-node1 keeps what it leads/);
    await until("it leads all", async () => (await leads(one.id)) === 16);
    for (const { id } of [two, three]) await order("undrain", id);
    await everybodySees([]);
    await until("all lead again", async () =>
      (await status()).nodes.every(({ leads, draining }) => leads > 0 && !draining),
    );
  });

  it("needs the token, the node's own origin, and a node that is there", async () => {
    assert.deepEqual(
      [(await order("drain", "dev-node2", {})).status, (await order("undrain", "dev-node2", {})).status],
      [401, 401],
    );
    const foreign = { ...BEARER, origin: "https://evil.example" };
    const refused = await order("drain", "dev-node2", foreign);
    assert.deepEqual([refused.status, refused.body.code], [403, "foreign_origin"]);
    for (const node of ["n9", "%3Cb%3E", "dev-node22", "dev-node2%2Fx"]) {
      for (const what of ["drain", "undrain"]) {
        const { body, status: code } = await order(what, node);
        assert.deepEqual([code, body.code], [404, "unknown_node"], `${what} ${node}`);
      }
    }
    assert.ok((await status()).nodes.every(({ draining }) => !draining));
  });
});
