/** @module The agent that an earlier start of the node left running. */
import { rmSync } from "node:fs";
import { endProcess } from "../../../lib/process-ending.ts";
import { readLeftover } from "./pid-file.ts";

export interface EndedLeftover {
  /** Of the agent that was ended here; null when none ran. */
  readonly pid: number | null;
  /** Whether it had no chance to put its things in order. */
  readonly unclean: boolean;
}

/**
 * Ends the agent that the pid file names, if it is ours and still runs. It is not adopted: its output and its exit
 * belong to a node that is gone, and it runs on a configuration that this start has written anew. Throws a sentence
 * when it cannot be ended.
 */
export async function endLeftover(pidFile: string, graceMs: number): Promise<EndedLeftover> {
  const leftover = readLeftover(pidFile);
  if (leftover.kind === "none") return { pid: null, unclean: false };
  if (leftover.kind === "crashed") {
    rmSync(pidFile, { force: true });
    return { pid: null, unclean: true };
  }
  const { record } = leftover;
  const how = await endProcess("The Corrosion agent of an earlier start", record, [["SIGTERM", graceMs]]);
  rmSync(pidFile, { force: true });
  return { pid: record.pid, unclean: how !== "ended" };
}
