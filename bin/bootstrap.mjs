/**
 * @module Runs a script of this project on the project's own Node, after installing and building what is missing.
 *
 *     node bin/bootstrap.mjs [--include=dev] <script> [arguments]
 *
 * It has no dependencies, and must work on every Node from 18 on (older ones get a sentence that says so).
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 18;
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const MODULES = join(ROOT, "node_modules");
const RUNTIME = join(MODULES, ".bin", "node");
/** Files and folders that the dashboard is made of. */
const DASHBOARD_SOURCES = [
  "public",
  "lib/bootstrap-hosts.ts",
  "lib/csv.ts",
  "lib/regions.ts",
  "lib/sql-tokens.ts",
  "vite.config.ts",
  "package-lock.json",
];
/** What it was made of, as a hash; lies beside the result, so that they go together. */
const DASHBOARD_STAMP = join(ROOT, "dist", ".sources");
const VITE = join(MODULES, "vite", "bin", "vite.js");
const RELAYED = ["SIGINT", "SIGTERM", "SIGHUP"];
const USAGE = "Usage: node bin/bootstrap.mjs [--include=dev] <script> [arguments]";

/** What stops the start; its message is for the person who reads the terminal. */
class Stop extends Error {}

/** Gives a signal to the child that runs now, if there is one. */
let relay = null;

/** The first signal that arrived. */
let interruption = null;

try {
  end(await main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(argv) {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new Stop(
      `Node ${OLDEST_NODE} or newer is needed, and this is ${process.version}: install a newer one from https://nodejs.org.`,
    );
  }
  const include = argv[0] === "--include=dev";
  const [script, ...args] = include ? argv.slice(1) : argv;
  if (!script || script.startsWith("-")) throw new Stop(USAGE);

  relaySignals();
  // As with npm, a production environment does without the development tools, unless they are asked for.
  const dev = include || process.env.NODE_ENV !== "production";
  const reason = whyInstall(dev);
  if (reason) await install(dev, reason);
  if (runtimeProblem()) await repairRuntime();
  // Tools that look at the sources (lint, types) must run where a build would fail.
  if (!script.startsWith("node_modules/")) await buildDashboard();
  if (interruption) return { code: null, signal: interruption };
  return run(RUNTIME, ["--disable-warning=ExperimentalWarning", resolve(ROOT, script), ...args], {
    stdio: "inherit",
  });
}

/**
 * Why `npm ci` must run, or null. npm's own record of what it installed is compared with package-lock.json
 * by content: times say nothing after a `git checkout`, and a record is only there when npm had finished.
 * Packages installed besides are left alone.
 */
function whyInstall(dev) {
  const wanted = readPackages(join(ROOT, "package-lock.json"));
  if (!wanted)
    throw new Stop(`${join(ROOT, "package-lock.json")} cannot be read: restore it with git checkout.`);
  const installed = readPackages(join(MODULES, ".package-lock.json"));
  if (!installed) return "node_modules is missing or incomplete";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || (entry.dev && !dev)) continue;
    const found = installed[path];
    // Optional packages are often for other machines than this one.
    if (found ? !samePackage(entry, found) : !entry.optional && !entry.devOptional) {
      const name = path.replace("node_modules/", "");
      return found ? `${name} is not as package-lock.json has it` : `${name} is missing`;
    }
  }
  return null;
}

function samePackage(a, b) {
  const proof = a.integrity && b.integrity ? "integrity" : "resolved";
  return a.version === b.version && (!a[proof] || !b[proof] || a[proof] === b[proof]);
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages || null;
  } catch {
    return null; // missing and unreadable call for the same thing: npm writes it anew
  }
}

/** Runs npm without a word; what it said comes only with a failure. */
async function npm(purpose, args, advice) {
  const done = await announced(purpose, "npm", [...args, "--no-engine-strict", "--loglevel=notice"], {
    env: { ...process.env, PATH: pathWithoutModules() },
    detached: true, // a group of its own, so that a signal ends the install scripts too, which npm lets go on
  });
  if (done.error)
    throw new Stop(`npm could not be run (${done.error.message}): install npm, which comes with Node.`);
  if (!done.ok) throw new Stop(advice);
}

