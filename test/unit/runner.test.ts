/** @module The test runner: what it counts, what it refuses, and how it ends a suite that hangs. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "../helpers/until.ts";
import { isAlive } from "../runner/processes.ts";
import { runSuite, type SuiteResult } from "../runner/suite.ts";

interface Options {
  readonly limitMs?: number;
  readonly graceMs?: number;
  readonly mochaArgs?: readonly string[];
  readonly signal?: AbortSignal;
}

describe("the test runner", function () {
  this.timeout(30_000);
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "fleetport-runner-"));
  });

  afterEach(() => rmSync(root, { recursive: true }));

  /** Runs a suite of one file. */
  function run(tests: string, options: Options = {}): Promise<SuiteResult> {
    const file = join(root, "test", "sample", "nested", "sample.test.ts");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, tests);
    return runSuite(
      { name: "sample", testTimeoutMs: 2000, limitMs: options.limitMs ?? 20_000 },
      {
        root,
        mochaArgs: options.mochaArgs ?? [],
        graceMs: options.graceMs ?? 5000,
        output: "ignore",
        signal: options.signal ?? new AbortController().signal,
      },
    );
  }

  /** The code of a test that starts a process which outlives its parent, and notes its pid. */
  const startDaemon = `
    const { spawn } = await import("node:child_process");
    const { writeFileSync } = await import("node:fs");
    const daemon = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    daemon.unref();
    writeFileSync("pid", String(daemon.pid));`;

  const daemonPid = () => Number(readFileSync(join(root, "pid"), "utf8"));

  it("counts what passed and what failed, hooks included", async () => {
    const result = await run(`
      describe("a", () => {
        it("passes", (): void => {});
        it("also passes", async () => {});
        it("fails", () => { throw new Error("no"); });
      });
      describe("b", () => {
        before("b's hook", () => { throw new Error("no"); });
        it("does not run", () => {});
      });`);
    assert.deepEqual(
      result.passed.map(({ title }) => title),
      ["a passes", "a also passes"],
    );
    assert.equal(result.failed.length, 2);
    assert.equal(result.failed[0]?.title, "a fails");
    assert.match(result.failed[1]?.title ?? "", /"before all" hook: b's hook/);
    assert.deepEqual(result.problems, []);
  });

  it("keeps why a test failed, and where", async () => {
    const result = await run(
      `it("compares", () => { require("node:assert").equal(1, 2, "one is not two"); });`,
    );
    assert.match(result.failed[0]?.error ?? "", /one is not two.*sample\.test\.ts:1/s);
  });

  it("fails a test that is pending or skipped", async () => {
    const result = await run(`it("is to come"); it.skip("is skipped", () => {}); it("runs", () => {});`);
    assert.deepEqual(failures(result), ["is to come", "is skipped"]);
    assert.equal(result.passed.length, 1);
  });

  it("refuses .only", async () => {
    const result = await run(`it.only("runs alone", () => {}); it("would not run", () => {});`);
    assert.deepEqual(result.passed, []);
    assert.match(result.problems.join(), /^mocha ended with exit code 1/);
  });

  it("has a problem with a suite without tests, and with one without files", async () => {
    assert.deepEqual((await run("export {};")).problems, ["No test ran."]);
    rmSync(join(root, "test"), { recursive: true });
    const none = await runSuite(
      { name: "sample", testTimeoutMs: 1, limitMs: 1 },
      { root, mochaArgs: [], graceMs: 1, output: "ignore", signal: new AbortController().signal },
    );
    assert.deepEqual(none.problems, ["There is no test: no file is named test/sample/**/*.test.ts."]);
  });

  it("has a problem with a test file that cannot be read", async () => {
    const result = await run("this is not TypeScript");
    assert.deepEqual([result.passed, result.failed], [[], []]);
    assert.match(result.problems.join(), /^mocha ended with exit code 1/);
  });

  it("passes options on to mocha", async () => {
    const result = await run(`it("one", () => {}); it("two", () => {});`, { mochaArgs: ["--grep", "two"] });
    assert.deepEqual(
      result.passed.map(({ title }) => title),
      ["two"],
    );
  });

  it("fails a test that takes longer than the suite allows", async () => {
    const result = await run(`it("hangs", () => new Promise(() => {})); it("comes next", () => {});`);
    assert.deepEqual(failures(result), ["hangs"]);
    assert.equal(result.passed.length, 1);
  });

  it("ends a suite that exceeds its limit with all that it started, and names the test that ran", async () => {
    const result = await run(
      `it("hangs", async function () { this.timeout(0); ${startDaemon} for (;;) {} });`,
      { limitMs: 6000 },
    );
    assert.deepEqual(result.problems, ["The suite was ended after 6 s; it was running: hangs"]);
    assert.ok(!isAlive(daemonPid()));
  });

  it("ends a suite whose process stays, and says what keeps it", async () => {
    const result = await run(
      `it("leaves a server", () => { require("node:net").createServer().listen(0); });`,
    );
    assert.equal(result.passed.length, 1);
    assert.match(result.problems.join(), /the process does not end, .* not closed \(.*TCPServerWrap/);
  });

  it("says which sockets stayed open, and who opened them", async () => {
    const result = await run(
      `const net = require("node:net");
      function openAndForget(port) { return new Promise((done) => net.connect(port, "127.0.0.1", done)); }
      it("leaves a socket", async () => {
        const server = net.createServer();
        await new Promise((done) => server.listen(0, "127.0.0.1", done));
        await openAndForget(server.address().port);
      });`,
    );
    assert.match(result.problems.join(), /socket \d+ to 127\.0\.0\.1:\d+: .*openAndForget/);
  });

  it("ends processes that a suite leaves behind, and names them", async () => {
    const result = await run(`it("leaves a daemon", async () => { ${startDaemon} });`, { graceMs: 3000 });
    assert.equal(result.passed.length, 1);
    assert.deepEqual(result.problems, [`Processes were left behind: ${daemonPid()} sleep 1000`]);
    assert.ok(!isAlive(daemonPid()));
  });

  it("ends the suite at once when it is stopped", async () => {
    const stop = new AbortController();
    const result = run(`it("hangs", async function () { this.timeout(0); ${startDaemon} for (;;) {} });`, {
      signal: stop.signal,
    });
    await until("the test runs", () => existsSync(join(root, "pid")) && daemonPid() > 0);
    assert.ok(isAlive(daemonPid()));
    stop.abort();
    assert.deepEqual((await result).problems, []);
    assert.ok(!isAlive(daemonPid()));
  });
});

const failures = ({ failed }: SuiteResult): string[] => failed.map(({ title }) => title);
