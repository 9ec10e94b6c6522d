/** @module `npm run repl`: a distributed fleet, looked into and commanded from outside of its nodes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster } from "../helpers/cluster.ts";
import { request } from "../helpers/http.ts";
import { freePort, Program } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 8;

describe("npm run repl", function () {
  this.timeout(90_000);
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ servers: 1, nodes: 2, groups: GROUPS });
    const { url } = cluster.node("n1");
    await request(url, "POST", "/api/sessions", { id: "s", user_id: "u", agent_id: "a" });
  });
  after(() => cluster?.stop());

  async function run(args: string, env: Record<string, string> = {}) {
    const program = new Program(
      "repl",
      { NATS_URL: cluster.nats.servers.join(","), ...env },
      args.split(" "),
    );
    const { code } = await program.exited;
    return { code, output: program.output };
  }

  it("runs one fleet command and ends with exit code 0", async () => {
    const { code, output } = await run("fleet status");
    assert.equal(code, 0, output);
    assert.match(output, /^distributed mode, jetstream engine connected/);
    assert.match(output, /^8 of 8 groups have a leader, 1 sessions resident$/m);
    assert.match(output, /^n1 +up +leads/m);
    assert.match(output, /^n2 +up +leads/m);
    // Who only looks is no node.
    assert.doesNotMatch(output, /repl/);
    assert.equal((await run("fleet groups")).output.trim().split("\n").length, GROUPS);
    assert.match((await run("fleet group 3")).output, /^n[12] +leader .*\n/m);
    assert.match((await run("fleet session s")).output, /led by n[12]$/m);
  });

  it("ends with exit code 1 and a sentence when the command fails", async () => {
    for (const [command, sentence] of [
      ["fleet drain n9", /^There is no node "n9": give one of n1, n2\.$/m],
      ["fleet session nobody", /^No session "nobody"/],
      ["fleet nonsense", /^Usage:/],
      ["status", /^Usage: npm run repl/],
    ] as const) {
      const { code, output } = await run(command);
      assert.equal(code, 1, output);
      assert.match(output, sentence);
    }
  });

  it("says what is missing when there is no NATS_URL, no NATS, or no fleet", async () => {
    for (const [url, sentence] of [
      ["", /^NATS_URL is required: .*An embedded fleet has its REPL where npm start runs\.$/m],
      ["nats:/a", /^NATS_URL must be /],
      [`nats://127.0.0.1:${await freePort()}`, /^NATS cannot be reached at /],
    ] as const) {
      const { code, output } = await run("fleet status", { NATS_URL: url });
      assert.equal(code, 1, output);
      assert.match(output, sentence);
    }
  });

  it("opens the REPL on a terminal, and its end leaves the fleet as it was", async () => {
    const home = await mkdtemp(join(tmpdir(), "fleet-repl-"));
    const program = fileURLToPath(new URL("../../bin/fleetport.ts", import.meta.url));
    const command = `${process.execPath} --disable-warning=ExperimentalWarning ${program} repl`;
    const terminal = spawn("script", ["-qefc", command, "/dev/null"], {
      env: { ...process.env, HOME: home, TERM: "dumb", NATS_URL: cluster.nats.servers.join(",") },
    });
    let output = "";
    terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const exited = once(terminal, "exit");
    try {
      await until("the prompt", () => output.includes("fleet $"));
      terminal.stdin.write("fleet status\r");
      await until("the answer", () => /8 of 8 groups have a leader/.test(output));
      terminal.stdin.write("\u0003");
      assert.equal((await exited)[0], 0, output);
      await cluster.settled();
    } finally {
      terminal.kill("SIGKILL");
      await rm(home, { recursive: true, force: true });
    }
  });

  it("drains a node, which hands over what it leads and ends", async () => {
    const { code, output } = await run("fleet drain n2");
    assert.equal(code, 0, output);
    assert.match(output, /^n2 hands over the \d groups that it leads, and ends then/);
    assert.equal((await cluster.node("n2").program.exited).code, 0);
    await cluster.settled();
    assert.match((await run("fleet undrain n2")).output, /^There is no node "n2": give one of n1\.$/m);
    assert.match((await run("fleet drain n1")).output, /^n1 ends\. No other node is there/);
    assert.equal((await cluster.node("n1").program.exited).code, 0);
    assert.match((await run("fleet status")).output, /^No node of a fleet is at nats:/);
  });
});
