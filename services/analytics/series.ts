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

/** Members of each group, ascending; `keys` says by member which group it is in, of `count`. */
function grouped(keys: Uint32Array, count: number): Uint32Array[] {
  const sizes = new Uint32Array(count);
  for (let i = 0; i < keys.length; i++) sizes[keys[i]!]! += 1;
  const groups = Array.from(sizes, (size) => new Uint32Array(size));
  const filled = new Uint32Array(count);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    groups[key]![filled[key]!++] = i;
  }
  return groups;
}

/** The samples of a node that acknowledged, by their places. */
export interface NodeSamples {
  readonly node_id: string;
  readonly samples: Uint32Array;
}

/** In the order of the node ids. */
export function samplesByNode({ nodes, targets }: EventColumns, { acks }: Samples): NodeSamples[] {
  const keys = new Uint32Array(acks.length);
  for (let i = 0; i < acks.length; i++) keys[i] = targets[acks[i]!]!;
  return grouped(keys, nodes.length)
    .map((samples, node) => ({ node_id: nodes[node]!, samples }))
    .filter(({ samples }) => samples.length > 0)
    .sort((a, b) => (a.node_id < b.node_id ? -1 : 1));
}

/** The values of these members. */
function pick(values: Float64Array, members: Uint32Array): Float64Array {
  const picked = new Float64Array(members.length);
  for (let i = 0; i < members.length; i++) picked[i] = values[members[i]!]!;
  return picked;
}

/** What each node's acknowledgements say. */
export function performanceByNode(run: Samples, nodes: readonly NodeSamples[]): NodePerformance[] {
  return nodes.map(({ node_id, samples }) => {
    const stats = latencyStats(pick(run.latencies, samples));
    const { avg_ms, max_ms, median_ms, min_ms, p95_ms, p99_ms, sample_count } = stats;
    return { node_id, ack_count: sample_count, min_ms, avg_ms, max_ms, p50_ms: median_ms, p95_ms, p99_ms };
  });
}

/** A line per node: x ms since the run's first send, y the round trip in ms. */
export function rttTimeSeries(columns: EventColumns, run: Samples, nodes: readonly NodeSamples[]): Line[] {
  const first = columns.sentAt[0] ?? Number.NaN;
  const sentAt = (sample: number) => columns.sentAt[run.messages[sample]!]!;
  return nodes.map(({ node_id, samples }) => {
    const latencies = pick(run.latencies, samples);
    return {
      node_id,
      points: thinned(latencies).map((i) => [inMs(sentAt(samples[i]!) - first), inMs(latencies[i]!)]),
      point_count: samples.length,
    };
  });
}

/** A staircase per node: x the message's place in the run, from 1; y ms since the node's first receipt, its own clock. */
export function receiptStaircase(columns: EventColumns, run: Samples, nodes: readonly NodeSamples[]): Line[] {
  return nodes.flatMap(({ node_id, samples }) => {
    const told = samples.filter((sample) => !Number.isNaN(columns.receivedAt[run.acks[sample]!]!));
    if (told.length === 0) return [];
    const times = new Float64Array(told.length);
    for (let i = 0; i < told.length; i++) times[i] = columns.receivedAt[run.acks[told[i]!]!]!;
    let first = Number.POSITIVE_INFINITY;
    for (let i = 0; i < times.length; i++) if (times[i]! < first) first = times[i]!;
    const place = (i: number) => run.messages[told[i]!]! + 1;
    return {
      node_id,
      points: thinned(times).map((i) => [place(i), inMs(times[i]! - first)]),
      point_count: told.length,
    };
  });
}

/** Indexes of what is drawn: all when there are few; else the first, the last, and the extremes of each stretch. */
function thinned(values: Float64Array): number[] {
  if (values.length <= MOST_POINTS) return [...values.keys()];
  const stretches = MOST_POINTS / 2 - 1;
  const kept = new Set([0]);
  for (let s = 0; s < stretches; s++) {
    const from = Math.floor((s * values.length) / stretches);
    const to = Math.floor(((s + 1) * values.length) / stretches);
    let [least, greatest] = [from, from];
    for (let at = from + 1; at < to; at++) {
      if (values[at]! < values[least]!) least = at;
      if (values[at]! > values[greatest]!) greatest = at;
    }
    kept.add(Math.min(least, greatest)).add(Math.max(least, greatest));
  }
  return [...kept.add(values.length - 1)];
}

/** What went from whom to whom. */
export function messageFlows(columns: EventColumns, { acks, latencies, messages }: Samples): MessageFlow[] {
  const { nodes, originators, targets } = columns;
  const pairs = new Uint32Array(acks.length);
  for (let i = 0; i < acks.length; i++) {
    pairs[i] = originators[messages[i]!]! * nodes.length + targets[acks[i]!]!;
  }
  const flows = grouped(pairs, nodes.length ** 2).flatMap((samples, pair) => {
    if (samples.length === 0) return [];
    let sum = 0;
    for (let i = 0; i < samples.length; i++) sum += latencies[samples[i]!]!;
    return {
      from_node: nodes[Math.floor(pair / nodes.length)]!,
      to_node: nodes[pair % nodes.length]!,
      message_count: samples.length,
      avg_latency_ms: meanMs(sum, samples.length),
    };
  });
  const name = ({ from_node, to_node }: MessageFlow) => `${from_node}\n${to_node}`;
  return flows.sort((a, b) => (name(a) < name(b) ? -1 : 1));
}

/** Over the messages whose send was recorded. */
export function receiptSummary(columns: EventColumns, sends: number, { acks }: Samples): ReceiptSummary {
  const byNode = new Uint32Array(columns.nodes.length);
  for (let i = 0; i < acks.length; i++) {
    const ack = acks[i]!;
    if (!Number.isNaN(columns.receivedAt[ack]!)) byNode[columns.targets[ack]!]! += 1;
  }
  const receipts = byNode.reduce((sum, n) => sum + n, 0);
  return {
    message_count: sends,
    receipt_count: receipts,
    average_receipts: sends === 0 ? null : Math.round((receipts / sends) * 100) / 100,
    node_count: byNode.filter((n) => n > 0).length,
  };
}