/** Says what happens, runs a command, and says how long it took; what the command said comes only with a failure. */
async function announced(purpose, command, args, options) {
  const started = Date.now();
  process.stderr.write(`${purpose} ... `);
  let output = "";
  const done = await run(command, args, {
    ...options,
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    onOutput: (text) => {
      output += text;
    },
  });
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s`;
  const ok = done.code === 0 || interruption !== null;
  if (interruption) process.stderr.write(`stopped after ${took}\n`);
  else process.stderr.write(ok ? `done in ${took}\n` : `failed after ${took}\n${output}`);
  return { ok, error: ok ? null : done.error };
}

async function install(dev, reason) {
  // The engines that packages ask for are those of the project's own Node, not of the one that runs npm.
  await npm(
    `Installing dependencies with npm ci (${reason})`,
    ["ci", dev ? "--include=dev" : "--omit=dev", "--include=optional"],
    "The dependencies could not be installed (npm says why above): npm needs its registry, and a package-lock.json that fits package.json; then run the same command again.",
  );
}

/** Why the project's Node does not run, or null. */
function runtimeProblem() {
  if (interruption) return null;
  const { status, signal, error, stderr } = spawnSync(RUNTIME, ["--version"], { encoding: "utf8" });
  if (status === 0) return null;
  if (error) return error.message;
  return stderr.trim() || (signal ? `it ended by ${signal}` : `it ended with exit code ${status}`);
}

/** The `node` package fetches its binary in an install script, which npm does not run where scripts are switched off. */
async function repairRuntime() {
  const advice = `Fleetport's own Node is missing, and there may be none for this machine (${process.platform} ${process.arch}): run \`npm rebuild node --ignore-scripts=false\` and see what it says.`;
  await npm("Installing Node for this machine", ["rebuild", "node", "--ignore-scripts=false"], advice);
  const problem = runtimeProblem();
  if (problem) throw new Stop(`${advice} (${problem})`);
}

/** Builds the dashboard when its sources are others than those of the last build; a project without sources has none. */
async function buildDashboard() {
  if (interruption || !existsSync(join(ROOT, "public"))) return;
  const sources = hashOf(DASHBOARD_SOURCES);
  if (readStamp() === sources) return;
  const done = await announced("Building the dashboard", RUNTIME, [VITE, "build", "--logLevel=error"], {});
  if (!done.ok) {
    throw new Stop(
      "The dashboard could not be built (see above): mend its sources, or restore them with git.",
    );
  }
  if (!interruption) writeFileSync(DASHBOARD_STAMP, sources);
}

function readStamp() {
  try {
    return readFileSync(DASHBOARD_STAMP, "utf8");
  } catch {
    return null; // no build was finished here
  }
}

/** By content and name: times say nothing after a `git checkout`. */
function hashOf(paths) {
  const hash = createHash("sha256");
  const add = (path) => {
    const file = join(ROOT, path);
    if (!existsSync(file)) return;
    if (statSync(file).isDirectory()) {
      for (const name of readdirSync(file).sort()) add(`${path}/${name}`);
    } else {
      const content = readFileSync(file);
      hash.update(`${path} ${content.length}\n`).update(content);
    }
  };
  paths.forEach(add);
  return hash.digest("hex");
}

/** npm must not run on a Node that it is about to delete: the one in node_modules, which `npm start` puts first. */
function pathWithoutModules() {
  const entries = (process.env.PATH || "").split(delimiter);
  return entries.filter((entry) => !entry.endsWith(join("node_modules", ".bin"))).join(delimiter);
}

/** Runs a child to its end, and gives it the signals that arrive meanwhile. */
function run(command, args, { onOutput, ...options }) {
  return new Promise((settle) => {
    const child = spawn(command, args, options);
    relay = options.detached ? toGroup(child) : toChild(child);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) stream.setEncoding("utf8").on("data", onOutput);
    }
    const ended = (outcome) => {
      relay = null;
      settle(outcome);
    };
    child.once("error", (error) => ended({ code: 1, signal: null, error }));
    child.once("close", (code, signal) => ended({ code, signal }));
  });
}

function relaySignals() {
  for (const signal of RELAYED) {
    process.on(signal, () => {
      interruption = interruption || signal;
      if (relay) relay(signal);
    });
  }
}

/**
 * A SIGINT in the foreground of a terminal is Ctrl-C, which the terminal gives to the child as well (and npm once
 * more to this process): passed on, it would look like a second Ctrl-C.
 */
function toChild(child) {
  return (signal) => {
    if (signal !== "SIGINT" || !inForeground()) child.kill(signal);
  };
}

function toGroup(leader) {
  return (signal) => {
    try {
      process.kill(-leader.pid, signal);
    } catch (error) {
      if (error.code !== "ESRCH") throw error; // ESRCH: the group has just ended
    }
  };
}

/** Whether this process belongs to the group that a terminal's keyboard reaches. */
function inForeground() {
  let group;
  let foreground;
  try {
    // proc(5): after the name in parentheses come state, parent, group, session, terminal, the terminal's group.
    const stat = readFileSync("/proc/self/stat", "latin1");
    [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    const ps = spawnSync("ps", ["-o", "pgid=,tpgid=", "-p", String(process.pid)], { encoding: "utf8" });
    [group, foreground] = (ps.stdout || "").trim().split(/\s+/);
  }
  return Boolean(group) && group === foreground;
}

/** Ends as the child ended: with its exit code, or by the same signal. */
function end({ code, signal, error }) {
  if (error) throw new Stop(`${RUNTIME} could not be run: ${error.message}`);
  if (!signal) process.exit(code);
  for (const name of RELAYED) process.removeAllListeners(name);
  process.exitCode = 128 + constants.signals[signal];
  process.kill(process.pid, signal);
}
