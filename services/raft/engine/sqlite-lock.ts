/** @module The lock on a data folder: one process at a time, dropped by the operating system when that process ends. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { Unavailable } from "./errors.ts";
import { failureOf, isBusy } from "./sqlite-file.ts";

/** A process that was just killed may take a moment to let go. */
const TRIES = 10;
const RETRY_MS = 100;

/**
 * Takes the folder for this process and returns what gives it back.
 * Throws `Unavailable` when another process has it.
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const file = join(folder, "log.lock");
  for (let tries = 1; ; tries++) {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { timeout: 0 });
      // The lock is the operating system's lock on this file; nothing is ever written into it.
      database.exec("BEGIN EXCLUSIVE");
      const held = database;
      writeFileSync(pidFile(folder), `${process.pid}\n`);
      return () => held.close();
    } catch (error) {
      database?.close();
      if (!isBusy(error)) throw new Unavailable(failureOf(error, file).message, { cause: error });
      if (tries === TRIES) throw new Unavailable(inUse(folder), { cause: error });
    }
    await delay(RETRY_MS);
  }
}

function pidFile(folder: string): string {
  return join(folder, "log.pid");
}

function inUse(folder: string): string {
  const pid = holder(folder);
  return `the data folder ${folder} is in use by another process${pid === null ? "" : ` (pid ${pid})`}: stop that one, or set FLEET_DATA_DIR to another folder`;
}

/** The pid that the lock's holder has noted; null when it cannot be right. */
function holder(folder: string): number | null {
  try {
    const pid = Number(readFileSync(pidFile(folder), "utf8").trim());
    if (!Number.isSafeInteger(pid) || pid <= 0) return null;
    process.kill(pid, 0);
    return pid;
  } catch {
    // Only a hint for the message: without it the sentence still says what to do.
    return null;
  }
}
