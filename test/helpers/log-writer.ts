/**
 * @module A process that writes to some groups until it is killed: `log-writer.ts <engine options as JSON> <groups,…>`.
 * It prints `ready`, then `<group> <index>` after each acknowledgement, or one line `error <message>`.
 */
import { setImmediate as turn } from "node:timers/promises";
import { type EngineOptions, openEngine } from "../../services/raft/engine/open.ts";

/** What the writer puts at an index. */
export function writtenAt(group: number, index: number): string {
  return `entry ${index} of group ${group} ${"x".repeat(index % 100)}`;
}

async function write(options: EngineOptions, groups: readonly number[]): Promise<void> {
  const engine = await openEngine(options);
  await engine.provision(256);
  console.log("ready");
  await Promise.all(
    groups.map(async (group) => {
      const log = await engine.open(group);
      for (let { last } = await log.bounds(); ; last++) {
        await log.append(Buffer.from(writtenAt(group, last + 1)), last, `${process.pid}-${last}`);
        process.stdout.write(`${group} ${last + 1}\n`);
        await turn();
      }
    }),
  );
}

if (import.meta.main) {
  const [options = "", groups = ""] = process.argv.slice(2);
  try {
    await write(JSON.parse(options) as EngineOptions, groups.split(",").map(Number));
  } catch (error) {
    console.log(`error ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
