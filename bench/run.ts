/** @module `npm run bench`: appends to an embedded fleet of its own, printed beside the floors that it must hold. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { request } from "../test/helpers/http.ts";
import { freePort, Program } from "../test/helpers/program.ts";
import { sqliteCommits } from "./baseline.ts";
import { httpClient, type Measured, measure, socketClient } from "./clients.ts";

const SESSIONS = 64;
const IDLE_MS = 10_000;

interface Row {
  readonly what: string;
  readonly figure: string;
  readonly floor: string;
  readonly met: boolean | null;
}

const rows: Row[] = [];

function rate(what: string, { perSecond, p50, p99 }: Measured, baseline: number, floor: number | null): void {
  rows.push({
    what,
    figure: `${Math.round(perSecond)}/s (${(perSecond / baseline).toFixed(1)} × baseline), p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    floor: floor === null ? "" : `${floor}/s`,
    met: floor === null ? null : perSecond >= floor,
  });
}

function limit(what: string, value: number, unit: string, most: number): void {
  rows.push({ what, figure: `${value.toFixed(2)} ${unit}`, floor: `< ${most} ${unit}`, met: value < most });
}

/** CPU time of a process so far, in seconds (Linux). */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory of a process, in MiB (Linux). */
async function residentMiB(pid: number): Promise<number> {
  const match = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1]) / 1024;
}

async function run(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "fleet-bench-"));
  const port = await freePort(4);
  const program = new Program("up", {
    FLEET_DATA_DIR: dataDir,
    FLEET_LOG_DIR: join(dataDir, "logs"),
    PORT: String(port),
  });
  const url = `http://127.0.0.1:${port + 1}`;
  try {
    const began = performance.now();
    await program.ready();
    limit("start of the process to ready", (performance.now() - began) / 1000, "s", 10);
    const pid = program.child.pid!;
    limit("resident memory after the start", await residentMiB(pid), "MiB", 400);
    const before = await cpuSeconds(pid);
    await setTimeout(IDLE_MS);
    limit("idle CPU", ((await cpuSeconds(pid)) - before) / (IDLE_MS / 100_000), "% of a core", 5);

    const baseline = await sqliteCommits(5000);
    rows.push({
      what: "baseline: one SQLite transaction a message",
      figure: `${Math.round(baseline)}/s`,
      floor: "",
      met: null,
    });

    const sessions = Array.from({ length: SESSIONS }, (_, i) => `bench-${i}`);
    for (const id of sessions)
      await request(url, "POST", "/api/sessions", { id, user_id: "u", agent_id: "a" });
    const socket = await socketClient(url, sessions);
    await measure(socket.send, sessions, 64, 5000);
    const single = await measure(socket.send, sessions, 1, 2000);
    rate("socket appends, 64 sessions, depth 1", single, baseline, null);
    limit("p50 of an append at depth 1", single.p50, "ms", 3);
    rate(
      "socket appends, 64 sessions, depth 64",
      await measure(socket.send, sessions, 64, 20_000),
      baseline,
      null,
    );
    rate(
      "socket appends, 64 sessions, depth 512",
      await measure(socket.send, sessions, 512, 60_000),
      baseline,
      8000,
    );
    rate(
      "socket appends, 1 session, depth 512",
      await measure(socket.send, sessions.slice(0, 1), 512, 30_000),
      baseline,
      null,
    );
    socket.close();
    const http = httpClient(url);
    await measure(http.send, sessions, 64, 2000);
    rate(
      "HTTP appends on one node, depth 64",
      await measure(http.send, sessions, 64, 15_000),
      baseline,
      3000,
    );
    http.close();
  } finally {
    await program.end();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await run();
const width = Math.max(...rows.map(({ what }) => what.length));
for (const { what, figure, floor, met } of rows) {
  const verdict = met === null ? "" : met ? `   meets ${floor}` : `   MISSES ${floor}`;
  process.stdout.write(`${what.padEnd(width)}  ${figure}${verdict}\n`);
}
process.exitCode = rows.some(({ met }) => met === false) ? 1 : 0;
