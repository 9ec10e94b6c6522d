/**
 * @module `npm run bench`: both modes beside their peers. `-- <part> …` runs those parts; `--quick` runs them shortly;
 * `--groups=N` gives the distributed fleet N groups.
 */
import { parseArgs } from "node:util";
import { appends } from "./parts/appends.ts";
import { archive } from "./parts/archive.ts";
import { corrosion } from "./parts/corrosion.ts";
import { failover } from "./parts/failover.ts";
import { latency } from "./parts/latency.ts";
import { memory } from "./parts/memory.ts";
import { recovery } from "./parts/recovery.ts";
import { replay } from "./parts/replay.ts";
import { start } from "./parts/start.ts";
import { Report } from "./report.ts";

const PARTS: Readonly<Record<string, (report: Report) => Promise<void>>> = {
  start,
  appends,
  latency,
  replay,
  archive,
  failover,
  recovery,
  memory,
  corrosion,
};

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, groups: { type: "string" } },
});
// Children end with this process only when it exits in its own way.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}\n`);
  process.exit(1);
}
const report = new Report(values.quick, values.groups ? { FLEET_GROUPS: values.groups } : {});
for (const name of names.length > 0 ? names : Object.keys(PARTS)) {
  report.progress(`part ${name}`);
  try {
    await PARTS[name]!(report);
  } catch (error) {
    // The others may still tell something; what broke must not go unseen.
    process.exitCode = 1;
    report.note(`part ${name} broke: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  }
}
report.print();
