/** @module Where the command line of the node's agent is. */
import { EMBEDDED } from "../agent/program.ts";
import type { AgentStatus } from "../contract.ts";
import type { CommandLine } from "./cli.ts";

/** Null for an agent that somebody else runs: nothing says which program it is, or where its configuration is. */
export function commandLineOf({ kind, program, config_path }: AgentStatus): CommandLine | null {
  if (kind === "external" || config_path === null) return null;
  const { args, file } = kind === "embedded" ? EMBEDDED : { file: program, args: [] };
  return { program: file, args: [...args, "--config", config_path] };
}
