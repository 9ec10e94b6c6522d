/** @module The pid files of a cluster name a process, not a number: nobody else's process is taken for ours. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forget, note, readRunning } from "../../bin/cluster/record.ts";
import { identify, isAlive, signalProcess } from "../../lib/process-identity.ts";

describe("The pid files of a cluster", () => {
  let folder: string;
  let child: ChildProcess;
  const part = {
    name: "dev-node1",
    address: "http://a",
    health: "http://a/health",
    log: "/tmp/dev-node1.log",
  } as const;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fleet-pids-"));
    child = spawn("sleep", ["1000"], { stdio: "ignore" });
    await once(child, "spawn");
  });
  afterEach(async () => {
    const over = child.exitCode === null && child.signalCode === null ? once(child, "exit") : null;
    child.kill("SIGKILL");
    await over;
    await rm(folder, { recursive: true, force: true });
  });

  it("find the process that they were written for", () => {
    const noted = note(folder, child.pid, part);
    assert.equal(noted.pid, child.pid);
    assert.deepEqual([...readRunning(folder)], [["dev-node1", noted]]);
  });

  it("are as good as none once the process has ended, and can be removed", async () => {
    note(folder, child.pid, part);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(readRunning(folder).size, 0);
    forget(folder, "dev-node1");
    assert.deepEqual(await readdir(folder), []);
  });

  it("do not find another process that got the number", async () => {
    const noted = note(folder, child.pid, part);
    await writeFile(
      join(folder, "dev-node1.pid.json"),
      JSON.stringify({ ...noted, started: "another time" }),
    );
    assert.equal(readRunning(folder).size, 0);
  });

  it("are as good as none when they are damaged, or name another part", async () => {
    const noted = note(folder, child.pid, part);
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      "17",
      JSON.stringify({ ...noted, name: "dev-node2" }),
      '{"pid":-1}',
    ]) {
      await writeFile(join(folder, "dev-node1.pid.json"), text);
      assert.equal(readRunning(folder).size, 0, text);
    }
  });

  it("are not written for a process that never was", () => {
    assert.throws(() => note(folder, undefined, part), /dev-node1 has ended at once/);
  });

  it("keep a signal from a process that only has the number", () => {
    const other = { ...identify(child.pid!)!, started: "another time" };
    assert.equal(isAlive(other), false);
    assert.equal(signalProcess(other, "SIGKILL"), false);
    assert.equal(isAlive(identify(child.pid!)!), true);
  });
});
