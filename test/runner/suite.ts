/** @module One mocha suite: all test files of a folder, one after the other, in a process that is watched. */
import { globSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runNode } from "./group.ts";
import { MARK, type MarkedProcess, markedProcesses, newMark } from "./processes.ts";
import type { SuiteMessage } from "./reporter.ts";

export interface Suite {
  /** Its tests are `test/<name>/**\/*.test.ts`. */
  readonly name: string;
  /** How long one test may take, unless it says otherwise. */
  readonly testTimeoutMs: number;
  /** How long the whole suite may take; then it is ended. */
  readonly limitMs: number;
}

export interface SuiteRun {
  readonly root: string;
  /** More arguments for mocha, such as `--grep`. */
  readonly mochaArgs: readonly string[];
  /** How long the suite's process may stay after its last test, and its children after that. */
  readonly graceMs: number;
  readonly output: "inherit" | "ignore";
  readonly signal: AbortSignal;
}

export interface SuiteResult {
  readonly passed: readonly PassedTest[];
  readonly failed: readonly FailedTest[];
  /** What is wrong beyond failed tests, a sentence each. */
  readonly problems: readonly string[];
}

export interface PassedTest {
  readonly title: string;
  readonly ms: number;
}

export interface FailedTest {
  readonly title: string;
  /** Its message and stack. */
  readonly error: string;
}

const KILLED_WITHIN_MS = 2000;
const POLL_MS = 20;

const MOCHA = join(dirname(createRequire(import.meta.url).resolve("mocha/package.json")), "bin", "mocha.js");
const REPORTER = join(import.meta.dirname, "reporter.ts");

/** Runs a suite to its end, or ends it; when it returns, no process of the suite is left. */
export async function runSuite(suite: Suite, run: SuiteRun): Promise<SuiteResult> {
  const pattern = `test/${suite.name}/**/*.test.ts`;
  if (globSync(pattern, { cwd: run.root }).length === 0) {
    return { passed: [], failed: [], problems: [`There is no test: no file is named ${pattern}.`] };
  }

  const passed: PassedTest[] = [];
  const failed: FailedTest[] = [];
  const problems: string[] = [];
  const mark = newMark();
  const stop = new AbortController();
  let running = "no test yet: the files were being read";
  let lingering: readonly string[] = [];
  let grace: NodeJS.Timeout | undefined;

  const limit = setTimeout(() => {
    problems.push(`The suite was ended after ${suite.limitMs / 1000} s; it was running: ${running}`);
    stop.abort();
  }, suite.limitMs);

  function ended(): void {
    clearTimeout(limit);
    grace = setTimeout(() => {
      problems.push(
        `All tests are over, and the process does not end, for something was not closed (${lingering.join(", ")}).`,
      );
      stop.abort();
    }, run.graceMs);
  }

  function hear(message: SuiteMessage): void {
    switch (message.kind) {
      case "running":
        running = message.title;
        break;
      case "passed":
        passed.push({ title: message.title, ms: message.ms });
        break;
      case "failed":
        failed.push({ title: message.title, error: message.error });
        break;
      case "ended":
        ended();
        break;
      case "lingering":
        lingering = message.resources;
        break;
    }
  }

  const end = await runNode({
    args: [
      MOCHA,
      ...["--no-config", "--no-package", "--forbid-only", "--forbid-pending"],
      ...["--timeout", String(suite.testTimeoutMs), "--reporter", REPORTER],
      ...run.mochaArgs,
      pattern,
    ],
    cwd: run.root,
    output: run.output,
    env: { ...process.env, [MARK]: mark },
    signal: AbortSignal.any([run.signal, stop.signal]),
    onMessage: (message) => hear(message as SuiteMessage),
  });
  clearTimeout(limit);
  clearTimeout(grace);

  const stopped = run.signal.aborted || stop.signal.aborted;
  if (!stopped && end.code !== 0 && failed.length === 0) {
    problems.push(`mocha ended with ${end.signal ?? `exit code ${end.code}`}, see above.`);
  }
  if (!stopped && passed.length + failed.length + problems.length === 0 && run.mochaArgs.length === 0) {
    problems.push("No test ran.");
  }
  const left = await endLeftovers(mark, stopped ? 0 : run.graceMs);
  if (!stopped && left.length > 0) {
    problems.push(
      `Processes were left behind: ${left.map(({ pid, command }) => `${pid} ${command}`).join("; ")}`,
    );
  }
  return { passed, failed, problems };
}

/** Waits for what the suite started to be gone, then kills it; returns what had to be killed, and is gone. */
async function endLeftovers(mark: string, graceMs: number): Promise<MarkedProcess[]> {
  const left = await leftAfter(mark, graceMs);
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: it has just ended
    }
  }
  await leftAfter(mark, KILLED_WITHIN_MS);
  return left;
}

/** What still lives after `graceMs`; returns early when nothing does. */
async function leftAfter(mark: string, graceMs: number): Promise<MarkedProcess[]> {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const left = markedProcesses(mark);
    if (left.length === 0 || performance.now() >= deadline) return left;
    await delay(POLL_MS);
  }
}
