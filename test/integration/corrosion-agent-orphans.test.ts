/** @module No agent outlives its node for long, and no process of somebody else is ever ended. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identify } from "../../lib/process-identity.ts";
import type { AgentStatus } from "../../services/corrosion/contract.ts";
import { type AgentNode, agentEnv, agentNode, runs, shortFolder } from "../helpers/agent-node.ts";
import { type ScriptedProgram, scriptedProgram } from "../helpers/scripted-program.ts";
import { until } from "../helpers/until.ts";

const PROGRAM = fileURLToPath(new URL("../helpers/agent-node-program.ts", import.meta.url));

describe("The agent of a node that is gone", function () {
  this.timeout(60_000);
  let folder: string;
  let agent: ScriptedProgram;
  let env: Record<string, string>;
  let next: AgentNode | null;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = shortFolder();
    agent = scriptedProgram(folder);
    env = { ...(await agentEnv(folder)), CORROSION_BIN: agent.bin };
    next = null;
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    next ??= agentNode(folder, env);
    await next.stop();
    await until("no agent runs", () => agent.starts().every(({ pid }) => !runs(pid)));
  });

  /** A node in a process of its own, with its agent running. */
  async function nodeProcess(): Promise<{ child: ChildProcess; status: AgentStatus }> {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", PROGRAM, folder], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    return { child, status: JSON.parse(line.toString()) as AgentStatus };
  }

  async function kill(child: ChildProcess): Promise<void> {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  it("ends when the node's process is killed", async () => {
    const { child, status } = await nodeProcess();
    const guard = parentOf(status.pid!);
    await kill(child);
    await until("the agent and its guard are gone", () => !runs(status.pid) && !runs(guard));
    assert.equal(existsSync(join(folder, "data", "node1", "corrosion.pid.json")), false, "it ended in order");
  });

  it("is killed when it takes no notice of that", async () => {
    agent.write({ stubborn: true });
    const { child, status } = await nodeProcess();
    await kill(child);
    await until("the agent is gone", () => !runs(status.pid), 15_000);
  });

  it("is ended by the next start when its guard was killed too", async () => {
    const { child, status } = await nodeProcess();
    // The guard first stands still, so that it cannot act between the two deaths.
    const guard = parentOf(status.pid!);
    process.kill(guard, "SIGSTOP");
    await kill(child);
    process.kill(guard, "SIGKILL");
    await until("the guard is gone", () => !runs(guard));
    assert.equal(runs(status.pid), true);
    next = agentNode(folder, env);
    await next.start();
    const running = await next.reaches("running");
    assert.notEqual(running.pid, status.pid);
    assert.equal(runs(status.pid), false);
  });

  it("is ended and started again when only its guard was killed", async () => {
    next = agentNode(folder, env);
    await next.start();
    const { pid } = await next.reaches("running");
    process.kill(parentOf(pid!), "SIGKILL");
    const node = next;
    await until("another one runs", async () => {
      const now = await node.status();
      return now.state === "running" && now.pid !== null && now.pid !== pid;
    });
    assert.equal(runs(pid), false);
  });

  const notes: [title: string, note: (pid: number, config: string) => object | string][] = [
    ["with another start time", (pid, config) => ({ pid, config, started: "another time" })],
    ["with another command line", (pid) => ({ ...identify(pid), config: "/somewhere/node1.toml" })],
    ["that was cut off", (pid) => `{"pid":${pid},"star`],
    ["that names every process", (_pid, config) => ({ pid: -1, started: "", config })],
  ];
  for (const [title, note] of notes) {
    it(`is not taken for a foreign process by a pid file ${title}`, async () => {
      next = agentNode(folder, env);
      const foreign = spawn("sleep", ["1000"], { stdio: "ignore" });
      children.push(foreign);
      await once(foreign, "spawn");
      mkdirSync(join(folder, "data", "node1"), { recursive: true });
      const text = note(foreign.pid!, next.runtimeFile);
      writeFileSync(
        join(folder, "data", "node1", "corrosion.pid.json"),
        typeof text === "string" ? text : JSON.stringify(text),
      );
      await next.start();
      await next.reaches("running");
      await next.call("corrosion.agent.stop", { wait: true });
      assert.equal(runs(foreign.pid!), true);
    });
  }
});

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
