/** @module Where the command line of the node's agent is. */
import type { AgentStatus } from "../contract.ts";
import type { CommandLine } from "./cli.ts";

const EMBEDDED = new URL("../../../corrosion/embedded/main.ts", import.meta.url).pathname;

/** Null for an agent that somebody else runs: nothing says which program it is, or where its configuration is. */
export function commandLineOf({ kind, program, config_path }: AgentStatus): CommandLine | null {
  if (kind === "external" || config_path === null) return null;
  if (kind === "binary") return { program, args: ["--config", config_path] };
  const node = ["--disable-warning=ExperimentalWarning", EMBEDDED];
  return { program: process.execPath, args: [...node, "--config", config_path] };
}
