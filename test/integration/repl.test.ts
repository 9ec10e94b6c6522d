/** @module What an operator types into the REPL, and what it answers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { groupOf } from "../../lib/ids.ts";
import { FleetCommandFailed, runFleetCommand } from "../../services/raft/repl.ts";
import { startFleet, type TestFleet } from "../helpers/fleet.ts";
import { freePort } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 16;

describe("the REPL command fleet", () => {
  let fleet: TestFleet;
  before(async () => {
    fleet = await startFleet({ groups: GROUPS });
    const { broker } = fleet.nodes[0]!;
    await broker.call("sessions.create", { id: "s1", user_id: "u", agent_id: "a" });
    await broker.call("sessions.messages.append", { session_id: "s1", user_id: "u", content: {} });
  });
  after(() => fleet.stop());

  const run = (what: string, id?: string) => runFleetCommand(fleet.nodes[1]!.broker, what, id);

  it("status shows mode, engine, sessions and every node", async () => {
    const text = await run("status");
    assert.match(text, /embedded mode, sqlite engine connected/);
    assert.match(text, /16 of 16 groups have a leader, 1 sessions resident/);
    for (const { id, url } of fleet.nodes) assert.match(text, new RegExp(`${id} +up .*${url}`));
  });

  it("groups shows every group with its leader and index", async () => {
    const lines = (await run("groups")).split("\n");
    assert.equal(lines.length, GROUPS);
    for (const line of lines) assert.match(line, /^g0\d\d {2}dev-node\d +index \d+, archived \d+$/);
  });

  it("group shows every copy with role, index and an equal digest, and the log's health", async () => {
    const text = await until("the followers have caught up", async () => {
      const shown = await run("group", String(groupOf("s1", GROUPS)));
      return new Set(shown.match(/index \d+/g)).size === 1 ? shown : null;
    });
    assert.equal(text.match(/dev-node\d +leader/g)?.length, 1);
    assert.equal(text.match(/dev-node\d +follower/g)?.length, 2);
    assert.equal(new Set(text.match(/digest [0-9a-f]{16}/g)).size, 1);
    assert.match(text, /^log: 1 of 1 copies/m);
  });

  it("session shows the session, its group and who leads it", async () => {
    const text = await run("session", "s1");
    assert.match(text, /"last_seq": 1/);
    assert.match(text, new RegExp(`group ${groupOf("s1", GROUPS)}, led by dev-node\\d`));
  });

  it("answers what it was not meant for with one sentence or its usage", async () => {
    const fails = (sentence: RegExp, ...command: [string, string?]) =>
      assert.rejects(run(...command), (error) => {
        assert.ok(error instanceof FleetCommandFailed);
        assert.match(error.message, sentence);
        return true;
      });
    await fails(/^Usage:/, "nonsense");
    await fails(/There is no group "": give a number from 0 to 15/, "group");
    await fails(/There is no group "16"/, "group", "16");
    await fails(/There is no group "1.5"/, "group", "1.5");
    await fails(/is not a session id/, "session", "no/such");
    await fails(/No session "nobody" \(group \d+, led by dev-node\d\)/, "session", "nobody");
    const nodes = fleet.nodes.map(({ id }) => id).join(", ");
    for (const command of ["drain", "undrain"]) {
      await fails(new RegExp(`^There is no node "": give one of ${nodes}\\.$`), command);
      await fails(new RegExp(`^There is no node "n9": give one of ${nodes}\\.$`), command, "n9");
    }
    await fails(/^This REPL is a part of dev-node2: /, "drain", "dev-node2");
  });

  it("drain and undrain move groups away from another node and back", async () => {
    assert.equal(await run("undrain", "dev-node3"), "dev-node3 does not drain.");
    assert.match(await run("drain", "dev-node3"), /^dev-node3 hands over the \d+ groups that it leads/);
    await until("it leads nothing", async () => /dev-node3 +draining +leads +0,/.test(await run("status")));
    assert.equal(await run("drain", "dev-node3"), "dev-node3 leads nothing any more, and ends.");
    // Nothing ends it here, as the real program would.
    assert.match(await run("undrain", "dev-node3"), /^dev-node3 takes groups again/);
    await until("it leads again", async () => /dev-node3 +up +leads +[1-9]/.test(await run("status")));
  });
});

describe("npm start on a terminal", () => {
  it("opens the REPL of node 1, takes fleet commands there, and ends everything on Ctrl-C", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "fleet-repl-"));
    const program = fileURLToPath(new URL("../../bin/fleetport.ts", import.meta.url));
    const command = `${process.execPath} --disable-warning=ExperimentalWarning ${program} up`;
    // `script` gives the program a real terminal.
    const terminal = spawn("script", ["-qefc", command, "/dev/null"], {
      env: {
        ...process.env,
        HOME: dataDir,
        TERM: "dumb",
        DATABASE_URL: "",
        PORT: String(await freePort(4)),
        FLEET_GROUPS: "16",
        FLEET_DATA_DIR: dataDir,
        FLEET_LOG_DIR: join(dataDir, "logs"),
      },
    });
    let output = "";
    terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const exited = once(terminal, "exit");
    try {
      await until("the prompt", () => output.includes("dev-node1 $"));
      terminal.stdin.write("fleet status\r");
      await until("the answer", () => /16 of 16 groups have a leader/.test(output));
      const began = performance.now();
      terminal.stdin.write("\u0003");
      const [code] = await exited;
      assert.equal(code, 0, output);
      assert.ok(performance.now() - began < 5000);
    } finally {
      terminal.kill("SIGKILL");
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
