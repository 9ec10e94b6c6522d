/** @module Part `start`: an embedded fleet from nothing to ready, and what it costs while nobody uses it. */
import { setTimeout } from "node:timers/promises";
import { startEmbedded } from "../fleet.ts";
import type { Report } from "../report.ts";
import { cpuSeconds, residentMiB } from "../system.ts";

const IDLE_MS = 10_000;

export async function start(report: Report): Promise<void> {
  const began = performance.now();
  const fleet = await startEmbedded();
  try {
    report.below("embedded: start of the process to ready", (performance.now() - began) / 1000, 10, " s");
    const pid = fleet.pids[0]!;
    report.below("embedded: resident memory after the start", await residentMiB(pid), 400, " MiB");
    const before = await cpuSeconds(pid);
    await setTimeout(IDLE_MS);
    const used = (await cpuSeconds(pid)) - before;
    report.below("embedded: CPU while idle", (used / IDLE_MS) * 100_000, 5, " % of a core");
  } finally {
    await fleet.stop();
  }
}
