/** @module What the charts of a run draw: lines, staircases, tables by node, flows. Pure. */
import type { EventColumns } from "./columns.ts";
import { inMs, latencyStats, meanMs, type Samples } from "./maths.ts";

export interface NodePerformance {
  readonly node_id: string;
  readonly ack_count: number;
  readonly min_ms: number | null;
  readonly avg_ms: number | null;
  readonly max_ms: number | null;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
}

/** A line of a chart. Of more than 2000 points only the least and the greatest of each stretch are there. */
export interface Line {
  readonly node_id: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Before any were left out. */
  readonly point_count: number;
}

export interface MessageFlow {
  readonly from_node: string;
  readonly to_node: string;
  readonly message_count: number;
  readonly avg_latency_ms: number | null;
}

export interface ReceiptSummary {
  readonly message_count: number;
  readonly receipt_count: number;
  /** Receipts of a message, two decimals; null when none was sent. */
  readonly average_receipts: number | null;
  readonly node_count: number;
}

const MOST_POINTS = 2000;

/** Indexes of what `keys` says is alike, by key. */
function groups(length: number, key: (i: number) => number): Map<number, Uint32Array> {
  const sizes = new Map<number, number>();
  for (let i = 0; i < length; i++) sizes.set(key(i), (sizes.get(key(i)) ?? 0) + 1);
  const members = new Map([...sizes].map(([k, size]) => [k, { list: new Uint32Array(size), filled: 0 }]));
  for (let i = 0; i < length; i++) {
    const group = members.get(key(i))!;
    group.list[group.filled++] = i;
  }
  return new Map([...members].map(([k, { list }]) => [k, list]));
}

/** In the order of their node ids. */
function byNode<T extends { readonly node_id: string }>(rows: readonly T[]): T[] {
  return rows.toSorted((a, b) => (a.node_id < b.node_id ? -1 : 1));
}

/** What each node's acknowledgements say. */
export function performanceByNode(
  { nodes, targets }: EventColumns,
  { acks, latencies }: Samples,
): NodePerformance[] {
  const ofNode = groups(latencies.length, (i) => targets[acks[i]!]!);
  return byNode(
    [...ofNode].map(([node, samples]) => {
      const sorted = Float64Array.from(samples, (i) => latencies[i]!).sort();
      const { avg_ms, max_ms, median_ms, min_ms, p95_ms, p99_ms, sample_count } = latencyStats(sorted);
      return {
        node_id: nodes[node]!,
        ack_count: sample_count,
        min_ms,
        avg_ms,
        max_ms,
        p50_ms: median_ms,
        p95_ms,
        p99_ms,
      };
    }),
  );
}

/** A line per node: x ms since the run's first send, y the round trip in ms. */
export function rttTimeSeries(columns: EventColumns, { acks, latencies, messages }: Samples): Line[] {
  const first = columns.sentAt[0] ?? Number.NaN;
  const ofNode = groups(latencies.length, (i) => columns.targets[acks[i]!]!);
  return byNode(
    [...ofNode].map(([node, samples]) => ({
      node_id: columns.nodes[node]!,
      points: thinned(samples, (i) => latencies[i]!).map((i) => [
        inMs(columns.sentAt[messages[i]!]! - first),
        inMs(latencies[i]!),
      ]),
      point_count: samples.length,
    })),
  );
}

/** A staircase per node: x the message's place in the run, from 1; y ms since the node's first receipt, its own clock. */
export function receiptStaircase(columns: EventColumns, { acks, messages }: Samples): Line[] {
  const { nodes, receivedAt, targets } = columns;
  const told = Uint32Array.from(messages.keys()).filter((i) => !Number.isNaN(receivedAt[acks[i]!]!));
  const ofNode = groups(told.length, (i) => targets[acks[told[i]!]!]!);
  return byNode(
    [...ofNode].map(([node, members]) => {
      const received = (i: number) => receivedAt[acks[told[i]!]!]!;
      const first = members.reduce((least, i) => Math.min(least, received(i)), Number.POSITIVE_INFINITY);
      return {
        node_id: nodes[node]!,
        points: thinned(members, received).map((i) => [messages[told[i]!]! + 1, inMs(received(i) - first)]),
        point_count: members.length,
      };
    }),
  );
}

/** All of them when there are few; else the least and the greatest of each stretch, and the first and the last. */
function thinned(members: Uint32Array, value: (i: number) => number): number[] {
  if (members.length <= MOST_POINTS) return [...members];
  const stretches = MOST_POINTS / 2 - 1;
  const kept = new Set([members[0]!]);
  for (let s = 0; s < stretches; s++) {
    const from = Math.floor((s * members.length) / stretches);
    const to = Math.floor(((s + 1) * members.length) / stretches);
    let [least, greatest] = [from, from];
    for (let at = from + 1; at < to; at++) {
      if (value(members[at]!) < value(members[least]!)) least = at;
      if (value(members[at]!) > value(members[greatest]!)) greatest = at;
    }
    kept.add(members[Math.min(least, greatest)]!);
    kept.add(members[Math.max(least, greatest)]!);
  }
  return [...kept.add(members.at(-1)!)];
}

/** What went from whom to whom. */
export function messageFlows(columns: EventColumns, { acks, latencies, messages }: Samples): MessageFlow[] {
  const { nodes, originators, targets } = columns;
  const pair = (i: number) => originators[messages[i]!]! * nodes.length + targets[acks[i]!]!;
  const flows = [...groups(latencies.length, pair)].map(([key, samples]) => ({
    from_node: nodes[Math.floor(key / nodes.length)]!,
    to_node: nodes[key % nodes.length]!,
    message_count: samples.length,
    avg_latency_ms: meanMs(
      samples.reduce((sum, i) => sum + latencies[i]!, 0),
      samples.length,
    ),
  }));
  const name = ({ from_node, to_node }: MessageFlow) => `${from_node}\n${to_node}`;
  return flows.sort((a, b) => (name(a) < name(b) ? -1 : 1));
}

/** Over the messages whose send was recorded. */
export function receiptSummary(columns: EventColumns, sends: number, { acks }: Samples): ReceiptSummary {
  const nodes = new Set<number>();
  let receipts = 0;
  for (const ack of acks) {
    if (Number.isNaN(columns.receivedAt[ack]!)) continue;
    receipts += 1;
    nodes.add(columns.targets[ack]!);
  }
  return {
    message_count: sends,
    receipt_count: receipts,
    average_receipts: sends === 0 ? null : Math.round((receipts / sends) * 100) / 100,
    node_count: nodes.size,
  };
}
