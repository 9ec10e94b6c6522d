/** @module `npm start` with its agents: real processes, really killed, and a fleet that serves all the while. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, type ProcessIdentity } from "../../lib/process-identity.ts";
import type { NodeFacts } from "../../services/corrosion/contract.ts";
import {
  descendants,
  FleetNode,
  type FleetPorts,
  fleetEnv,
  fleetFolder,
  fleetPorts,
  Traffic,
} from "../helpers/agent-fleet.ts";
import { runs } from "../helpers/agent-node.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { type Exit, Program } from "../helpers/program.ts";
import { mayMount, smallDisk } from "../helpers/small-disk.ts";
import { suspend } from "../helpers/suspend.ts";
import { until } from "../helpers/until.ts";

const NODES = [1, 2, 3];
const NAMES = NODES.map((n) => `dev-node${n}`);
const LIMIT_MS = 60_000;

/** Listens there at once, or as soon as that is possible. */
async function takePort(port: number): Promise<Server> {
  return until(
    `port ${port} is free`,
    async () => {
      // What is asked of it is cut off: no client's connection shall outlive it.
      const server = createServer((socket) => socket.destroy()).listen(port, "127.0.0.1");
      return once(server, "listening").then(
        () => server,
        () => null,
      );
    },
    LIMIT_MS,
  );
}

/** Other programs on the machine take their share. */

