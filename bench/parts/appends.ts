/** @module Part `appends`: rates of all fleets and peers, one after the other in several rounds, and their ratios. */
import { type Client, createSessions, httpClient, socketClient } from "../clients.ts";
import { type BenchFleet, startDistributed, startEmbedded } from "../fleet.ts";
import { closedLoop, type Measured, medianOf, type Send } from "../measure.ts";
import { startPeers, stopPeers } from "../peers/all.ts";
import type { Peer, PeerName } from "../peers/peer.ts";
import { millis, type Report, rate, times } from "../report.ts";

const PEERS: readonly PeerName[] = ["JetStream", "RabbitMQ", "Redis", "Postgres", "SQLite"];

/** One line of the table. */
interface Contestant {
  readonly what: string;
  readonly depth: number;
  readonly send: Send;
  readonly peer: Peer | null;
  readonly mode: BenchFleet["mode"] | null;
  readonly runs: Measured[];
}

export async function appends(report: Report): Promise<void> {
  const rounds = report.quick ? 1 : 3;
  const ms = report.quick ? 1000 : 3000;
  const fleets: BenchFleet[] = [];
  let peers: Peer[] = [];
  try {
    report.progress("starting the fleets");
    const distributed = await startDistributed({ env: report.fleetEnv });
    fleets.push(distributed, await startEmbedded());
    report.progress("starting the peers");
    peers = await startPeers(
      distributed.servers,
      (sentence) => report.note(sentence),
      (peer) => report.progress(`  ${peer}`),
    );
    const contestants: Contestant[] = peers.flatMap(ofPeer);
    for (const fleet of fleets) {
      report.progress(`preparing the ${fleet.mode} fleet`);
      contestants.push(...(await ofFleet(fleet, report.quick ? 1000 : 10_000)));
    }
    for (const { send, depth } of contestants) await closedLoop(send, depth, 500); // warm
    for (let round = 1; round <= rounds; round++) {
      for (const { what, depth, send, runs, peer } of contestants) {
        const run = await closedLoop(send, depth, ms);
        runs.push(run);
        report.progress(`round ${round}: ${what}, depth ${depth}: ${rate(run.perSecond)}`);
        await peer?.clear();
      }
    }
    print(report, contestants);
  } finally {
    await Promise.all([stopPeers(peers), ...fleets.map((fleet) => fleet.stop())]);
  }
}

function ofPeer(peer: Peer): Contestant[] {
  return peer.depths.map((depth) => ({
    what: `${peer.name}: ${peer.what}`,
    depth,
    send: peer.send,
    peer,
    mode: null,
    runs: [],
  }));
}

async function ofFleet({ mode, urls }: BenchFleet, many: number): Promise<Contestant[]> {
  const ids = Array.from({ length: many + 65 }, (_, i) => `bench-${i}`);
  await createSessions(urls, ids);
  const [one, few, rest] = [ids.slice(0, 1), ids.slice(1, 65), ids.slice(65)];
  const line = (client: Client, how: string, depth: number): Contestant => ({
    what: `Fleetport ${mode}: ${how}`,
    depth,
    send: client.send,
    peer: null,
    mode,
    runs: [],
  });
  const oneSocket = await socketClient(urls, one);
  const fewSockets = await socketClient(urls, few);
  const manySockets = await socketClient(urls, rest);
  const http = httpClient(urls, few);
  return [
    line(oneSocket, "sockets, 1 session", 1),
    line(oneSocket, "sockets, 1 session", 512),
    line(fewSockets, HEADLINE, 1),
    line(fewSockets, HEADLINE, 64),
    line(fewSockets, HEADLINE, 512),
    line(manySockets, `sockets, ${rest.length} sessions`, 512),
    line(http, HTTP, 1),
    line(http, HTTP, 64),
    line(http, HTTP, 512),
  ];
}

const HEADLINE = "sockets, 64 sessions";
const HTTP = "HTTP, 64 sessions";

function failures({ failed }: Measured): string {
  return failed > 0 ? ` (${failed} failed)` : "";
}

function print(report: Report, contestants: readonly Contestant[]): void {
  const results = contestants.map((contestant) => ({ ...contestant, result: medianOf(contestant.runs) }));
  const peerRate = (name: PeerName, depth: number): number => {
    const lines = results.filter(({ peer }) => peer?.name === name);
    // One in flight is compared with one in flight, everything else with the peer's best.
    const like = depth === 1 ? lines.slice(0, 1) : lines;
    return Math.max(...like.map(({ result }) => result.perSecond));
  };
  report.table(
    "Appends of 200 bytes",
    ["", "depth", ...PEERS.map((name) => `to ${name}`), "rate", "p50 ms", "p99 ms"],
    results.map(({ what, depth, result, peer }) => [
      what,
      String(depth),
      ...PEERS.map((name) => (peer ? "" : times(result.perSecond / peerRate(name, depth)))),
      rate(result.perSecond) + failures(result),
      millis(result.p50),
      millis(result.p99),
    ]),
  );
  const ours = (mode: BenchFleet["mode"], how: string, depth: number): Measured =>
    results.find((line) => line.mode === mode && line.what.endsWith(how) && line.depth === depth)!.result;
  const headline = ours("distributed", HEADLINE, 512).perSecond;
  for (const [name, wanted] of [
    ["JetStream", 3],
    ["RabbitMQ", 2],
  ] as const) {
    const ratio = headline / peerRate(name, 512);
    if (Number.isFinite(ratio) && ratio > 0) {
      report.atLeast(`distributed: ${HEADLINE}, depth 512, to ${name}`, ratio, wanted, " ×");
    }
  }
  report.atLeast(`embedded: ${HEADLINE}, depth 512`, ours("embedded", HEADLINE, 512).perSecond, 8000, "/s");
  report.atLeast(`embedded: ${HTTP}, depth 64`, ours("embedded", HTTP, 64).perSecond, 3000, "/s");
  report.below(`embedded: p50 of ${HEADLINE}, depth 1`, ours("embedded", HEADLINE, 1).p50, 3, " ms");
}
