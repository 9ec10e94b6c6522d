/** @module Part `latency`: 2,000 appends a second, whether the former ones are answered or not. */
import { createSessions, httpClient, socketClient } from "../clients.ts";
import { startDistributed, startEmbedded } from "../fleet.ts";
import { medianOf, openLoop } from "../measure.ts";
import { millis, type Report, rate } from "../report.ts";

const PER_SECOND = 2000;
const SESSIONS = 64;
const P99_MS = 25;

export async function latency(report: Report): Promise<void> {
  const ms = report.quick ? 3000 : 15_000;
  const rounds = report.quick ? 1 : 3;
  const rows: string[][] = [];
  for (const startFleet of [() => startDistributed({ env: report.fleetEnv }), () => startEmbedded()]) {
    const fleet = await startFleet();
    try {
      const ids = Array.from({ length: SESSIONS }, (_, i) => `bench-${i}`);
      await createSessions(fleet.urls, ids);
      for (const [how, open] of [
        ["sockets", socketClient],
        ["HTTP", httpClient],
      ] as const) {
        const client = await open(fleet.urls, ids);
        await openLoop(client.send, PER_SECOND, 2000); // warm
        const runs = [];
        for (let round = 0; round < rounds; round++) runs.push(await openLoop(client.send, PER_SECOND, ms));
        client.close();
        const { perSecond, p50, p99, failed } = medianOf(runs);
        report.progress(`${fleet.mode}, ${how}: p50 ${millis(p50)} ms, p99 ${millis(p99)} ms`);
        rows.push([`${fleet.mode}, ${how}`, rate(perSecond), millis(p50), millis(p99), String(failed)]);
        if (fleet.mode === "distributed") {
          report.below(`distributed: p99 at ${PER_SECOND} appends/s, ${how}`, p99, P99_MS, " ms");
        }
      }
    } finally {
      await fleet.stop();
    }
  }
  report.table(
    `Latency at ${PER_SECOND} appends a second, ${SESSIONS} sessions`,
    ["", "rate", "p50 ms", "p99 ms", "failed"],
    rows,
  );
}