describe("npm start with agents", function () {
  this.timeout(120_000);
  let folder: string;
  let ports: FleetPorts;
  let env: Record<string, string>;
  let nodes: FleetNode[];
  let program: Program | null;

  beforeEach(async () => {
    folder = fleetFolder();
    ports = await fleetPorts();
    env = fleetEnv(folder, ports);
    nodes = NODES.map((n) => new FleetNode(ports.web + n));
    program = null;
  });
  afterEach(async () => {
    await program?.end("SIGINT");
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(cwd?: string): Promise<Program> {
    program = new Program("up", env, ["--no-repl"], cwd);
    return program.ready();
  }
  const all = () => nodes as [FleetNode, FleetNode, FleetNode];

  it("brings one up with each node, says how they are, is ready within 10 s, and warns of nothing", async () => {
    const { output } = await start();
    const seconds = Number(/^ready in (\d+\.\d\d) s$/m.exec(output)?.[1]);
    assert.ok(seconds < 10 * loadShare(), `it took ${seconds} s at a load of ${loadavg()}`);
    const running = String.raw`running at http://127\.0\.0\.1:\d+ \(embedded development agent, pid \d+\)`;
    // On a machine that is busy a start goes on without them, and a subscriber may say what it misses.
    const state = loadShare() === 1 ? running : `(${running}|STARTING)`;
    assert.match(
      output,
      new RegExp(`^agents +dev-node1 ${state}\n +dev-node2 ${state}\n +dev-node3 ${state} \\(`, "m"),
    );
    if (loadShare() === 1) assert.doesNotMatch(output, /warn/);
    for (const [i, node] of nodes.entries()) {
      const { pid, managed, node_id, api_url } = await node.running();
      assert.deepEqual([managed, node_id], [true, NAMES[i]]);
      assert.equal(api_url, `http://127.0.0.1:${ports.api + i + 1}`);
      assert.equal(runs(pid), true);
      const { engines } = (await node.ask("GET /api/node")).body as Pick<NodeFacts, "engines">;
      assert.deepEqual([engines.agent, engines.database], ["embedded", "embedded"]);
    }
  });

  it("has a cluster whose members all have names, and agree, within seconds", async () => {
    await start();
    const began = performance.now();
    for (const node of nodes) {
      await until(
        "it knows all members by name",
        async () => {
          const { data } = (await node.ask("GET /api/cluster/members")).body as {
            data: { members: { node_id: string | null; state: string }[] };
          };
          const known = data.members.filter(({ state }) => state === "Alive").map(({ node_id }) => node_id);
          return JSON.stringify(known.sort()) === JSON.stringify(NAMES);
        },
        LIMIT_MS,
      );
    }
    await until("nobody disagrees", async () => {
      const { data } = (await all()[0].ask("GET /api/cluster/disagreements")).body as {
        data: { disagreement: boolean; subjects: { node_id: string | null }[] };
      };
      return !data.disagreement && data.subjects.length === 3 && data.subjects.every((one) => one.node_id);
    });
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds < 12 * loadShare(), `it took ${seconds} s at a load of ${loadavg()}`);
  });

  it("starts although a foreign program has the port of an agent, says which, and leaves it alone", async () => {
    const foreign = await takePort(ports.api + 2);
    try {
      const { output } = await start();
      await all()[0].running();
      assert.match(
        output,
        new RegExp(`dev-node2 CRASHED: Port ${ports.api + 2} on 127\\.0\\.0\\.1 is in use`),
      );
      const [, two] = all();
      assert.equal((await two.ask("GET /api/node/ping")).body.ok, false);
      const refused = await two.ask("POST /api/console/run", { sql: "SELECT 1" });
      assert.equal(refused.status, 503);
      assert.equal((await two.ask("GET /health/ready")).status, 200);
      assert.equal(foreign.listening, true);
    } finally {
      foreign.close();
    }
    assert.equal((await all()[1].ask("POST /api/agent/start", {})).status, 202);
    await all()[1].running();
  });

  it("starts although a canonical file cannot be used, and says what is wrong with it", async () => {
    const { api, gossip } = ports;
    const canonical = join(env.CORROSION_CONFIG_DIR!, "canonical");
    mkdirSync(canonical, { recursive: true });
    // Where ports or folders are set the canonical files are not used: these have all that is special here.
    for (const name of ["FLEET_DATA_DIR", "CORROSION_API_PORT", "CORROSION_GOSSIP_PORT"]) delete env[name];
    const text = (n: number) => `# by hand
[db]
path = "${folder}/data/node${n}/corrosion.db"
schema_paths = ["${process.cwd()}/corrosion/schemas"]
[api]
addr = "127.0.0.1:${api + n}"
[gossip]
addr = "127.0.0.1:${gossip + n}"
bootstrap = []
plaintext = true
[admin]
path = "${folder}/data/node${n}/admin.sock"
`;
    for (const n of NODES) writeFileSync(join(canonical, `node${n}.toml`), text(n));
    const broken = text(2).replace("[gossip]", "[gossip");
    writeFileSync(join(canonical, "node2.toml"), broken);
    const { output } = await start(folder);
    await all()[0].running();
    assert.match(output, /dev-node2 CRASHED: .*runtime\/node2\.toml cannot be used: .*restore the canonical/);
    const [one, two] = all();
    assert.match(
      readFileSync(join(env.CORROSION_CONFIG_DIR!, "runtime", "node1.toml"), "utf8"),
      /^# by hand/,
    );
    assert.equal((await one.ask("GET /api/config/bootstrap")).body.canonical, true);
    assert.equal((await two.ask("GET /health/ready")).status, 200);
    assert.match(
      String((await two.ask("GET /api/config/bootstrap")).body.problem),
      /node2\.toml cannot be used/,
    );
    assert.equal(
      readFileSync(join(canonical, "node2.toml"), "utf8"),
      broken,
      "canonical files are not written",
    );
    writeFileSync(join(canonical, "node2.toml"), text(2));
    assert.equal((await two.ask("POST /api/config/restore-canonical", {})).status, 202);
    await two.running();
  });

  /** All that runs below the program once every agent has its reader and writer. */
  async function everything(): Promise<ProcessIdentity[]> {
    for (const [i, node] of nodes.entries()) {
      await node.running();
      const written = await node.write(`INSERT INTO node_messages (pk) VALUES ('p${i}')`);
      assert.equal(written.status, 200, written.text);
    }
    return descendants(program?.child.pid ?? 0);
  }

  it("leaves no process behind when it is killed", async () => {
    await start();
    const before = await everything();
    const agents = await Promise.all(nodes.map(async (node) => (await node.agent()).pid));
    for (const pid of agents) assert.ok(before.some((one) => one.pid === pid));
    assert.ok(before.length >= 9, "guards, agents and what agents start");
    await program?.end("SIGKILL");
    await until("all have ended", () => !before.some(isAlive), LIMIT_MS);
    await start();
    for (const [i, node] of nodes.entries()) {
      await node.running();
      assert.deepEqual(await node.rows(`SELECT pk FROM node_messages WHERE pk = 'p${i}'`), [[`p${i}`]]);
    }
  });

  it("ends all that it started within 5 s of Ctrl-C", async () => {
    await start();
    const before = await everything();
    const began = performance.now();
    const exit = await program?.end("SIGINT");
    assert.deepEqual(exit, { code: 0, signal: null } satisfies Exit);
    assert.ok(performance.now() - began < 5000 * loadShare());
    assert.deepEqual(before.filter(isAlive), []);
  });

  it("ends an agent that hangs soon after Ctrl-C, for which it does not wait longer than 5 s", async () => {
    await start();
    const before = await everything();
    await suspend((await all()[1].running()).pid!);
    const began = performance.now();
    await program?.end("SIGINT");
    assert.ok(performance.now() - began < 5000 * loadShare());
    await until("all have ended", () => !before.some(isAlive), LIMIT_MS);
  });
});

describe("A fleet whose agent is in trouble", function () {
  this.timeout(150_000);
  let folder: string;
  let ports: FleetPorts;
  let program: Program;
  let one: FleetNode;
  let two: FleetNode;
  let three: FleetNode;
  let traffic: Traffic;

  before(async () => {
    folder = fleetFolder();
    ports = await fleetPorts();
    program = await new Program("up", fleetEnv(folder, ports), ["--no-repl"]).ready();
    [one, two, three] = NODES.map((n) => new FleetNode(ports.web + n)) as [FleetNode, FleetNode, FleetNode];
    for (const node of [one, two, three]) await node.running();
    await one.ask("POST /api/sessions", { id: "s", user_id: "u", agent_id: "a" });
  });
  beforeEach(() => {
    traffic = new Traffic([one, two, three], "s");
  });
  afterEach(async () => {
    assert.deepEqual(await traffic.stop(), [], "every node served all the while");
    for (const node of [one, two, three]) await node.running();
  });
  after(async () => {
    await program.end("SIGINT");
    rmSync(folder, { recursive: true, force: true });
  });

  const runtime = (node: number) => join(folder, "c", "runtime", `node${node}.toml`);
  const gossip = (...numbers: number[]) => numbers.map((n) => `127.0.0.1:${ports.gossip + n}`);
  const job = (node: FleetNode, state: string) =>
    until(
      `the job is ${state}`,
      async () => {
        const { body } = await node.ask("GET /api/config/job");
        return body.state === state ? body : null;
      },
      LIMIT_MS,
    );

  it("starts one again that was killed, says so in its log, and keeps what was acknowledged", async () => {
    const { pid, restarts } = await one.running();
    assert.equal((await one.write("INSERT INTO node_messages (pk) VALUES ('kept')")).status, 200);
    process.kill(pid!, "SIGKILL");
    const again = await one.reaches(
      "another one runs",
      (now) => now.state === "running" && now.restarts > restarts,
    );
    const { lines } = (await one.ask("GET /api/agent/logs")).body as { lines: { line: string }[] };
    assert.ok(
      lines.some(({ line }) => line.startsWith("The agent was ended by SIGKILL")),
      "its end stands in its log",
    );
    assert.notEqual(again.pid, pid);
    assert.deepEqual(await one.rows("SELECT pk FROM node_messages WHERE pk = 'kept'"), [["kept"]]);
  });

  it("shows one that hangs as unhealthy, answers for it in time, and a restart replaces it", async () => {
    const { pid } = await one.running();
    await suspend(pid!);
    const { reason } = await one.reaches("it is unhealthy", ({ state }) => state === "unhealthy");
    assert.match(
      reason ?? "",
      new RegExp(`^The agent \\(pid ${pid}\\) does not answer SELECT 1: .*restart it`),
    );
    assert.equal((await one.ask("GET /api/node/ping")).body.ok, false);
    const began = performance.now();
    const { status } = await one.ask("POST /api/console/run", { sql: "SELECT 1" });
    assert.ok([503, 504].includes(status), String(status));
    assert.ok(performance.now() - began < 12_000);
    assert.equal((await one.ask("POST /api/agent/restart", {})).status, 202);
    const again = await one.reaches("another one runs", (now) => now.state === "running" && now.pid !== pid);
    assert.equal(runs(pid), false);
    assert.equal(runs(again.pid), true);
  });

  it("says why one does not start, in the agent's own words, and starts it when that is over", async () => {
    assert.equal((await one.ask("POST /api/agent/stop", {})).status, 202);
    await one.reaches("it is stopped", ({ state }) => state === "stopped");
    const foreign = await takePort(ports.gossip + 1);
    assert.equal((await one.ask("POST /api/agent/start", {})).status, 202);
    const { reason } = await one.reaches(
      "it says why",
      (status) => status.state === "starting" && status.reason !== null,
    );
    assert.match(reason ?? "", /^The agent ended with exit code 1; its last words: .*It is started again/);
    foreign.close();
    await one.running();
  });

  it("says which port a foreign program has taken, and leaves that program alone", async () => {
    assert.equal((await one.ask("POST /api/agent/stop", {})).status, 202);
    await one.reaches("it is stopped", ({ state }) => state === "stopped");
    const foreign = await takePort(ports.api + 1);
    assert.equal((await one.ask("POST /api/agent/start", {})).status, 202);
    const { reason } = await one.reaches("it is crashed", ({ state }) => state === "crashed");
    assert.match(
      reason ?? "",
      new RegExp(`^Port ${ports.api + 1} on 127\\.0\\.0\\.1 is in use by a program`),
    );
    assert.equal(foreign.listening, true);
    foreign.close();
    assert.equal((await one.ask("POST /api/agent/start", {})).status, 202);
    await one.running();
  });

  it("says what is wrong with a TOML that was broken by hand, and restoring the canonical one repairs it", async () => {
    writeFileSync(runtime(1), "[db\nthis is no TOML");
    const { pid } = await one.running();
    const { problem, toml } = (await one.ask("GET /api/config/bootstrap")).body;
    assert.match(String(problem), /^node1\.toml cannot be used: .*roll back to a backup, or restore/);
    assert.match(String(toml), /this is no TOML/);
    assert.equal((await one.ask("PUT /api/config/bootstrap", { hosts: gossip(2) })).status, 202);
    assert.match(String((await job(one, "error")).message), /cannot be used/);
    assert.equal(runs(pid), true, "an agent that runs is not ended for an edit that cannot be made");
    assert.equal((await one.ask("POST /api/agent/restart", {})).status, 202);
    const { reason } = await one.reaches("it is crashed", ({ state }) => state === "crashed");
    assert.match(reason ?? "", /runtime\/node1\.toml cannot be used: .*Roll back to a backup, or restore/);
    assert.equal((await one.ask("POST /api/config/restore-canonical", {})).status, 202);
    await job(one, "ready");
    await one.running();
  });

  it("is restarted once by two requests at the same time", async () => {
    const { restarts, pid } = await two.running();
    const answers = await Promise.all([1, 2].map(() => two.ask("POST /api/agent/restart", {})));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202],
    );
    const [first, second] = answers.map(({ body }) => body);
    assert.equal(first?.restart_id, second?.restart_id);
    assert.deepEqual([first?.joined, second?.joined].sort(), [false, true]);
    const again = await two.reaches("another one runs", (now) => now.state === "running" && now.pid !== pid);
    assert.equal(again.restarts, restarts + 1);
  });

  it("says that its disk is full, and runs again when there is room", async function () {
    if (!mayMount) return this.skip();
    const disk = smallDisk(8);
    const before = readFileSync(runtime(1), "utf8");
    try {
      disk.fill();
      writeFileSync(runtime(1), before.replace(/^path = ".*corrosion\.db"/m, `path = "${disk.path}/c.db"`));
      assert.equal((await one.ask("POST /api/agent/restart", {})).status, 202);
      const { reason } = await one.reaches("it says that the disk is full", (status) =>
        /full|no space/i.test(status.reason ?? ""),
      );
      assert.match(reason ?? "", /last words: .*full|no space/i);
      disk.free();
      await one.reaches("it runs, or was given up", ({ state }) =>
        ["running", "crashed", "unhealthy"].includes(state),
      );
      await one.ask("POST /api/agent/restart", {});
      await one.running();
    } finally {
      writeFileSync(runtime(1), before);
      await one.ask("POST /api/agent/stop", {});
      await one.reaches("it is stopped", ({ state }) => state === "stopped");
      await disk.stop();
      await one.ask("POST /api/agent/start", {});
    }
  });

  it("takes new bootstrap hosts on all nodes, one after another", async () => {
    const hosts = gossip(1, 2, 3);
    const started = await two.ask("POST /api/config/cluster", { hosts, node_ids: NAMES });
    assert.equal(started.status, 202);
    const other = await three.ask("POST /api/config/cluster", { hosts, node_ids: NAMES });
    assert.deepEqual([other.status, other.body.code], [409, "busy"]);
    const { body } = await over(two);
    assert.equal(body.state, "succeeded", JSON.stringify(body));
    for (const node of [one, two, three]) {
      assert.deepEqual((await node.ask("GET /api/config/bootstrap")).body.hosts, hosts);
    }
  });

  it("has a rolling update undone in reverse when the second node fails, at most one agent down at a time", async () => {
    const before = await Promise.all([one, two, three].map(hostsOf));
    let mostDown = 0;
    const watching = new AbortController();
    const watch = (async () => {
      while (!watching.signal.aborted) {
        const states = await Promise.all([one, two, three].map((node) => node.agent()));
        mostDown = Math.max(mostDown, states.filter(({ state }) => state !== "running").length);
        // How often it looks, for as long as the update takes.
        await delay(20);
      }
    })();
    const hosts = gossip(1);
    assert.equal((await three.ask("POST /api/config/cluster", { hosts, node_ids: NAMES })).status, 202);
    await until(
      "the second one restarts",
      async () => {
        const { nodes } = (await three.ask("GET /api/config/cluster")).body as {
          nodes: { status: string }[];
        };
        return nodes[1]?.status === "restarting";
      },
      LIMIT_MS,
    );
    const foreign = await takePort(ports.gossip + 2);
    await until(
      "it failed",
      async () => (await three.ask("GET /api/config/cluster")).body.state === "rolling_back",
      LIMIT_MS,
    );
    foreign.close();
    const { body } = await over(three);
    watching.abort();
    await watch;
    assert.equal(body.state, "rolled_back", JSON.stringify(body));
    const { nodes } = body as unknown as { nodes: { status: string; message: string | null }[] };
    assert.deepEqual(
      nodes.map(({ status }) => status),
      ["rolled_back", "rolled_back", "skipped"],
    );
    assert.deepEqual(await Promise.all([one, two, three].map(hostsOf)), before);
    assert.ok(mostDown <= 1, `${mostDown} agents were down at a time`);
  });

  const hostsOf = async (node: FleetNode) => (await node.ask("GET /api/config/bootstrap")).body.hosts;
  const over = (node: FleetNode) =>
    until(
      "the update is over",
      async () => {
        const answer = await node.ask("GET /api/config/cluster");
        return ["running", "rolling_back"].includes(String(answer.body.state)) ? null : answer;
      },
      100_000,
    );
});
