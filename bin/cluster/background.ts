/** @module A program in the background: it outlives the command that started it, and writes to a log file. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { note, type Running } from "./record.ts";

const MAX_LOG_BYTES = 10_000_000;
const LAST_LINES = 10;
/** A structured line of level info or below: a node that ends has one for each of its services. */
const ROUTINE = /^\{"level":[123]0,/;

export interface Program {
  readonly part: Omit<Running, "pid" | "started">;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts the program in a session of its own, so that neither Ctrl-C nor a closed terminal ends it. */
export async function launch(pids: string, { part, command, args, env }: Program): Promise<Running> {
  const log = openLog(part.log);
  try {
    const child = spawn(command, args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: env ?? process.env,
    });
    child.unref();
    await once(child, "spawn");
    return note(pids, child.pid, part);
  } finally {
    closeSync(log);
  }
}

/** Opens a log for appending, and returns its descriptor; what is too long becomes `<name>.1` first. */
export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, "a");
}

/** The end of a log, as a person reads it in an error. */
export function lastLines(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    text = "";
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !ROUTINE.test(line));
  if (lines.length === 0) return `Its log ${file} says nothing.`;
  const last = lines.slice(-LAST_LINES).map((line) => `  ${line}`);
  return `Its log ${file} ends with:\n${last.join("\n")}`;
}
