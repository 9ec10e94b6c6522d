/**
 * @module Part `corrosion`: what the embedded development agent does in a second, and the agent that `CORROSION_BIN`
 * names beside it.
 */
import type { IncomingMessage } from "node:http";
import { setTimeout } from "node:timers/promises";
import { until } from "../../test/helpers/until.ts";
import { type AgentProgram, EMBEDDED, MeasuredAgent } from "../corrosion-agents.ts";
import { closedLoop, median, percentile } from "../measure.ts";
import { millis, type Report, rate, seconds, times } from "../report.ts";

const CONNECTIONS = 16;
const ROWS = 100_000;
const CHANGES = 10_000;
/** Rows of one of the transactions that make the changes. */
const AT_ONCE = 100;
/** Between two changes whose way is timed. */
const IDLE_MS = 150;
const MANY = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
  INSERT INTO tests2 SELECT i, 'row ' || i FROM n`;

const INSERTS_PER_SECOND = 2000;
const ROWS_SECONDS = 1;
const VISIBLE_MS = 500;

interface Figures {
  readonly inserts: number;
  readonly insertP99: number;
  /** Microseconds of CPU. */
  readonly insertCpu: number;
  readonly rows: number;
  readonly changes: number;
  readonly visibleP50: number;
  readonly visibleP99: number;
  readonly idleMiB: number;
}

export async function corrosion(report: Report): Promise<void> {
  const real: AgentProgram[] = process.env.CORROSION_BIN
    ? [{ name: "real", file: process.env.CORROSION_BIN, args: [] }]
    : [];
  if (real.length === 0) report.note("corrosion: no real agent beside the embedded one (set CORROSION_BIN)");
  const all: Figures[] = [];
  for (const program of [EMBEDDED, ...real]) all.push(await figures(program, report));
  const [own, peer] = all as [Figures, Figures?];
  const row = (
    what: string,
    of: (figures: Figures) => number,
    text: (n: number) => string,
    best: "high" | "low",
  ) => {
    if (peer === undefined) return [what, text(of(own)), "", ""];
    const ratio = best === "high" ? of(own) / of(peer) : of(peer) / of(own);
    return [what, text(of(own)), text(of(peer)), times(ratio)];
  };
  report.table(
    "Corrosion agents",
    ["", "embedded", "real", "embedded is better"],
    [
      row(`transactions of one insert, ${CONNECTIONS} connections`, ({ inserts }) => inserts, rate, "high"),
      row("the same, p99 ms", ({ insertP99 }) => insertP99, millis, "low"),
      row("the same, CPU of each in µs", ({ insertCpu }) => insertCpu, millis, "low"),
      row(`${ROWS} rows by one query`, ({ rows }) => rows, seconds, "low"),
      row(`${CHANGES} changes to a subscription`, ({ changes }) => changes, seconds, "low"),
      row("a change is visible on two others, p50 ms", ({ visibleP50 }) => visibleP50, millis, "low"),
      row("the same, p99 ms", ({ visibleP99 }) => visibleP99, millis, "low"),
      row("memory of one while idle, MiB", ({ idleMiB }) => idleMiB, millis, "low"),
    ],
  );
  report.atLeast("embedded agent: transactions of one insert", own.inserts, INSERTS_PER_SECOND, "/s");
  report.below(`embedded agent: ${ROWS} rows by one query`, own.rows, ROWS_SECONDS, " s");
  report.below("embedded agent: a change on two idle others, p99", own.visibleP99, VISIBLE_MS, " ms");
}

async function figures(program: AgentProgram, report: Report): Promise<Figures> {
  const rounds = report.quick ? 1 : 3;
  const progress = (text: string) => report.progress(`${program.name} agent: ${text}`);
  const [first, ...others] = (await MeasuredAgent.start(program, 3)) as [MeasuredAgent, ...MeasuredAgent[]];
  try {
    const visible = await visibility(first, others, report.quick ? 30 : 200);
    const [visibleP50, visibleP99] = [percentile(visible, 50), percentile(visible, 99)];
    progress(
      `a change is visible on two others after ${millis(visibleP50)} ms, p99 ${millis(visibleP99)} ms`,
    );
    const idleMiB = await first.memoryMiB();
    for (const other of others) await other.stop();

    let id = 1_000_000;
    const insert = () => first.transact(["INSERT INTO tests VALUES (?, 'x')", [id++]]);
    await closedLoop(insert, CONNECTIONS, 2000); // warm
    const loops = [];
    const cpuBefore = await first.cpuSeconds();
    const idBefore = id;
    for (let i = 0; i < rounds; i++)
      loops.push(await closedLoop(insert, CONNECTIONS, report.quick ? 2000 : 8000));
    const insertCpu = (((await first.cpuSeconds()) - cpuBefore) / (id - idBefore)) * 1e6;
    const inserts = median(loops.map(({ perSecond }) => perSecond));
    progress(`${rate(inserts)} transactions, ${millis(insertCpu)} µs of CPU each`);

    await first.transact(MANY);
    await stream(first); // warm
    const streams = [];
    for (let i = 0; i < rounds; i++) streams.push(await stream(first));
    progress(`${ROWS} rows in ${seconds(median(streams))}`);

    const subscribed = [];
    for (let i = 0; i < rounds; i++) subscribed.push(await changes(first, i));
    progress(`${CHANGES} changes in ${seconds(median(subscribed))}, without a gap`);
    return {
      inserts,
      insertP99: median(loops.map(({ p99 }) => p99)),
      insertCpu,
      rows: median(streams),
      changes: median(subscribed),
      visibleP50,
      visibleP99,
      idleMiB,
    };
  } finally {
    for (const agent of [first, ...others]) await agent.stop();
  }
}

/** Seconds until the last of all rows is here. */
async function stream(agent: MeasuredAgent): Promise<number> {
  const began = performance.now();
  let last = "";
  let rows = 0;
  for await (const line of linesOf(await agent.post("/v1/queries", "SELECT id, text FROM tests2"))) {
    if (line.startsWith('{"row"')) rows += 1;
    last = line;
  }
  if (rows !== ROWS || !last.startsWith('{"eoq"')) throw new Error(`${rows} rows, and at last ${last}`);
  return (performance.now() - began) / 1000;
}

/** Seconds from the first write to the last change of a new subscription. Throws when a change id is missing. */
async function changes(agent: MeasuredAgent, round: number): Promise<number> {
  const from = 100_000_000 + round * CHANGES;
  const answer = await agent.post("/v1/subscriptions", `SELECT id, text FROM tests WHERE id >= ${from}`);
  let began = 0;
  let due = 1;
  for await (const line of linesOf(answer)) {
    const event = JSON.parse(line) as { eoq?: unknown; change?: [string, number, unknown[], number] };
    if (event.eoq !== undefined) {
      began = performance.now();
      void write(agent, from).catch((error: Error) => answer.destroy(error));
    }
    if (event.change === undefined) continue;
    if (event.change[3] !== due) throw new Error(`change ${due} is missing: ${line}`);
    if (due++ === CHANGES) break;
  }
  if (due <= CHANGES) throw new Error(`the subscription ended behind change ${due - 1}`);
  return (performance.now() - began) / 1000;
}

async function write(agent: MeasuredAgent, from: number): Promise<void> {
  for (let id = from; id < from + CHANGES; id += AT_ONCE) {
    const ids = Array.from({ length: AT_ONCE }, (_, i) => id + i);
    await agent.transact(...ids.map((one) => ["INSERT INTO tests VALUES (?, 'x')", [one]]));
  }
}

/** Milliseconds, ascending, from a write's acknowledgement asked for until queries to all others show it. */
async function visibility(agent: MeasuredAgent, others: readonly MeasuredAgent[], count: number) {
  const took: number[] = [];
  const shown = (id: number) => {
    const there = async (other: MeasuredAgent) => {
      while ((await other.cell(["SELECT id FROM tests WHERE id = ?", [id]])) !== id) await setTimeout(2);
    };
    return Promise.all(others.map(there));
  };
  // Until they have found each other.
  await agent.transact("INSERT INTO tests VALUES (0, 'x')");
  const met = shown(0).then(() => true);
  await until("the agents have met", () => met, 60_000);
  for (let id = 1; id <= count; id++) {
    await setTimeout(IDLE_MS);
    const began = performance.now();
    await agent.transact(["INSERT INTO tests VALUES (?, 'x')", [id]]);
    await shown(id);
    took.push(performance.now() - began);
  }
  return took.toSorted((a, b) => a - b);
}

async function* linesOf(answer: IncomingMessage): AsyncGenerator<string, void, void> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) {
    const lines = (text + chunk).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}
