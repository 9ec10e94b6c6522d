/** @module Part `recovery`: a log of a million commands applied by the real engines, and nodes that start on it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pLimit from "p-limit";
import { emptyState } from "../../lib/conversation/state.ts";
import type { LogEngine } from "../../services/raft/engine/engine.ts";
import { openJetStreamEngine } from "../../services/raft/engine/jetstream.ts";
import { openSqliteEngine } from "../../services/raft/engine/sqlite.ts";
import { applyBytes } from "../../services/raft/follower.ts";
import { startDistributed, startEmbedded } from "../fleet.ts";
import { type HistoryOptions, writeHistory } from "../history.ts";
import { type Report, rate, seconds } from "../report.ts";

const COMMANDS = 1_000_000;
const LIMIT_S = 10;
const GROUPS_AT_A_TIME = 8;
const VICTIM = "n2";

export async function recovery(report: Report): Promise<void> {
  const groups = Number(report.fleetEnv.FLEET_GROUPS ?? 256);
  const commands = report.quick ? COMMANDS / 20 : COMMANDS;
  const history: HistoryOptions = { groups, commands, batch: 64, sessions: 10_000 };
  const rows: string[][] = [];
  const tell = (what: string, took: number, target: string) => {
    rows.push([what, seconds(took), rate(commands / took)]);
    report.progress(`${what}: ${seconds(took)}`);
    report.below(target, took, LIMIT_S, " s");
  };
  const folder = await mkdtemp(join(tmpdir(), "bench-recovery-"));
  try {
    const open = () => openSqliteEngine({ dataDir: folder });
    await prepared(report, await open(), history);
    tell(
      "SQLite: read and applied",
      await replayed(await open(), history),
      `recovery of ${commands} commands, SQLite`,
    );
    const began = performance.now();
    const fleet = await startEmbedded({ ...report.fleetEnv }, folder);
    tell(
      "embedded: start to ready, three copies",
      (performance.now() - began) / 1000,
      `embedded: start on ${commands} commands`,
    );
    await fleet.stop();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const fleet = await startDistributed({
    env: report.fleetEnv,
    prepare: async (servers) => {
      const open = () => openJetStreamEngine({ servers, name: "bench", replicas: 3 });
      await prepared(report, await open(), history);
      tell(
        "JetStream R3: read and applied",
        await replayed(await open(), history),
        `recovery of ${commands} commands, JetStream`,
      );
    },
  });
  try {
    await fleet.nodes.find(({ id }) => id === VICTIM)!.program.end("SIGKILL");
    const began = performance.now();
    await fleet.restart(VICTIM);
    tell(
      "distributed: a killed node's start to ready",
      (performance.now() - began) / 1000,
      `distributed: restart of a node on ${commands} commands`,
    );
  } finally {
    await fleet.stop();
  }
  report.table(`Recovery: a log of ${commands} commands in ${groups} groups`, ["", "time", "commands"], rows);
}

async function prepared(report: Report, engine: LogEngine, history: HistoryOptions): Promise<void> {
  report.progress(`writing a log of ${history.commands} commands (${engine.kind})`);
  await engine.provision(history.groups);
  await writeHistory(engine, history);
  await engine.close();
}

/** Seconds to read and apply all groups, some at a time, as a node does when it starts. */
async function replayed(engine: LogEngine, { groups }: HistoryOptions): Promise<number> {
  const limit = pLimit(GROUPS_AT_A_TIME);
  const began = performance.now();
  await Promise.all(
    Array.from({ length: groups }, (_, group) =>
      limit(async () => {
        const state = emptyState(group);
        const log = await engine.open(group);
        for await (const { index, data } of log.read(1)) {
          if (!applyBytes(state, index, data)) throw new Error(`group ${group} has diverged at ${index}`);
        }
      }),
    ),
  );
  const took = (performance.now() - began) / 1000;
  await engine.close();
  return took;
}
