/** @module Runs the programs that install other programs, and tells why one of them failed. */
import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whether a program is there and answers to these arguments with exit code 0. */
export async function works(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(program, args);
    return true;
  } catch {
    return false;
  }
}

/** Installs a Debian package; null when it succeeded, else the last line that apt-get printed. */
export function aptInstall(name: string): Promise<string | null> {
  return install("apt-get", ["install", "-y", name], { DEBIAN_FRONTEND: "noninteractive" });
}

/** Null when the command succeeded, else the last line that it printed. */
export function install(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let last = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      last = text.trim().split("\n").at(-1) || last;
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => resolve(code === 0 ? null : last || `exit code ${code}`));
  });
}
