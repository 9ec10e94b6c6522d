/** @module Part `failover`: a node is killed; how long until every group takes appends again, and until it is back. */
import { setTimeout } from "node:timers/promises";
import { request } from "../../test/helpers/http.ts";
import { until } from "../../test/helpers/until.ts";
import { createSessions, sessionPerGroup } from "../clients.ts";
import { allLed, type DistributedFleet, leaders, startDistributed } from "../fleet.ts";
import { median } from "../measure.ts";
import { type Report, seconds } from "../report.ts";

const LAST_GROUP_S = 6;
const VICTIM = "n2";
const PAUSE_MS = 20;
const SETTLED_MS = 60_000;

interface Failover {
  /** Of the groups that the killed node led, in seconds since it was killed. */
  readonly led: readonly number[];
  /** Of all groups. */
  readonly last: number;
  /** Start of the process to ready. */
  readonly restart: number;
}

export async function failover(report: Report): Promise<void> {
  const fleet = await startDistributed({ env: report.fleetEnv });
  try {
    const groups = (await leaders(fleet.urls[0]!)).length;
    const sessions = sessionPerGroup(groups);
    await createSessions(fleet.urls, sessions);
    const runs: Failover[] = [];
    for (let round = 1; round <= (report.quick ? 1 : 3); round++) {
      runs.push(await kill(fleet, sessions, round));
      report.progress(`round ${round}: the last group after ${seconds(runs.at(-1)!.last)}`);
    }
    const middle = runs.map(({ led }) => median(led));
    const last = runs.map((run) => run.last);
    const restart = runs.map((run) => run.restart);
    const row = (what: string, values: readonly number[]) => [what, ...values.map(seconds)];
    report.table(
      `Failover: SIGKILL of one of three nodes that lead ${groups} groups`,
      ["", ...runs.map((_, i) => `round ${i + 1}`)],
      [
        row("the killed node's groups take appends again, median", middle),
        row("the last of all groups", last),
        row("the killed node's restart, process start to ready", restart),
      ],
    );
    report.below(
      "distributed: failover after SIGKILL, last group, worst round",
      Math.max(...last),
      LAST_GROUP_S,
      " s",
    );
  } finally {
    await fleet.stop();
  }
}

async function kill(fleet: DistributedFleet, sessions: readonly string[], round: number): Promise<Failover> {
  const victim = fleet.nodes.find(({ id }) => id === VICTIM)!;
  const survivors = fleet.urls.filter((url) => url !== victim.url);
  const before = await leaders(survivors[0]!);
  await victim.program.end("SIGKILL");
  const killed = performance.now();
  const times = await Promise.all(
    sessions.map(async (session, i) => {
      await appendUntilTaken(survivors[i % survivors.length]!, session, `round-${round}`);
      return (performance.now() - killed) / 1000;
    }),
  );
  const began = performance.now();
  await fleet.restart(VICTIM);
  const restart = (performance.now() - began) / 1000;
  await until("the node leads its groups again", () => allLed(fleet.urls), SETTLED_MS);
  return { led: times.filter((_, group) => before[group] === VICTIM), last: Math.max(...times), restart };
}

async function appendUntilTaken(url: string, session: string, key: string): Promise<void> {
  for (;;) {
    const { status, body } = await request(url, "POST", `/api/sessions/${session}/messages`, {
      user_id: "u",
      content: { text: key },
      idempotency_key: key,
    });
    if (status === 200) return;
    if (status !== 503 && status !== 504) throw new Error(`HTTP ${status}: ${JSON.stringify(body)}`);
    await setTimeout(PAUSE_MS);
  }
}
