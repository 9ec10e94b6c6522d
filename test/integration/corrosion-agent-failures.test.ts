/** @module An agent that fails, and the node that runs it: each failure ends in a state with a sentence, and nothing is left behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type {
  AgentLogs,
  AgentStatus,
  RestartOutcome,
  RestartStarted,
} from "../../services/corrosion/contract.ts";
import { type AgentNode, agentEnv, agentNode, runs, shortFolder } from "../helpers/agent-node.ts";
import { type ScriptedProgram, scriptedProgram } from "../helpers/scripted-program.ts";
import { until } from "../helpers/until.ts";

describe("A node's agent", function () {
  this.timeout(60_000);
  let folder: string;
  let agent: ScriptedProgram;
  let node: AgentNode;

  beforeEach(async () => {
    folder = shortFolder();
    agent = scriptedProgram(folder);
    node = agentNode(folder, { ...(await agentEnv(folder)), CORROSION_BIN: agent.bin });
  });
  afterEach(async () => {
    await node.stop();
    assert.deepEqual(
      agent.starts().filter(({ pid }) => runs(pid)),
      [],
      "no agent is left behind",
    );
  });

  it("runs, and ends with its node", async () => {
    await node.start();
    const { pid, kind, managed, program } = await node.reaches("running");
    assert.deepEqual([kind, managed, program, runs(pid)], ["binary", true, agent.bin, true]);
    assert.equal(agent.starts()[0]?.pid, pid);
  });

  it("is restarted after SIGKILL, and loses its subscriptions then", async () => {
    await node.start();
    const before = await node.reaches("running");
    const subscriptions = join(folder, "data", "node1", "subscriptions");
    mkdirSync(subscriptions, { recursive: true });
    writeFileSync(join(subscriptions, "db"), "half written");
    process.kill(before.pid!, "SIGKILL");
    const after = await until("it runs again", async () => {
      const status = await node.status();
      return status.state === "running" && status.restarts > 0 ? status : null;
    });
    assert.equal(after.restarts, 1);
    assert.notEqual(after.pid, before.pid);
    assert.equal(existsSync(subscriptions), false);
    const waiting = node.states.find(({ state, reason }) => state === "starting" && reason !== null);
    assert.match(waiting?.reason ?? "", /was ended by SIGKILL.*started again 1 s later/);
  });

  it("that stands still is unhealthy, is left alone, and recovers by itself", async () => {
    await node.start();
    const { pid } = await node.reaches("running");
    process.kill(pid!, "SIGSTOP");
    const hung = await node.reaches("unhealthy");
    assert.equal(hung.pid, pid);
    assert.match(hung.reason ?? "", /does not answer SELECT 1: .* restart it if it does not recover/);
    process.kill(pid!, "SIGCONT");
    await node.reaches("running");
    assert.equal(agent.starts().length, 1);
  });

  it("that stands still is ended by a restart", async () => {
    await node.start();
    const { pid } = await node.reaches("running");
    process.kill(pid!, "SIGSTOP");
    const outcome = await node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    assert.equal(outcome.ok, true);
    assert.equal(runs(pid), false);
  });

  it("that dies at each start is given up after five crashes, with its last words", async () => {
    agent.write({ die: "disk is full" });
    await node.start();
    const crashed = await node.reaches("crashed", 40_000);
    assert.equal(agent.starts().length, 5);
    assert.match(
      crashed.reason ?? "",
      /exit code 1; its last words: disk is full\. That was crash 5 within a minute/,
    );
    const waits = node.states.flatMap(({ reason }) => /again (\d+) s later/.exec(reason ?? "")?.[1] ?? []);
    assert.deepEqual(waits, ["1", "2", "5", "10"]);
    agent.write({});
    await node.call("corrosion.agent.start");
    await node.reaches("running");
  });

  it("is not started on a port that a foreign program has", async () => {
    const foreign = createServer((_, response) => response.end("hello"));
    foreign.listen(node.apiPort, "127.0.0.1");
    await once(foreign, "listening");
    try {
      await node.start();
      const { reason, pid } = await node.reaches("crashed");
      assert.match(reason ?? "", new RegExp(`Port ${node.apiPort} on 127.0.0.1 is in use by a program`));
      assert.equal(pid, null);
      assert.equal(agent.starts().length, 0);
    } finally {
      foreign.close();
      foreign.closeAllConnections();
    }
    await node.call("corrosion.agent.start");
    await node.reaches("running");
  });

  it("gets two restarts at once as one", async () => {
    await node.start();
    await node.reaches("running");
    const [first, second] = await Promise.all([
      node.call<RestartStarted>("corrosion.agent.restart"),
      node.call<RestartStarted>("corrosion.agent.restart"),
    ]);
    assert.equal(first.restart_id, second.restart_id);
    assert.deepEqual([first.joined, second.joined], [false, true]);
    assert.equal((await node.status()).restart_id, first.restart_id);
    const third = await node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    assert.deepEqual([third.restart_id, third.ok, third.joined], [first.restart_id, true, true]);
    assert.deepEqual(
      node.lifecycle.map(({ name, restart_id }) => [name, restart_id]),
      [
        ["corrosion.restarting", first.restart_id],
        ["corrosion.ready", first.restart_id],
      ],
    );
    assert.equal(agent.starts().length, 2);
  });

  it("answers for its status within 100 ms all through a restart", async () => {
    await node.start();
    await node.reaches("running");
    // A clock of its own: it stands still when the whole process does.
    let turns = 0;
    const clock = setInterval(() => turns++, 10);
    let slowest = 0;
    const outcome = node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    let over = false;
    void outcome.finally(() => {
      over = true;
    });
    try {
      while (!over) {
        const began = turns;
        await node.status();
        slowest = Math.max(slowest, turns - began);
        // How often it asks, for as long as the restart takes.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      clearInterval(clock);
    }
    assert.equal((await outcome).ok, true);
    assert.ok(slowest < 10, `${slowest} turns of 10 ms`);
    assert.ok(turns > 10, "the restart lasts long enough to hold an answer up");
  });

  const endings: [title: string, script: object, phase: string | null, reason: RegExp][] = [
    ["dies at its start", { die: "no room" }, "starting", /last words: no room/],
    ["never answers", { mute: true }, "health", /does not answer SELECT 1/],
    ["dies when it should settle", { dieOnSubscription: 3 }, "settling", /exit code 3/],
    ["serves no subscription", { silentSubscriptions: true }, null, /^$/],
    ["answers", {}, null, /^$/],
  ];
  for (const [title, script, phase, reason] of endings) {
    it(`that ${title} after a restart ends it with exactly one word`, async () => {
      await node.start();
      await node.reaches("running");
      agent.write(script);
      const outcome = await node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
      assert.deepEqual([outcome.ok, outcome.phase], [phase === null, phase]);
      assert.match(outcome.reason ?? "", reason);
      await node.call("corrosion.agent.stop", { wait: true });
      assert.deepEqual(
        node.lifecycle.map(({ name, restart_id }) => [name, restart_id]),
        [
          ["corrosion.restarting", outcome.restart_id],
          [phase === null ? "corrosion.ready" : "corrosion.restart_failed", outcome.restart_id],
        ],
      );
    });
  }

  it("breaks a restart off when it is told to stop, and stays stopped", async () => {
    await node.start();
    await node.reaches("running");
    const outcome = node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    const stopped = await node.call<{ state: string; pid: number | null }>("corrosion.agent.stop", {
      wait: true,
    });
    assert.deepEqual([stopped.state, stopped.pid], ["stopped", null]);
    const { ok, reason } = await outcome;
    assert.deepEqual([ok, reason], [false, "A stop was requested."]);
    assert.deepEqual(
      node.lifecycle.map(({ name }) => name),
      ["corrosion.restarting", "corrosion.restart_failed"],
    );
  });

  /** Orders a stop that takes seconds: whoever stands still is only killed. */
  async function stopSlowly(): Promise<void> {
    await node.start();
    const { pid } = await node.reaches("running");
    process.kill(pid!, "SIGSTOP");
    await node.call("corrosion.agent.stop");
  }

  async function stopAgain(): Promise<void> {
    const last = await node.call<AgentStatus>("corrosion.agent.stop", { wait: true });
    assert.deepEqual([last.state, last.pid, last.restart_id], ["stopped", null, null]);
  }

  it("stays stopped when a stop follows a start that waits for an earlier stop", async () => {
    await stopSlowly();
    const started = node.call<AgentStatus>("corrosion.agent.start");
    await stopAgain();
    assert.equal((await started).state, "stopped");
    assert.equal(agent.starts().length, 1);
  });

  it("stays stopped when a stop follows a restart that waits for an earlier stop", async () => {
    await stopSlowly();
    const restarted = node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    await until("the restart waits", async () => (await node.status()).restart_id !== null);
    await stopAgain();
    const { ok, reason } = await restarted;
    assert.deepEqual([ok, reason], [false, "A stop was requested."]);
    assert.equal(agent.starts().length, 1);
  });

  it("gets none of the variables that configure the node or that real Corrosion takes for settings", async () => {
    process.env.DB = "x";
    process.env.API__ADDR = "127.0.0.1:1";
    try {
      await node.stop();
      mkdirSync(folder, { recursive: true });
      agent = scriptedProgram(folder);
      node = agentNode(folder, { ...(await agentEnv(folder)), CORROSION_BIN: agent.bin });
      await node.start();
      await node.reaches("running");
    } finally {
      delete process.env.DB;
      delete process.env.API__ADDR;
    }
    const names = agent.starts()[0]?.env ?? [];
    assert.ok(names.includes("PATH"));
    const stray = names.filter((name) => /^(DB|LOG|API|GOSSIP|NODE_|FLEET|CORROSION)/.test(name));
    assert.deepEqual(stray, []);
  });

  it("keeps its last lines, and all of them in its log file", async () => {
    await node.start();
    await node.reaches("running");
    const { lines } = await node.call<AgentLogs>("corrosion.agent.logs", { limit: 10 });
    assert.deepEqual(
      lines.map(({ stream, line }) => [stream, line]),
      [["stdout", "listening"]],
    );
    await until("the file has it", () =>
      readFileSync(join(folder, "logs", "node1-corrosion.log"), "utf8").includes("listening"),
    );
    assert.match(await node.metrics.metrics(), /fleet_corrosion_agent_state\{state="running"\} 1/);
  });
});
