/**
 * @module `npm test`: format, lint and types, then every suite; or only the suites that are named.
 *
 *     npm test [-- [suite...] [mocha options]]
 *     npm run test:corrosion [-- --bin PATH | --url URL]   against that agent instead of the embedded one
 */
import { join } from "node:path";
import { ensureNatsServer } from "../bin/nats-server.ts";
import { ensureRedisServer } from "../bin/redis-server.ts";
import { ensureChromium } from "./browser/chromium.ts";
import { runNode } from "./runner/group.ts";
import { type FailedTest, type PassedTest, runSuite, type Suite } from "./runner/suite.ts";

const ROOT = join(import.meta.dirname, "..");

interface ProjectSuite extends Suite {
  readonly needsServers: boolean;
  readonly needsBrowser?: boolean;
}

/**
 * In this order, one test at a time: many of them start servers. On two idle cores everything together takes about
 * 40 minutes; the limits are for what hangs, and leave room for a busy machine.
 */
const SUITES: readonly ProjectSuite[] = [
  { name: "unit", testTimeoutMs: 10_000, limitMs: 300_000, needsServers: false },
  { name: "simulation", testTimeoutMs: 60_000, limitMs: 300_000, needsServers: false },
  { name: "integration", testTimeoutMs: 60_000, limitMs: 3_000_000, needsServers: true },
  { name: "corrosion", testTimeoutMs: 60_000, limitMs: 300_000, needsServers: false },
  { name: "browser", testTimeoutMs: 60_000, limitMs: 2_400_000, needsServers: true, needsBrowser: true },
  { name: "faults", testTimeoutMs: 240_000, limitMs: 900_000, needsServers: true },
];

const CHECKS = [
  {
    name: "format and lint",
    args: ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."],
  },
  // Of the program, the dashboard and its tests, for each runs where other things are known.
  {
    name: "types",
    args: ["node_modules/typescript/bin/tsc", "-b", ".", "public", "test/browser", "--force"],
  },
];

const CHECK_LIMIT_MS = 120_000;
const SERVER_LIMIT_MS = 300_000;
const GRACE_MS = 5000;
const SLOWEST = 5;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => stop.abort(new Error(`The tests were stopped by ${signal}.`)));
}

const passed: PassedTest[] = [];
const problems: string[] = [];
const times: string[] = [];
const failed: FailedTest[] = [];

try {
  await runAll(process.argv.slice(2));
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
}
report();

async function runAll(given: readonly string[]): Promise<void> {
  const argv = takeAgent(given);
  const firstOption = argv.findIndex((arg) => arg.startsWith("-"));
  const names = firstOption < 0 ? argv : argv.slice(0, firstOption);
  const mochaArgs = firstOption < 0 ? [] : argv.slice(firstOption);
  const suites = chooseSuites(names);
  // Whoever asks for the faults alone has the time for an outage of half a minute.
  if (names.includes("faults")) process.env.FLEET_FAULT_OUTAGE_MS ??= "30000";

  if (suites.some((suite) => suite.needsServers)) {
    await stage("nats-server", () => orAbort(ensureNatsServer(), "nats-server", SERVER_LIMIT_MS));
    await stage("redis-server", () => orAbort(ensureRedisServer(), "redis-server", SERVER_LIMIT_MS));
  }
  if (suites.some((suite) => suite.needsBrowser)) {
    await stage("chromium", () => orAbort(ensureChromium(), "chromium", SERVER_LIMIT_MS));
  }
  for (const check of names.length > 0 ? [] : CHECKS) {
    await stage(check.name, () => runCheck(check.name, check.args));
  }
  for (const suite of suites) {
    await stage(suite.name, async () => {
      const result = await runSuite(suite, {
        root: ROOT,
        mochaArgs,
        graceMs: GRACE_MS,
        output: "inherit",
        signal: stop.signal,
      });
      const named = <T extends { readonly title: string }>(test: T) => ({
        ...test,
        title: `${suite.name}: ${test.title}`,
      });
      passed.push(...result.passed.map(named));
      failed.push(...result.failed.map(named));
      problems.push(...result.problems.map((problem) => `${suite.name}: ${problem}`));
    });
  }
  if (passed.length + failed.length + problems.length === 0) throw new Error("No test ran.");
}

/** Takes out which agent the suite `corrosion` shall run against; the suite's process finds it in its environment. */
function takeAgent(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex((arg) => arg === "--bin" || arg === "--url");
  if (at < 0) return argv;
  const value = argv[at + 1];
  if (value === undefined)
    throw new Error("--bin needs the path of an agent's program, --url the address of its API.");
  process.env[argv[at] === "--bin" ? "CORROSION_TEST_BIN" : "CORROSION_TEST_URL"] = value;
  return argv.toSpliced(at, 2);
}

function chooseSuites(names: readonly string[]): readonly ProjectSuite[] {
  const unknown = names.filter((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `There is no suite "${unknown.join('", "')}": there are ${SUITES.map(({ name }) => name).join(", ")}.`,
    );
  }
  return names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
}

async function stage(name: string, work: () => Promise<unknown>): Promise<void> {
  console.log(`\n== ${name}`);
  const started = performance.now();
  try {
    await work();
  } finally {
    times.push(`${name} ${seconds(performance.now() - started)}`);
  }
  stop.signal.throwIfAborted();
}

async function runCheck(name: string, args: readonly string[]): Promise<void> {
  const limit = AbortSignal.timeout(CHECK_LIMIT_MS);
  const end = await runNode({
    args,
    cwd: ROOT,
    output: "inherit",
    signal: AbortSignal.any([stop.signal, limit]),
  });
  if (limit.aborted) problems.push(`${name}: ended after ${seconds(CHECK_LIMIT_MS)}.`);
  else if (end.code !== 0) problems.push(`${name}: not clean, see above.`);
}

/** Rejects when the work takes longer than its limit, or when the run is stopped. */
function orAbort<T>(work: Promise<T>, name: string, limitMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${name} was not there after ${seconds(limitMs)}.`)),
    limitMs,
  );
  stop.signal.addEventListener("abort", () => reject(stop.signal.reason));
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

/**
 * Each problem counts as one failure, so that the closing line never looks better than the exit code. Failures are
 * told again here: where they happened is thousands of lines above, and a log that was cut keeps its end.
 */
function report(): never {
  const slowest = passed.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  console.log(`\nStages: ${times.join(", ")}; in all ${seconds(performance.now())}`);
  if (slowest.length > 0) console.log("Slowest tests:");
  for (const test of slowest) console.log(`  ${seconds(test.ms)}  ${test.title}`);
  for (const { title, error } of failed) console.log(`Failed: ${title}\n${indented(error)}`);
  for (const problem of problems) console.log(`Problem: ${problem}`);
  const failures = failed.length + problems.length;
  console.log(`${passed.length} passed, ${failures} failed`);
  process.exit(failures === 0 ? 0 : 1);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
