/** @module `fleetport stop`: ends what `up`, `cluster` or `agents` runs in the background on these data, and nothing else. */
import type { Env } from "../lib/env.ts";
import type { EndingStep } from "../lib/process-ending.ts";
import { stopAgents } from "./agents.ts";
import { readLayout } from "./cluster/layout.ts";
import { readPart } from "./cluster/record.ts";
import { endPart } from "./cluster/stop.ts";
import { runClusterCommand } from "./cluster.ts";
import { stage } from "./stages.ts";
import { pidFolder } from "./up.ts";

/** An embedded start ends within 5 s. */
const STEPS: readonly EndingStep[] = [["SIGTERM", 10_000]];

/** Returns the exit code. Throws a sentence when something cannot be ended. */
export async function runStop(args: readonly string[], environment: Env): Promise<number> {
  if (args.length > 0) throw new Error("Usage: npm run stop");
  const folder = pidFolder(readLayout(environment).config);
  const up = readPart(folder, "up");
  if (up)
    await stage(
      "embedded",
      () => endPart(folder, up, STEPS),
      (how) => `pid ${up.pid} ${how}`,
    );
  const cluster = await runClusterCommand(["--stop"], environment);
  // Last: nodes use them until they end.
  const agents = await stopAgents(environment);
  return Math.max(cluster, agents);
}
