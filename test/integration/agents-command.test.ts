/** @module `npm run agents` as a person uses it: agents alone in the background, and nodes that find them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { identify } from "../../lib/process-identity.ts";
import { FleetNode, type FleetPorts, fleetEnv, fleetFolder, fleetPorts } from "../helpers/agent-fleet.ts";
import { runs } from "../helpers/agent-node.ts";
import { Program } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

describe("npm run agents", function () {
  this.timeout(90_000);
  let folder: string;
  let ports: FleetPorts;
  let env: Record<string, string>;

  beforeEach(async () => {
    folder = fleetFolder();
    ports = await fleetPorts();
    env = fleetEnv(folder, ports);
  });
  afterEach(async () => {
    await run(["stop"]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(args: string[], command = "agents", more: Record<string, string> = {}) {
    const program = new Program(command, { ...env, ...more }, args);
    const { code } = await program.exited;
    return { code, output: program.output };
  }
  const pidFile = (node: number) => join(folder, "d", `node${node}`, "corrosion-standalone.pid.json");
  const pidOf = (node: number) => (JSON.parse(readFileSync(pidFile(node), "utf8")) as { pid: number }).pid;
  const answers = async (node: number) => {
    const client = new CorrosionClient({ url: `http://127.0.0.1:${ports.api + node}`, token: null });
    await client.ping();
    return true;
  };

  it("starts agents that stay when it has ended, skips those that run, and ends them", async () => {
    const first = await run(["start", "2"]);
    assert.equal(first.code, 0, first.output);
    assert.match(first.output, /^node 1 +started at \S+ \(embedded development agent, pid \d+\)$/m);
    const pids = [pidOf(1), pidOf(2)];
    assert.ok(await answers(1));
    const again = await run(["start", "--verbose"]);
    assert.equal(again.code, 0, again.output);
    assert.match(again.output, new RegExp(`^node 1 +runs already \\(pid ${pids[0]}\\)$`, "m"));
    assert.match(again.output, /^node 3 +started at /m);
    assert.match(again.output, /^node 3 +configuration \S+node3\.toml, log \S+node3-corrosion\.log$/m);
    assert.match(readFileSync(join(folder, "logs", "node3-corrosion.log"), "utf8"), /ready/);
    pids.push(pidOf(3));
    const one = await run(["stop", "1"]);
    assert.match(one.output, new RegExp(`^node 1 +pid ${pids[0]} ended$`, "m"));
    assert.deepEqual(pids.map(runs), [false, true, true]);
    assert.equal((await run(["stop"])).code, 0);
    assert.deepEqual(pids.map(runs), [false, false, false]);
    assert.match((await run(["stop"])).output, /^No agents run alone here\.$/m);
  });

  it("are used by nodes that start later, as somebody else's, and outlive them", async () => {
    await run(["start", "1"]);
    const pid = pidOf(1);
    const program = await new Program("up", { ...env, FLEET_NODES: "1" }, ["--no-repl"]).ready();
    try {
      assert.match(program.output, /^agents +dev-node1 external at /m);
      const node = new FleetNode(ports.web + 1);
      const status = await node.agent();
      assert.deepEqual([status.state, status.kind, status.managed], ["external", "external", false]);
      for (const target of ["POST /api/agent/restart", "POST /api/agent/stop", "POST /api/config/rollback"]) {
        const refused = await node.ask(target, {});
        assert.deepEqual([refused.status, refused.body.code], [409, "agent_not_managed"], target);
      }
      assert.equal((await node.write("INSERT INTO node_messages (pk) VALUES ('p')")).status, 200);
      assert.deepEqual(await node.rows("SELECT pk FROM node_messages"), [["p"]]);
    } finally {
      await program.end("SIGINT");
    }
    assert.equal(runs(pid), true);
    assert.ok(await answers(1));
  });

  it("leave alone the agents that nodes look after", async () => {
    const program = await new Program("up", { ...env, FLEET_NODES: "1" }, ["--no-repl"]).ready();
    try {
      const { pid } = await new FleetNode(ports.web + 1).running();
      const { code, output } = await run(["start", "1"]);
      assert.equal(code, 0);
      assert.match(output, new RegExp(`runs already \\(its node looks after it, pid ${pid}\\)`));
      await run(["stop"]);
      assert.equal(runs(pid), true);
    } finally {
      await program.end("SIGINT");
    }
  });

  it("are ended by `fleetport stop` too", async () => {
    await run(["start", "1"]);
    const pid = pidOf(1);
    const { code, output } = await run([], "stop");
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`^node 1 +pid ${pid} ended$`, "m"));
    assert.equal(runs(pid), false);
  });

  it("start again after they were killed", async () => {
    await run(["start", "1"]);
    const pid = pidOf(1);
    process.kill(pid, "SIGKILL");
    await until("it is gone", () => !runs(pid));
    const { code, output } = await run(["start", "1"]);
    assert.equal(code, 0, output);
    assert.notEqual(pidOf(1), pid);
    assert.ok(await answers(1));
  });

  it("says which port a foreign program has, and starts the others", async () => {
    const foreign = createServer().listen(ports.api + 1, "127.0.0.1");
    await once(foreign, "listening");
    try {
      const { code, output } = await run(["start", "2"]);
      assert.equal(code, 1);
      assert.match(output, new RegExp(`^node 1 +NOT STARTED: Port ${ports.api + 1} .*in use`, "m"));
      assert.match(output, /^node 2 +started at /m);
    } finally {
      foreign.close();
    }
  });

  it("shows the last words of one that cannot start", async () => {
    const foreign = createServer().listen(ports.gossip + 1, "127.0.0.1");
    await once(foreign, "listening");
    try {
      const { code, output } = await run(["start", "1"]);
      assert.equal(code, 1);
      assert.match(output, /^node 1 +NOT STARTED: The agent ended while it started\.$/m);
      assert.match(output, /node1-corrosion\.log ends with:\n.*another program listens there/s);
    } finally {
      foreign.close();
    }
  });

  it("does not touch a process that only has the number of one of its own", async () => {
    const stranger = spawn("sleep", ["1000"], { stdio: "ignore" });
    await once(stranger, "spawn");
    try {
      mkdirSync(join(folder, "d", "node1"), { recursive: true });
      const records = [
        { pid: stranger.pid, started: "long ago", config: "node1.toml" },
        { ...identify(stranger.pid!), config: "/somewhere/node1.toml" },
      ];
      for (const record of records) {
        writeFileSync(pidFile(1), JSON.stringify(record));
        assert.equal((await run(["stop"])).code, 0);
        assert.equal(runs(stranger.pid!), true);
      }
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  it("refuses what it does not know, and modes in which no agent is to run here", async () => {
    for (const args of [
      [],
      ["begin"],
      ["start", "0"],
      ["start", "11"],
      ["start", "2", "3"],
      ["stop", "-v"],
    ]) {
      const { code, output } = await run(args);
      assert.equal(code, 1, args.join(" "));
      assert.match(output, /^Usage: npm run agents/m);
    }
    const off = await run(["start"], "agents", { CORROSION_MODE: "off" });
    assert.equal(off.code, 1);
    assert.match(off.output, /^CORROSION_MODE is off, and no agent is to run here: set it to/m);
    const none = await run(["start"], "agents", { CORROSION_MODE: "binary", CORROSION_BIN: "/nowhere" });
    assert.equal(none.code, 1);
    assert.match(none.output, /^CORROSION_BIN is \/nowhere, which is no program that can be run\.$/m);
  });
});
