/** @module `cluster members` of the agent's command line: what to do where its admin socket cannot be used. */
import { spawn } from "node:child_process";
import type { Json } from "../../../lib/corrosion/client/json.ts";
import { agentEnvironment } from "../agent/environment.ts";
import { concatenatedJson } from "./concatenated-json.ts";

export interface CommandLine {
  readonly program: string;
  /** Everything up to the sub-command. */
  readonly args: readonly string[];
}

/** The command failed, hung or printed what it never does; one sentence. */
export class CommandFailed extends Error {
  override name = "CommandFailed";
}

/** A command that takes longer is killed. */
export const CLI_LIMIT_MS = 15_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const QUOTED = 200;

/**
 * What the command prints, value by value. Throws `CommandFailed`; the process is gone when this settles, also when
 * the signal ended it.
 */
export async function clusterMembers(
  { program, args }: CommandLine,
  signal: AbortSignal,
  limitMs = CLI_LIMIT_MS,
): Promise<readonly Json[]> {
  const command = "cluster members";
  const failed = (what: string, cause?: unknown) =>
    new CommandFailed(`the command "${command}" of ${program} ${what}`, { cause });
  const {
    stdout,
    stderr,
    code,
    signal: killed,
    ended,
  } = await run(program, [...args, "cluster", "members"], signal, limitMs);
  if (ended === "aborted") throw failed("was ended: this node stops");
  if (ended === "limit") throw failed(`gave no answer in ${limitMs / 1000} s and was killed`);
  if (ended === "output") throw failed(`printed more than ${MAX_OUTPUT_BYTES} bytes and was killed`);
  if (ended instanceof Error) throw failed(`cannot be run: ${ended.message}`, ended);
  if (code !== 0)
    throw failed(
      `failed: ${stderr.trim().slice(0, QUOTED) || (killed ? `it was ended by ${killed}` : `exit code ${code}`)}`,
    );
  try {
    return concatenatedJson(stdout);
  } catch (error) {
    throw failed("printed what is no list of members", error);
  }
}

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it did not end by itself. */
  readonly ended: "aborted" | "limit" | "output" | Error | null;
}

function run(program: string, args: readonly string[], signal: AbortSignal, limitMs: number): Promise<Ran> {
  return new Promise((resolve) => {
    // A group of its own: a script that is killed takes what it started along.
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      // Log lines go to the standard output.
      env: { ...agentEnvironment(process.env), RUST_LOG: "error" },
    });
    let ended: Ran["ended"] = null;
    const output: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
    let bytes = 0;
    const kill = (why: NonNullable<Ran["ended"]>) => {
      ended ??= why;
      killGroup(child.pid);
    };
    const aborted = () => kill("aborted");
    const timer = setTimeout(() => kill("limit"), limitMs);
    signal.addEventListener("abort", aborted, { once: true });
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => {
        output[name].push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_OUTPUT_BYTES) kill("output");
      });
    }
    child.on("error", (error) => {
      ended ??= error;
    });
    child.on("close", (code, killed) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      const text = (name: "stdout" | "stderr") => Buffer.concat(output[name]).toString("utf8");
      resolve({ stdout: text("stdout"), stderr: text("stderr"), code, signal: killed, ended });
    });
    if (signal.aborted) aborted();
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
