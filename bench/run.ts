/** @module `npm run bench`: measures both modes beside their peers. `-- <part> …` runs those parts, `--quick` shortly. */
import { appends } from "./parts/appends.ts";
import { latency } from "./parts/latency.ts";
import { start } from "./parts/start.ts";
import { Report } from "./report.ts";

const PARTS: Readonly<Record<string, (report: Report) => Promise<void>>> = {
  start,
  appends,
  latency,
};

const wanted = process.argv.slice(2);
const names = wanted.filter((argument) => argument !== "--quick");
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}\n`);
  process.exit(1);
}
const report = new Report(wanted.includes("--quick"));
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
