/** @module A node's Corrosion configuration: edits, backups, repairs, and what a crash or a full disk leaves of it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runtimeOf } from "../../lib/runtime.ts";
import { readBackup, takeBackup } from "../../services/corrosion/config/backups.ts";
import { RuntimeConfiguration } from "../../services/corrosion/config/node-configuration.ts";
import { generateToml } from "../../services/corrosion/config/runtime-file.ts";
import type { ConfigJob, NodeConfiguration } from "../../services/corrosion/contract.ts";
import { type AgentNode, agentEnv, agentNode, shortFolder } from "../helpers/agent-node.ts";
import { type ScriptedProgram, scriptedProgram } from "../helpers/scripted-program.ts";
import { mayMount, smallDisk } from "../helpers/small-disk.ts";

describe("A node's Corrosion configuration", function () {
  this.timeout(60_000);
  let folder: string;
  let agent: ScriptedProgram;
  let node: AgentNode;

  async function begin(env: Readonly<Record<string, string>> = {}): Promise<void> {
    node = agentNode(folder, { ...(await agentEnv(folder)), CORROSION_BIN: agent.bin, ...env });
    await node.start();
  }
  const get = () => node.call<NodeConfiguration>("corrosion.config.get");
  const apply = (hosts: string | readonly string[]) =>
    node.call<ConfigJob>("corrosion.config.applyBootstrap", { hosts, wait: true });

  beforeEach(() => {
    folder = shortFolder();
    agent = scriptedProgram(folder);
  });
  afterEach(() => node.stop());

  it("is generated for its ports and folders, and the agent runs on it", async () => {
    await begin();
    await node.reaches("running");
    const { hosts, toml, canonical, editable, problem, backups } = await get();
    assert.deepEqual([hosts, canonical, editable, problem, backups], [[], false, true, null, []]);
    assert.match(toml ?? "", new RegExp(`addr = "127.0.0.1:${node.apiPort}"`));
  });

  it("takes new bootstrap hosts: backed up, written, and the agent restarted on them", async () => {
    await begin();
    await node.reaches("running");
    const before = readFileSync(node.runtimeFile, "utf8");
    const job = await apply("db.example:8787, [fdaa::3]:8787");
    assert.deepEqual(
      [job.state, job.hosts, job.kind],
      ["ready", ["db.example:8787", "[fdaa::3]:8787"], "bootstrap"],
    );
    assert.deepEqual(
      node.jobs.map(({ state }) => state),
      ["validating", "backing_up", "writing", "restarting", "ready"],
    );
    assert.deepEqual(agent.starts().at(-1)?.bootstrap, ["db.example:8787", "[fdaa::3]:8787"]);
    const after = await get();
    assert.deepEqual(after.hosts, ["db.example:8787", "[fdaa::3]:8787"]);
    assert.equal(after.backups[0]?.id, job.backup_id);
    assert.equal(readFileSync(`${node.runtimeFile}.${job.backup_id}.bak`, "utf8"), before);
    assert.deepEqual(await node.call("corrosion.config.job"), job);
  });

  it("shows what stands in the file at that moment, not what was written there", async () => {
    await begin();
    const text = readFileSync(node.runtimeFile, "utf8");
    writeFileSync(node.runtimeFile, text.replace(/^bootstrap = .*$/m, 'bootstrap = ["by.hand:1"]'));
    assert.deepEqual((await get()).hosts, ["by.hand:1"]);
  });

  it("refuses bad hosts with a sentence for each, and changes nothing", async () => {
    await begin();
    const before = readFileSync(node.runtimeFile, "utf8");
    await assert.rejects(
      apply(["ok:1", "no-port", "a:0", "::1"]),
      (error: { code: number; data: { fields: object } }) => {
        assert.equal(error.code, 400);
        assert.deepEqual(Object.keys(error.data.fields), ["no-port", "a:0", "::1"]);
        return true;
      },
    );
    assert.equal(readFileSync(node.runtimeFile, "utf8"), before);
    assert.equal(await node.call("corrosion.config.job"), null);
  });

  it("is changed by one job at a time", async () => {
    await begin();
    await node.reaches("running");
    const first = apply("a:1");
    await assert.rejects(apply("b:1"), { code: 409, type: "busy" });
    await assert.rejects(node.call("corrosion.config.rollback"), { code: 409, type: "busy" });
    assert.equal((await first).state, "ready");
    assert.equal((await apply("b:1")).state, "ready");
  });

  it("goes back to the newest backup, to a named one, and to the known-good one", async () => {
    await begin();
    await node.reaches("running");
    const first = await apply("a:1");
    await apply("b:1");
    const back = await node.call<ConfigJob>("corrosion.config.rollback", { wait: true });
    assert.deepEqual([back.state, back.hosts], ["ready", ["a:1"]]);
    const named = await node.call<ConfigJob>("corrosion.config.rollback", {
      backup_id: first.backup_id,
      wait: true,
    });
    assert.deepEqual([named.state, named.hosts], ["ready", []]);
    await apply("c:1");
    const good = await node.call<ConfigJob>("corrosion.config.restoreCanonical", { wait: true });
    assert.deepEqual([good.state, good.hosts], ["ready", []]);
    assert.deepEqual(
      agent.starts().map(({ bootstrap }) => bootstrap),
      [[], ["a:1"], ["b:1"], ["a:1"], [], ["c:1"], []],
    );
  });

  it("knows only backups of its own", async () => {
    await begin();
    const rollback = (backup_id: string) => node.call("corrosion.config.rollback", { backup_id });
    await assert.rejects(rollback("../../../../etc/passwd"), { code: 400 });
    await assert.rejects(rollback("20260102T030405.678901Z/../x"), { code: 400 });
    await assert.rejects(rollback("20260102T030405.678901Z"), { code: 404 });
  });

  it("that was broken by hand is reported, refuses edits, and is repaired by a rollback", async () => {
    await begin();
    await node.reaches("running");
    await apply("a:1");
    const good = readFileSync(node.runtimeFile, "utf8");
    writeFileSync(node.runtimeFile, `${good}\n[gossip\nbootstrap = `);
    const { problem, hosts, toml } = await get();
    assert.match(
      problem ?? "",
      /^node1\.toml cannot be used: line \d+, column \d+: .*; roll back to a backup, or restore the canonical configuration\.$/,
    );
    assert.deepEqual(hosts, []);
    assert.ok(toml?.startsWith(good));
    const refused = await apply("b:1");
    assert.equal(refused.state, "error");
    assert.match(refused.message, /^Nothing was changed: node1\.toml cannot be used: line/);
    const restart = await node.call<{ ok: boolean; reason: string }>("corrosion.agent.restart", {
      wait: true,
    });
    assert.equal(restart.ok, false);
    assert.match(restart.reason, /node1\.toml cannot be used: line/);
    assert.equal((await node.status()).state, "crashed");
    const repaired = await node.call<ConfigJob>("corrosion.config.rollback", { wait: true });
    assert.equal(repaired.state, "ready");
    assert.equal((await get()).problem, null);
    assert.equal((await node.status()).state, "running");
    // What was broken is kept, and is never what a rollback goes back to by itself.
    const again = await node.call<ConfigJob>("corrosion.config.rollback", { wait: true });
    assert.equal(again.state, "error");
    assert.match(
      again.message,
      /there is no backup that differs from the present configuration and that an agent/,
    );
  });

  it("is an error, with a reason, when the agent does not run on it", async () => {
    await begin();
    await node.reaches("running");
    agent.write({ die: "cannot resolve a" });
    const job = await apply("a:1");
    assert.equal(job.state, "error");
    assert.match(
      job.message,
      /^The configuration was written, but the agent does not run on it: the restart failed while starting: .*cannot resolve a/,
    );
    agent.write({});
    assert.equal((await node.call<ConfigJob>("corrosion.config.rollback", { wait: true })).state, "ready");
  });

  it("is copied from the canonical file at each start, and what was changed becomes a backup", async () => {
    await begin();
    const { console: own } = runtimeOf(node.broker).config;
    const configDir = join(folder, "configs");
    const config = { ...own, agent: { ...own.agent, configDir, moved: false } };
    const canonical = `# by hand\n${generateToml(config)}`;
    mkdirSync(join(configDir, "canonical"), { recursive: true });
    writeFileSync(join(configDir, "canonical", "node1.toml"), canonical);
    const file = new RuntimeConfiguration(config);
    await file.prepare();
    assert.equal(readFileSync(file.path, "utf8"), canonical);
    writeFileSync(file.path, "# changed");
    writeFileSync(`${file.path}.new`, "# cut off");
    await file.prepare();
    const { canonical: isCanonical, backups } = await file.look();
    assert.deepEqual([isCanonical, backups.length], [true, 1]);
    assert.equal(await readBackup(file.path, backups[0]!.id), "# changed");
    assert.equal(readFileSync(file.path, "utf8"), canonical);
    assert.deepEqual(
      readdirSync(join(configDir, "runtime")).filter((name) => name.endsWith(".new")),
      [],
    );
    assert.equal(readFileSync(join(configDir, "canonical", "node1.toml"), "utf8"), canonical);
  });

  it("keeps 20 backups", async () => {
    await begin();
    await node.call("corrosion.agent.stop", { wait: true });
    const ids: string[] = [];
    for (let i = 0; i < 25; i++)
      ids.push(await takeBackup(node.runtimeFile, `# ${i}`, 1_700_000_000_000_000));
    const { backups } = await get();
    assert.deepEqual(
      backups.map(({ id }) => id),
      ids.slice(-20).reverse(),
    );
    assert.equal(new Set(ids).size, 25);
  });

  it("shows no bearer token", async () => {
    await begin({ CORROSION_API_TOKEN: "hush-hush" });
    const { toml } = await get();
    assert.match(toml ?? "", /bearer-token = "\[redacted\]"/);
    assert.ok(readFileSync(node.runtimeFile, "utf8").includes("hush-hush"));
    assert.ok(!JSON.stringify([toml, node.states, node.errors]).includes("hush-hush"));
  });

  it("belongs to whoever runs the agent, when that is not the node", async () => {
    await begin({ CORROSION_API_URL: "http://127.0.0.1:9" });
    const status = await node.status();
    assert.deepEqual([status.state, status.kind, status.managed], ["external", "external", false]);
    const { editable, hosts, problem, reason, toml } = await get();
    assert.deepEqual([editable, typeof reason], [false, "string"]);
    assert.deepEqual([hosts, problem, toml], [[], null, null], "nothing is wrong, and no file is its");
    const refusal = { code: 409, type: "agent_not_managed" };
    await assert.rejects(apply("a:1"), refusal);
    for (const action of ["start", "stop", "restart"]) {
      await assert.rejects(node.call(`corrosion.agent.${action}`), refusal, action);
    }
  });

  it("survives a write that is killed at any moment, whole", async () => {
    await begin();
    const file = join(folder, "victim.toml");
    const writer = fileURLToPath(new URL("../../lib/durable-file.ts", import.meta.url));
    const program = `
      const { writeDurably } = await import(${JSON.stringify(writer)});
      process.stdout.write("writing\\n");
      for (let i = 0; ; i++) await writeDurably(${JSON.stringify(file)}, String(i % 10).repeat(20000));
    `;
    for (let round = 0; round < 12; round++) {
      const child = spawn(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      await once(child.stdout, "data");
      // Not a wait for something: the moment of the kill is what varies.
      await delay(Math.random() * 30);
      child.kill("SIGKILL");
      await once(child, "exit");
      const names = readdirSync(folder).filter((name) => name.startsWith("victim.toml"));
      if (!names.includes("victim.toml")) continue;
      assert.match(readFileSync(file, "utf8"), /^(\d)\1{19999}$/, `round ${round}`);
    }
  });

  it("stays as it was when the disk is full, and the job says so", async function () {
    if (!mayMount) return this.skip();
    const disk = smallDisk(2);
    try {
      await begin({ CORROSION_CONFIG_DIR: disk.path });
      await node.reaches("running");
      const before = readFileSync(node.runtimeFile, "utf8");
      disk.fill();
      const job = await apply("a:1");
      assert.deepEqual(
        [job.state, job.message],
        ["error", "Nothing was changed, for there is no backup: the disk is full."],
      );
      assert.equal(readFileSync(node.runtimeFile, "utf8"), before);
      assert.equal((await node.status()).state, "running");
      disk.free();
      assert.equal((await apply("a:1")).state, "ready");
    } finally {
      await node.broker.stop();
      await disk.stop();
    }
  });
});
