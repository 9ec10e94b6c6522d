/** @module A node with the real embedded agent: started, watched, restarted, found, and told apart from others. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import type { AgentStatus, ConfigJob, RestartOutcome } from "../../services/corrosion/contract.ts";
import { type AgentNode, agentEnv, agentNode, runs, shortFolder } from "../helpers/agent-node.ts";
import { mayMount, smallDisk } from "../helpers/small-disk.ts";
import { suspend } from "../helpers/suspend.ts";
import { until } from "../helpers/until.ts";

describe("A node with the embedded agent", function () {
  this.timeout(90_000);
  let folder: string;
  let env: Record<string, string>;
  let node: AgentNode;

  beforeEach(async () => {
    folder = shortFolder();
    env = { ...(await agentEnv(folder)), CORROSION_MODE: "embedded" };
    node = agentNode(folder, env);
  });
  afterEach(async () => {
    const { pid } = await node.status().catch(() => ({ pid: null }));
    await node.stop();
    assert.equal(runs(pid), false);
  });

  const client = ({ api_url }: AgentStatus) => new CorrosionClient({ url: api_url, token: null });

  it("is up before its agent is, and its agent serves the schema soon after", async () => {
    await node.start();
    assert.equal((await node.status()).state, "starting");
    const running = await node.reaches("running");
    assert.deepEqual(
      [running.kind, running.program, running.managed, running.restarts],
      ["embedded", "embedded development agent", true, 0],
    );
    const { columns } = await client(running).query("SELECT pk, node_id FROM node_messages");
    assert.deepEqual(columns, ["pk", "node_id"]);
    assert.equal(existsSync(running.admin_path!), true);
  });

  it("restarts it within seconds: the settle ends at the first line of a subscription", async () => {
    await node.start();
    const before = await node.reaches("running");
    const began = performance.now();
    const outcome = await node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    assert.deepEqual([outcome.ok, outcome.phase, outcome.reason], [true, null, null]);
    assert.ok(performance.now() - began < 6000, `${performance.now() - began} ms`);
    const after = await node.status();
    assert.equal(after.state, "running");
    assert.notEqual(after.pid, before.pid);
    assert.deepEqual(
      node.lifecycle.map(({ name }) => name),
      ["corrosion.restarting", "corrosion.ready"],
    );
    const phases = node.states.flatMap(({ restart_phase: phase }) => (phase === null ? [] : [phase]));
    assert.deepEqual(phases, ["stopping", "starting", "health", "settling"]);
  });

  it("keeps subscriptions over a restart, and loses them when the agent is killed", async () => {
    await node.start();
    await node.reaches("running");
    const first = await client(await node.status()).subscribe("SELECT pk, message FROM node_messages");
    for await (const event of first.events) if (event.kind === "eoq") break;
    await node.call("corrosion.agent.restart", { wait: true });
    const second = await client(await node.status()).subscribe("SELECT pk, message FROM node_messages");
    second.close();
    assert.equal(second.id, first.id);
    process.kill((await node.status()).pid!, "SIGKILL");
    await until("it runs again", async () => {
      const { state, restarts } = await node.status();
      return state === "running" && restarts === 2;
    });
    const third = await client(await node.status()).subscribe("SELECT pk, message FROM node_messages");
    third.close();
    assert.notEqual(third.id, first.id);
  });

  it("shows one that stands still as unhealthy, and a restart replaces it", async () => {
    await node.start();
    const { pid } = await node.reaches("running");
    await suspend(pid!);
    assert.match((await node.reaches("unhealthy")).reason ?? "", /does not answer SELECT 1/);
    const outcome = await node.call<RestartOutcome>("corrosion.agent.restart", { wait: true });
    assert.equal(outcome.ok, true);
    assert.equal(runs(pid), false);
  });

  it("takes an agent that already serves its port for somebody else's, until that is gone", async () => {
    await node.start();
    const { pid } = await node.reaches("running");
    const other = agentNode(join(folder, "b"), { ...env, DATA_DIR: join(folder, "b") });
    await other.start();
    try {
      const found = await other.reaches("external");
      assert.deepEqual([found.managed, found.pid, found.reason], [false, null, null]);
      const refusal = { code: 409, type: "agent_not_managed" };
      for (const action of ["start", "stop", "restart"]) {
        await assert.rejects(other.call(`corrosion.agent.${action}`), refusal, action);
      }
      await assert.rejects(other.call("corrosion.config.applyBootstrap", { hosts: "a:1" }), refusal);
      await node.call("corrosion.agent.stop", { wait: true });
      assert.equal(runs(pid), false);
      await until("it is missed", async () => (await other.status()).reason !== null);
      assert.equal((await other.status()).state, "external");
      await other.call("corrosion.agent.start");
      assert.equal((await other.reaches("running")).managed, true);
    } finally {
      await other.stop();
    }
  });

  it("runs it on the bootstrap hosts that it is given", async () => {
    await node.start();
    await node.reaches("running");
    const job = await node.call<ConfigJob>("corrosion.config.applyBootstrap", {
      hosts: ["127.0.0.1:9"],
      wait: true,
    });
    assert.deepEqual([job.state, job.hosts], ["ready", ["127.0.0.1:9"]]);
    assert.equal((await node.status()).state, "running");
  });

  it("says in one sentence that a TOML which was broken by hand cannot be used", async () => {
    await node.start();
    await node.reaches("running");
    writeFileSync(node.runtimeFile, "[db");
    await node.call("corrosion.agent.restart", { wait: true });
    const { state, reason } = await node.status();
    assert.equal(state, "crashed");
    assert.match(reason ?? "", /node1\.toml cannot be used: line 1, column \d+/);
    const job = await node.call<ConfigJob>("corrosion.config.restoreCanonical", { wait: true });
    assert.equal(job.state, "ready");
  });

  it("serves while the disk is too full for its agent, and says why there is none", async function () {
    if (!mayMount) return this.skip();
    const disk = smallDisk(8);
    const data = join(disk.path, "data");
    mkdirSync(data);
    disk.fill();
    const poor = agentNode(join(folder, "poor"), {
      ...env,
      DATA_DIR: data,
      CORROSION_CONFIG_DIR: join(folder, "configs"),
    });
    try {
      await poor.start();
      const { reason } = await until(
        "it is said that there is no agent",
        async () => {
          const status = await poor.status();
          return status.state === "crashed" ? status : null;
        },
        60_000,
      );
      assert.match(reason ?? "", /last words: .*full/);
      disk.free();
      await poor.call("corrosion.agent.restart");
      await poor.reaches("running", 60_000);
    } finally {
      await poor.broker.stop();
      await disk.stop();
      rmSync(join(folder, "poor"), { recursive: true, force: true });
    }
  });

  it("reports a path that is too long for the admin socket in one sentence", async () => {
    const long = join(folder, "x".repeat(100));
    const far = agentNode(long, { ...env, DATA_DIR: long });
    await far.start();
    try {
      const { reason } = await far.reaches("crashed");
      assert.match(
        reason ?? "",
        /admin\.path has \d+ bytes, and a socket's path at most 103: use a shorter DATA_DIR/,
      );
    } finally {
      await far.stop();
    }
  });
});

describe("Nodes of one process", function () {
  this.timeout(60_000);

  it("have agents of their own: a restart of one leaves the others alone", async () => {
    const folders = [shortFolder(), shortFolder()];
    const nodes: AgentNode[] = [];
    for (const folder of folders) {
      nodes.push(agentNode(folder, { ...(await agentEnv(folder)), CORROSION_MODE: "embedded" }));
    }
    const [one, other] = nodes as [AgentNode, AgentNode];
    try {
      await Promise.all(nodes.map((node) => node.start()));
      const [, before] = await Promise.all(nodes.map((node) => node.reaches("running")));
      await one.call("corrosion.agent.restart", { wait: true });
      assert.equal((await other.status()).pid, before!.pid);
      assert.deepEqual(other.lifecycle, []);
      assert.ok(other.states.every(({ node_id }) => node_id === other.broker.nodeID));
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  });
});
