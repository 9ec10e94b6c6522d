/** @module Part `memory`: what a node holds of many sessions with a message each. */
import { setTimeout } from "node:timers/promises";
import { createSessions, httpClient } from "../clients.ts";
import { startDistributed, startEmbedded } from "../fleet.ts";
import { sendAll } from "../measure.ts";
import type { Report } from "../report.ts";
import { residentMiB } from "../system.ts";

const SESSIONS = 100_000;
const LIMIT_MIB = 600;
/** Followers are behind by then no more, and garbage had time to go. */
const REST_MS = 5000;

export async function memory(report: Report): Promise<void> {
  const count = report.quick ? SESSIONS / 10 : SESSIONS;
  const ids = Array.from({ length: count }, (_, i) => `session-${i}`);
  const rows: string[][] = [];
  for (const startFleet of [() => startDistributed({ env: report.fleetEnv }), () => startEmbedded()]) {
    const fleet = await startFleet();
    try {
      const measure = () => Promise.all(fleet.pids.map(residentMiB));
      const empty = await measure();
      report.progress(`${fleet.mode}: creating ${count} sessions`);
      await createSessions(fleet.urls, ids);
      const client = httpClient(fleet.urls, ids);
      await sendAll(client.send, 128, count);
      client.close();
      await setTimeout(REST_MS);
      const full = await measure();
      const per = fleet.mode === "distributed" ? "a node" : "three nodes in one process";
      const most = Math.max(...full);
      rows.push([
        `${fleet.mode}, ${per}`,
        `${Math.round(Math.max(...empty))} MiB`,
        `${Math.round(most)} MiB`,
      ]);
      if (fleet.mode === "distributed") {
        report.below(`distributed: resident memory with ${count} sessions, ${per}`, most, LIMIT_MIB, " MiB");
      }
    } finally {
      await fleet.stop();
    }
  }
  report.table(`Resident memory, ${count} sessions with a message each`, ["", "before", "after"], rows);
}
