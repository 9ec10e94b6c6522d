/** @module Child processes of the agent: programs of this folder that talk over a channel and end with the agent. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Starts `program` with this process's id and `args`. What it prints on standard error appears on this process's.
 * Values of SQLite pass the channel as they are (bigint, bytes, maps).
 */
export function startChild(program: URL, args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(program), [String(process.pid), ...args], {
    serialization: "advanced",
    // A terminal's Ctrl-C reaches the whole process group: the main process alone decides when a child ends.
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: {},
  });
}
