/** @module Finds a nats-server that is new enough, or installs one: `node bin/nats-server.ts` prints its path. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isOlder, OLDEST_SERVER } from "../services/raft/engine/nats-version.ts";
import { aptInstall, install, works } from "./install.ts";

const VERSION = "2.12.15";
const PACKAGE = `github.com/nats-io/nats-server/v2@v${VERSION}`;
const CACHE = fileURLToPath(new URL("../.cache/bin", import.meta.url));

const run = promisify(execFile);

/**
 * Returns the path of a nats-server of at least version 2.10.23: from PATH, else from the cache folder, else installed
 * with Go, else (as root, where there is no Go) with apt-get, whose older version is taken with a warning.
 * Throws an error that says what to install when none of these works.
 */
export async function ensureNatsServer(): Promise<string> {
  const cached = join(CACHE, "nats-server");
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, "nats-server"));
  const versions = new Map<string, string>();
  for (const path of [...onPath, cached]) {
    const version = await versionOf(path);
    if (version === null) continue;
    if (!isOlder(version, OLDEST_SERVER)) return path;
    versions.set(path, version);
  }
  const problems: string[] = [];
  if (await works("go", ["version"])) {
    const failure = await installWithGo();
    if (failure === null && (await versionOf(cached)) !== null) return cached;
    problems.push(`go install failed: ${failure}`);
  }
  if (versions.size === 0 && process.getuid?.() === 0 && (await works("apt-get", ["--version"]))) {
    const failure = await installWithApt();
    for (const path of ["/usr/sbin/nats-server", "/usr/bin/nats-server"]) {
      const version = await versionOf(path);
      if (version !== null) versions.set(path, version);
    }
    if (failure !== null) problems.push(`apt-get install failed: ${failure}`);
  }
  for (const [path, version] of versions) {
    console.error(
      `warning: ${path} has version ${version}, older than ${OLDEST_SERVER}: good for a try, not for data`,
    );
    return path;
  }
  const tried = problems.length > 0 ? ` (${problems.join("; ")})` : "";
  throw new Error(
    `nats-server ${OLDEST_SERVER} or newer was not found: install it from https://github.com/nats-io/nats-server/releases and put it on PATH, or install Go${tried}`,
  );
}

/** The version that the program prints; null when there is no such program. */
export async function versionOf(path: string): Promise<string | null> {
  try {
    const { stdout } = await run(path, ["--version"]);
    return /v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1] ?? null;
  } catch {
    // Not there or not runnable: the next place is looked at.
    return null;
  }
}

async function installWithGo(): Promise<string | null> {
  console.error(`installing nats-server ${VERSION} into ${CACHE} with Go; this takes about a minute`);
  await mkdir(CACHE, { recursive: true });
  return install("go", ["install", PACKAGE], { GOBIN: CACHE });
}

async function installWithApt(): Promise<string | null> {
  console.error("installing nats-server with apt-get; this takes about a minute");
  return aptInstall("nats-server");
}

if (import.meta.main) {
  try {
    console.log(await ensureNatsServer());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
