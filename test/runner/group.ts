/** @module A command in a process group of its own, so that it can be ended with everything that it started. */
import { spawn } from "node:child_process";

export interface GroupCommand {
  readonly args: readonly string[];
  readonly cwd: string;
  /** Where its output goes. */
  readonly output: "inherit" | "ignore";
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the group when it aborts. */
  readonly signal: AbortSignal;
  /** Takes what the command says by `process.send`. */
  readonly onMessage?: (message: unknown) => void;
}

export interface GroupEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Runs this Node with `args`, with nothing to read. Resolves when it has ended and its group is empty. */
export function runNode(command: GroupCommand): Promise<GroupEnd> {
  const { args, cwd, output, signal, onMessage } = command;
  const { promise, resolve, reject } = Promise.withResolvers<GroupEnd>();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    cwd,
    env: command.env ?? process.env,
    detached: true, // the leader of a new group; Ctrl-C does not reach it, `signal` does
    stdio: ["ignore", output, output, ...(onMessage ? (["ipc"] as const) : [])],
  });
  const stop = () => {
    if (child.pid) endGroup(child.pid);
  };
  if (onMessage) child.on("message", onMessage);
  signal.addEventListener("abort", stop);
  process.once("exit", stop);
  child.once("error", reject);
  child.once("close", (code, by) => {
    signal.removeEventListener("abort", stop);
    process.removeListener("exit", stop);
    stop(); // whatever it left behind in its group
    resolve({ code, signal: by });
  });
  if (signal.aborted) stop();
  return promise;
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: nobody is left
  }
}
