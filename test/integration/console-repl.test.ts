/** @module What an operator types into the REPL about Corrosion, and what it answers. */
import assert from "node:assert/strict";
import type { Context } from "moleculer";
import { ServiceBroker } from "moleculer";
import { ConsoleCommandFailed } from "../../lib/console-repl.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import node from "../../services/corrosion/node.service.ts";
import { type ConsoleCommand, consoleCommands, runConsoleCommand } from "../../services/corrosion/repl.ts";
import { type Actions, AGENT, actors, JOB, MEMBERSHIP } from "../helpers/console.ts";
import { testBroker } from "../helpers/gateway.ts";
import { until } from "../helpers/until.ts";

const SUBSCRIBER = { state: "connected", rows: 3, change_id: 7, reason: null };
const asked: unknown[] = [];
const keep = (result: unknown) => (ctx: Context) => {
  asked.push([ctx.action?.name, ctx.params]);
  if (result instanceof Error) throw result;
  return result;
};

function room(name: string): Actions {
  const broken = name === "b";
  const failed = { ok: false, phase: "health", reason: "it does not answer", restart_id: "r", joined: false };
  return {
    "corrosion.agent.status": keep({
      ...AGENT,
      state: broken ? "crashed" : "running",
      reason: broken ? "five crashes" : null,
    }),
    "corrosion.agent.restart": keep(
      broken ? failed : { ok: true, phase: null, reason: null, restart_id: "r1", joined: false },
    ),
    "corrosion.subscriber.status": broken ? keep(new Error("not now")) : keep(SUBSCRIBER),
    "corrosion.members.get": keep({
      ...MEMBERSHIP,
      members: [{ state: "Alive" }, { state: "Alive" }, { state: "Down" }, { state: null }],
    }),
    "corrosion.config.rollback": broken
      ? keep(new CorrosionError("busy", "another change is under way"))
      : keep({ ...JOB, state: "ready", message: "done" }),
    "corrosion.config.restoreCanonical": keep({
      ...JOB,
      state: broken ? "error" : "ready",
      message: broken ? "no file" : "done",
    }),
  };
}

