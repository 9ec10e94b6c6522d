/** @module Finds a redis-server, or installs Debian's: `node bin/redis-server.ts` prints its path. */
import { delimiter, join } from "node:path";
import { aptInstall, works } from "./install.ts";

/** The path of the first redis-server on PATH that runs; null when there is none. */
export async function findRedisServer(): Promise<string | null> {
  for (const folder of (process.env.PATH ?? "").split(delimiter).filter(Boolean)) {
    const path = join(folder, "redis-server");
    if (await works(path, ["--version"])) return path;
  }
  return null;
}

/**
 * As `findRedisServer`, but installs it (as root, where there is apt-get) when it is missing. Throws an error that
 * says what to do when that cannot be.
 */
export async function ensureRedisServer(): Promise<string> {
  const found = await findRedisServer();
  if (found !== null) return found;
  let failure = "";
  if (process.getuid?.() === 0 && (await works("apt-get", ["--version"]))) {
    console.error("installing redis-server with apt-get; this takes about a minute");
    const problem = await aptInstall("redis-server");
    if (problem !== null) failure = ` (apt-get install failed: ${problem})`;
    const installed = await findRedisServer();
    if (installed !== null) return installed;
  }
  throw new Error(
    `redis-server was not found on PATH: install Redis 6 or newer, on Debian as root with apt-get install redis-server${failure}.`,
  );
}

if (import.meta.main) {
  try {
    console.log(await ensureRedisServer());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
