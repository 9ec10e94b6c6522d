/** @module `npm run cluster` as a person uses it: it starts, mends, shows and ends a cluster, and nothing else. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { request } from "../helpers/http.ts";
import { freePort, Program } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";
import { isAlive, MARK, markedProcesses, newMark } from "../runner/processes.ts";

const NODES = ["dev-node1", "dev-node2", "dev-node3"];
const GROUPS = 8;

describe("npm run cluster", function () {
  this.timeout(90_000);
  let folder: string;
  let port: number;
  let natsPort: number;
  let env: Record<string, string>;
  const mark = newMark();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "fleet-local-"));
    // Nodes on port + 1 to port + 3, then the rest.
    port = await freePort(14);
    natsPort = port + 4;
    env = {
      PORT: String(port),
      API_PORT: "0",
      FLEET_CLUSTER_NATS_PORT: String(natsPort),
      FLEET_CLUSTER_NATS_ROUTE_PORT: String(port + 7),
      FLEET_CLUSTER_NATS_MONITOR_PORT: String(port + 10),
      FLEET_CLUSTER_REDIS_PORT: String(port + 13),
      FLEET_GROUPS: String(GROUPS),
      FLEET_DATA_DIR: join(folder, "data"),
      FLEET_LOG_DIR: join(folder, "logs"),
      FLEET_DRAIN_TIMEOUT_MS: "2000",
      [MARK]: mark,
    };
  });
  after(async () => {
    await run(["--stop"]);
    for (const { pid } of markedProcesses(mark)) process.kill(pid, "SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  async function run(args: string[] = [], more: Record<string, string> = {}) {
    const program = new Program("cluster", { ...env, ...more }, args);
    const { code } = await program.exited;
    return { code, output: program.output };
  }
  const pids = () => join(folder, "data", "cluster", "pids");
  const pidFile = (name: string) => join(pids(), `${name}.pid.json`);
  async function pidOf(name: string): Promise<number> {
    return (JSON.parse(await readFile(pidFile(name), "utf8")) as { pid: number }).pid;
  }
  async function allPids(): Promise<Record<string, number>> {
    const names = (await readdir(pids())).map((file) => file.replace(".pid.json", ""));
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await pidOf(name)] as const)),
    );
  }
  const url = (node: number) => `http://127.0.0.1:${port + node}`;

  it("names the port that is in use and what needs it, and starts nothing", async () => {
    const holder = createServer().listen(natsPort + 1, "127.0.0.1");
    await once(holder, "listening");
    const { code, output } = await run();
    holder.close();
    assert.equal(code, 1);
    assert.match(output, new RegExp(`^Port ${natsPort + 1} .*nats-2.*FLEET_CLUSTER_NATS_PORT`, "m"));
    assert.deepEqual(markedProcesses(mark), []);
  });

  it("says every value that cannot be used, also those of the nodes, and starts nothing", async () => {
    const { code, output } = await run([], { FLEET_ENGINE: "sqlite" });
    assert.equal(code, 1);
    assert.match(output, /^FLEET_ENGINE=sqlite .*unset one of them/m);
    assert.equal((await run([], { FLEET_CLUSTER_NATS_PORT: "65535" })).code, 1);
    assert.match((await run(["--sotp"])).output, /no option "--sotp"[\s\S]*Usage/);
    assert.deepEqual(markedProcesses(mark), []);
  });

  it("ends again what it had started when a part cannot start, and shows the end of its log", async () => {
    const { code, output } = await run([], { NATS_URL: `nats://127.0.0.1:${natsPort}` });
    assert.equal(code, 1);
    assert.match(output, /^nats +yours is used/m);
    assert.match(output, /^postgres +ready/m);
    assert.match(output, /^postgres +postgres \(pid \d+\) ended/m);
    assert.match(output, /n\d has ended\. Its log .*n\d\.log ends with:\n[\s\S]*NATS cannot be reached/);
    assert.deepEqual(markedProcesses(mark), []);
  });

  it("ends again what it had started when it is stopped on the way", async () => {
    const program = new Program("cluster", { ...env, NATS_URL: `nats://127.0.0.1:${natsPort}` });
    await until("Postgres runs", () => /^postgres +ready/m.test(program.output));
    const { code } = await program.end("SIGINT");
    assert.equal(code, 1);
    assert.match(program.output, /^postgres +postgres \(pid \d+\) ended/m);
    assert.match(program.output, /^The start was stopped by SIGINT\.$/m);
    assert.deepEqual(markedProcesses(mark), []);
  });

  it("starts servers and nodes in the background, with every group led on three copies", async () => {
    const { code, output } = await run();
    assert.equal(code, 0, output);
    assert.match(output, /^nats +nats-1, nats-2, nats-3 ready \(\d+\.\d\d s\)$/m);
    assert.match(output, /^NATS_URL=nats:\S+ npm run repl -- fleet status shows the fleet\.$/m);
    assert.match(output, /^postgres +ready/m);
    assert.match(output, /^redis +(ready|redis-server is not installed)/m);
    assert.match(output, /^nodes +dev-node1, dev-node2, dev-node3 ready/m);
    assert.match(output, /^groups +8 groups led/m);
    assert.match(output, /--stop ends it/);
    for (const node of [1, 2, 3]) {
      assert.ok(output.includes(url(node)));
      assert.equal((await request(url(node), "GET", "/health/ready")).status, 200);
    }
    const connection = await connect({ servers: [1, 2, 3].map((n) => `127.0.0.1:${natsPort + n - 1}`) });
    const streams = await (await connection.jetstreamManager()).streams.list().next();
    await connection.close();
    const logs = streams.filter(({ config }) => config.subjects?.some((s) => s.startsWith("fleet.log.")));
    assert.equal(logs.length, GROUPS);
    assert.ok(logs.every(({ config }) => config.num_replicas === 3));
  });

  it("keeps a message that one node acknowledged, and another one reads it", async () => {
    await request(url(1), "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
    const append = await request(url(1), "POST", "/api/sessions/s/messages", {
      user_id: "u",
      content: { n: 1 },
    });
    assert.equal(append.status, 200);
    const page = await request(url(3), "GET", "/api/sessions/s/messages");
    assert.deepEqual(page.body.messages, [append.body.message]);
  });

  it("starts nothing when everything runs", async () => {
    const before = await allPids();
    const { code, output } = await run();
    assert.equal(code, 0, output);
    assert.match(output, /^nats +nats-1, nats-2, nats-3 run already/m);
    assert.match(output, /^nodes +dev-node1, dev-node2, dev-node3 run already/m);
    assert.deepEqual(await allPids(), before);
  });

  it("refuses other ports while it runs, and changes nothing", async () => {
    const { code, output } = await run([], { PORT: String(port + 10) });
    assert.equal(code, 1);
    assert.match(output, /dev-node1 runs at .* end the cluster first/);
    assert.equal((await request(url(1), "GET", "/health/ready")).status, 200);
  });

  it("brings back a node that was killed, and leaves the others alone", async () => {
    const before = await allPids();
    process.kill(before["dev-node2"]!, "SIGKILL");
    await until("the node has ended", () => !isAlive(before["dev-node2"]!));
    const broken = await run(["--status"]);
    assert.equal(broken.code, 1);
    assert.match(broken.output, /^dev-node2 +does not run$/m);
    assert.match(broken.output, /^dev-node1 +pid \d+ /m);

    const { code, output } = await run();
    assert.equal(code, 0, output);
    assert.match(output, /^nodes +dev-node2 ready; dev-node1, dev-node3 run already/m);
    const after = await allPids();
    assert.notEqual(after["dev-node2"], before["dev-node2"]);
    assert.deepEqual({ ...after, "dev-node2": 0 }, { ...before, "dev-node2": 0 });
    assert.equal((await request(url(2), "GET", "/api/sessions/s/messages")).body.messages.length, 1);
  });

  it("shows each part with its pid and whether it is ready", async () => {
    const { code, output } = await run(["--status"]);
    assert.equal(code, 0, output);
    for (const [name, pid] of Object.entries(await allPids())) {
      assert.match(output, new RegExp(`^${name} +pid ${pid} +ready `, "m"));
    }
  });

  it("ends every process, also a node that hangs, and says that nothing runs when it is told again", async () => {
    process.kill(await pidOf("dev-node3"), "SIGSTOP");
    const { code, output } = await run(["--stop"]);
    assert.equal(code, 0, output);
    assert.match(
      output,
      /dev-node1 \(pid \d+\) ended, .*dev-node3 \(pid \d+\) did not end within 4 s and was killed/,
    );
    for (const name of ["postgres", "nats-1", "nats-2", "nats-3"]) {
      assert.match(output, new RegExp(`${name} \\(pid \\d+\\) ended`));
    }
    assert.deepEqual(markedProcesses(mark), []);
    assert.deepEqual(await readdir(pids()), []);
    const again = await run(["--stop"]);
    assert.equal(again.code, 0);
    assert.match(again.output, /^Nothing runs/);
    assert.equal((await run(["--status"])).code, 1);
  });

  it("does not touch a process that only has the number of one of its own", async () => {
    const stranger = spawn("sleep", ["1000"], { stdio: "ignore" });
    await once(stranger, "spawn");
    try {
      await mkdir(pids(), { recursive: true });
      const record = {
        name: "dev-node1",
        pid: stranger.pid,
        started: "long ago",
        address: url(1),
        health: url(1),
        log: "",
      };
      for (const name of NODES) await writeFile(pidFile(name), JSON.stringify({ ...record, name }));
      const { code, output } = await run(["--stop"]);
      assert.equal(code, 0);
      assert.match(output, /^Nothing runs/);
      assert.equal(isAlive(stranger.pid!), true);
    } finally {
      stranger.kill("SIGKILL");
    }
  });
});