describe("The REPL commands of the Corrosion room", () => {
  let nodes: ServiceBroker[];
  let outside: ServiceBroker;
  before(async () => {
    const namespace = `repl-${process.pid}`;
    nodes = ["a", "b"].map((nodeId) => {
      const { broker } = testBroker({ namespace, nodeId });
      for (const service of [...actors(room(nodeId)), node]) broker.createService(service);
      return broker;
    });
    outside = new ServiceBroker({ namespace, nodeID: "repl-1", transporter: "Fake", logger: false });
    for (const broker of [...nodes, outside]) await broker.start();
    for (const broker of [...nodes, outside]) {
      await until("all nodes are known", async () => {
        return ["a", "b"].every((id) => broker.registry.nodes.get(id)?.services?.length >= 5);
      });
    }
  });
  beforeEach(() => void asked.splice(0));
  after(async () => {
    for (const broker of [...nodes, outside]) await broker.stop();
  });

  async function run(
    broker: ServiceBroker,
    name: string,
    argument: string | null = null,
    node: string | null = null,
  ) {
    const lines: string[] = [];
    const command: ConsoleCommand = { name, argument, node };
    await runConsoleCommand(broker, command, (line) => lines.push(line));
    return lines.join("\n");
  }
  const refused = (sentence: RegExp, ...args: Parameters<typeof run>) =>
    assert.rejects(run(...args), (error) => {
      assert.ok(error instanceof ConsoleCommandFailed, String(error));
      assert.match(error.message, sentence);
      return true;
    });

  it("corrosion status shows agent, subscriber and members of every node, from within and from outside", async () => {
    for (const broker of [nodes[0]!, outside]) {
      const text = await run(broker, "corrosion", "status");
      assert.match(text, /^a +agent +running, pid 4711, embedded development agent, http:/m);
      assert.match(text, /^ +subscriber +connected, 3 rows, change 7$/m);
      assert.match(text, /^ +members +2 Alive, 1 Down, 1 of unknown state \(fetching\)$/m);
      assert.match(text, /^b +agent +crashed, .*: five crashes$/m);
      assert.match(text, /^ +subscriber +does not answer: not now$/m);
    }
    await refused(/^Usage:/, nodes[0]!, "corrosion", "nonsense");
    await refused(/^Usage:/, nodes[0]!, "nonsense");
  });

  it("agent:restart restarts the agent of its own node, waits for the end, and says how that went", async () => {
    assert.equal(await run(nodes[0]!, "agent:restart"), "The agent of a runs again (restart r1).");
    assert.deepEqual(asked, [["corrosion.agent.restart", { wait: true }]]);
    await refused(
      /^The agent of b did not restart \(health\): it does not answer$/,
      nodes[1]!,
      "agent:restart",
    );
    await refused(/^The agent of b did not restart/, nodes[0]!, "agent:restart", null, "b");
    await refused(/takes no "b"; a node is given as --node/, nodes[0]!, "agent:restart", "b");
    await refused(/takes no "b"/, nodes[0]!, "config:restore", "b");
  });

  it("config:rollback brings back the newest backup or the named one", async () => {
    assert.match(await run(nodes[0]!, "config:rollback"), /^a is ready, bootstrap 127\.0\.0\.1:8788: done$/);
    await run(outside, "config:rollback", "node1.toml.1.bak", "a");
    assert.deepEqual(asked, [
      ["corrosion.config.rollback", { wait: true }],
      ["corrosion.config.rollback", { backup_id: "node1.toml.1.bak", wait: true }],
    ]);
    await refused(/^b does not do it: another change is under way$/, nodes[1]!, "config:rollback");
  });

  it("config:restore brings the canonical configuration back", async () => {
    assert.match(await run(nodes[0]!, "config:restore"), /^a is ready/);
    assert.deepEqual(asked, [["corrosion.config.restoreCanonical", { wait: true }]]);
    await refused(/^b failed: no file$/, nodes[0]!, "config:restore", null, "b");
  });

  it("need a node to be named where it is open which one is meant", async () => {
    for (const name of ["agent:restart", "config:restore", "config:rollback", "subscriber:flow"]) {
      await refused(/^Say which node is meant: give --node and one of a, b\.$/, outside, name);
      await refused(/^There is no node "c": give --node and one of a, b\.$/, outside, name, null, "c");
    }
    const alone = new ServiceBroker({ logger: false });
    await alone.start();
    await refused(/^No node with a Corrosion agent is there\.$/, alone, "agent:restart");
    await refused(/^No node with a Corrosion agent is there\.$/, alone, "corrosion", "status");
    await alone.stop();
  });

  it("subscriber:flow prints what a node's subscriber hears as it comes, from within and from outside", async () => {
    const row = { pk: "a_1", message: "hello" };
    for (const broker of [nodes[0]!, outside]) {
      const lines: string[] = [];
      const command = { name: "subscriber:flow", argument: "1", node: "a" };
      await nodes[0]!.broadcastLocal("message_updates", {
        node_id: "a",
        type: "new_message",
        row: { pk: "before" },
      });
      const over = runConsoleCommand(broker, command, (line) => lines.push(line));
      await until("it listens", () => lines.length === 1);
      await nodes[0]!.broadcastLocal("message_updates", { node_id: "a", type: "new_message", row });
      await nodes[0]!.broadcastLocal("message_updates", {
        node_id: "a",
        type: "message_change",
        change: "DELETE",
        row,
      });
      await nodes[0]!.broadcastLocal("message_updates", {
        node_id: "b",
        type: "new_message",
        row: { pk: "foreign" },
      });
      await nodes[0]!.broadcastLocal("message_updates", {
        node_id: "a",
        type: "subscription_error",
        reason: "gone",
      });
      await until("it is shown while it goes on", () => lines.length === 4);
      await over;
      assert.match(lines[1]!, /^\d{4}-\S+Z {2}new_message {2}a_1 {2}hello$/);
      assert.match(lines[2]!, /message_change {2}DELETE {2}a_1 {2}hello$/);
      assert.match(lines[3]!, /subscription_error {2}gone$/);
      assert.equal(lines[4], "3 events in 1 s.");
    }
  });

  it("subscriber:flow says how many events it could not keep", async () => {
    const lines: string[] = [];
    const over = runConsoleCommand(
      nodes[0]!,
      { name: "subscriber:flow", argument: "1", node: null },
      (line) => lines.push(line),
    );
    await until("it listens", () => lines.length === 1);
    for (let n = 0; n < 700; n++) {
      await nodes[0]!.broadcastLocal("message_updates", { node_id: "a", type: "subscription_ready" });
    }
    await over;
    const shown = lines.filter((line) => line.endsWith("subscription_ready")).length;
    const missed = lines.reduce((sum, line) => sum + Number(/^… (\d+) events/.exec(line)?.[1] ?? 0), 0);
    assert.equal(shown + missed, 700);
    assert.equal(lines.at(-1), "700 events in 1 s.");
  });

  it("subscriber:flow takes whole seconds alone", async () => {
    for (const seconds of ["0", "-1", "1.5", "x", "3601"]) {
      await refused(/takes a whole number of seconds from 1 to 3600/, nodes[0]!, "subscriber:flow", seconds);
    }
  });

  it("are all there for the REPL", () => {
    const names = consoleCommands.map(({ command }) => command.split(" ")[0]);
    assert.deepEqual(names, [
      "corrosion",
      "subscriber:flow",
      "config:restore",
      "config:rollback",
      "agent:restart",
    ]);
  });
});
