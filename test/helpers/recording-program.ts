/** @module A program that records events in an analytics file until it is killed; says how many are flushed. */
import { writeSync } from "node:fs";
import { openStore } from "../../services/analytics/store/operations.ts";
import { sent, T0 } from "./run-events.ts";

const [path = ""] = process.argv.slice(2);
const store = openStore(path, "n1");
for (let flushed = 0; ; ) {
  const events = Array.from({ length: 50 }, (_, i) => sent(`m${flushed + i}`, "n1", T0 + flushed + i));
  store.write({
    events: events.map((event) => ({ ...event, inserted_at: T0 })),
    metrics: [],
    snapshots: [],
    experiments: [],
  });
  flushed += events.length;
  // A file, or a pipe whose reader waits for it: nothing of it stays in this process.
  writeSync(1, `${flushed}\n`);
}
