/** @module Reports of a run from what nodes recorded of it. Pure. */
import { isoMicros } from "../../lib/clock.ts";
import type {
  ExperimentJson,
  MessageEventJson,
  PerformanceBody,
  ReportBodies,
  SummaryBody,
  SystemMetricJson,
  TimingBody,
  TopologySnapshotJson,
} from "./bodies.ts";
import { type EventColumns, startOf } from "./columns.ts";
import type {
  ExperimentRow,
  MessageEventRow,
  ReportKind,
  SystemMetricRow,
  TopologySnapshotRow,
} from "./contract.ts";
import {
  ackRate,
  histogram,
  inMs,
  latencyOf,
  latencyStats,
  meanMs,
  nodesOf,
  remoteNodes,
  samplesOf,
  sendsOf,
} from "./maths.ts";
import type { RunRecords } from "./run-records.ts";
import {
  messageFlows,
  performanceByNode,
  receiptStaircase,
  receiptSummary,
  rttTimeSeries,
  samplesByNode,
} from "./series.ts";

/** A run that nobody knows has zeros and empty lists. `events` needs records with rows. */
export function reportOf<Kind extends ReportKind>(records: RunRecords, kind: Kind): ReportBodies[Kind] {
  return REPORTS[kind](records);
}

const REPORTS: { readonly [Kind in ReportKind]: (records: RunRecords) => ReportBodies[Kind] } = {
  summary: summaryOf,
  timing: timingOf,
  performance: performanceOf,
  metrics: ({ metrics }) => ({ system_metrics: metrics.map(metricJson), count: metrics.length }),
  topology: ({ snapshots }) => ({
    topology_snapshots: snapshots.map(snapshotJson),
    count: snapshots.length,
  }),
  events: ({ rows }) => {
    if (rows === null)
      throw new Error("the events of a run were asked for, and its records hold only figures");
    return { message_events: rows.map(eventJson), count: rows.length };
  },
};

/** What a summary counts, wherever it was counted. */
export interface SummaryCounts {
  readonly sends: number;
  readonly acks: number;
  /** Those of recorded sends, by others than the sender. */
  readonly acksOfSends: number;
  /** Who sent or acknowledged. */
  readonly nodes: Iterable<string>;
  readonly metrics: number;
  readonly snapshots: number;
}

export function summaryBody(counts: SummaryCounts, experiment: ExperimentRow | null): SummaryBody {
  const { acks, acksOfSends, metrics, nodes, sends, snapshots } = counts;
  const remote = remoteNodes(experiment?.expected_nodes ?? [], nodes);
  return {
    topology_snapshots_count: snapshots,
    message_count: sends + acks,
    send_count: sends,
    ack_count: acks,
    system_metrics_count: metrics,
    ack_rate: ackRate(sends, acksOfSends, remote),
    remote_node_count: remote,
    experiment: experiment && experimentJson(experiment),
  };
}

function summaryOf({ events, experiment, metrics, snapshots }: RunRecords): SummaryBody {
  const counts = {
    sends: sendsOf(events),
    acks: events.targets.length,
    acksOfSends: samplesOf(events).latencies.length,
    nodes: nodesOf(events),
    metrics: metrics.length,
    snapshots: snapshots.length,
  };
  return summaryBody(counts, experiment);
}

function timingOf({ events }: RunRecords): TimingBody {
  const { messages, sentAt } = events;
  const timing_stats = messages.flatMap((message_id, message) => {
    const sent = sentAt[message]!;
    return Number.isNaN(sent)
      ? []
      : [{ message_id, send_time: isoMicros(sent), ...latenciesOf(events, message) }];
  });
  return { timing_stats, count: timing_stats.length };
}

function latenciesOf(events: EventColumns, message: number) {
  const { ackedAt, ends, originators, sentAt, targets } = events;
  let [count, sum, least, greatest] = [0, 0, Number.POSITIVE_INFINITY, 0];
  for (let ack = startOf(events, message); ack < ends[message]!; ack++) {
    if (targets[ack] === originators[message]) continue;
    const latency = latencyOf(sentAt[message]!, ackedAt[ack]!);
    count += 1;
    sum += latency;
    least = Math.min(least, latency);
    greatest = Math.max(greatest, latency);
  }
  return {
    ack_count: count,
    min_latency_ms: count === 0 ? null : inMs(least),
    max_latency_ms: count === 0 ? null : inMs(greatest),
    avg_latency_ms: meanMs(sum, count),
  };
}

function performanceOf(records: RunRecords): PerformanceBody {
  const { events, experiment } = records;
  const sends = sendsOf(events);
  const samples = samplesOf(events);
  const byNode = samplesByNode(events, samples);
  const remote = remoteNodes(experiment?.expected_nodes ?? [], nodesOf(events));
  return {
    summary: {
      send_count: sends,
      ack_count: events.targets.length,
      ack_rate: ackRate(sends, samples.latencies.length, remote),
      remote_node_count: remote,
      first_send_at: sends === 0 ? null : isoMicros(events.sentAt[0]!),
    },
    latency: latencyStats(samples.latencies),
    per_node_performance: performanceByNode(samples, byNode),
    latency_histogram: histogram(samples.latencies),
    rtt_time_series: rttTimeSeries(events, samples, byNode),
    receipt_staircase: receiptStaircase(events, samples, byNode),
    receipt_summary: receiptSummary(events, sends, samples),
    message_flows: messageFlows(events, samples),
  };
}

const orNull = (micros: number | null) => (micros === null ? null : isoMicros(micros));

export function experimentJson(row: ExperimentRow): ExperimentJson {
  return { ...row, started_at: isoMicros(row.started_at), ended_at: orNull(row.ended_at) };
}

export function eventJson(row: MessageEventRow): MessageEventJson {
  return {
    ...row,
    event_timestamp: isoMicros(row.event_timestamp),
    receipt_timestamp: orNull(row.receipt_timestamp),
    inserted_at: isoMicros(row.inserted_at),
  };
}

/** The name that dashboards of older consoles read is there too. */
export function metricJson(row: SystemMetricRow): SystemMetricJson {
  return { ...row, erlang_processes: row.runtime_handles, inserted_at: isoMicros(row.inserted_at) };
}

export function snapshotJson(row: TopologySnapshotRow): TopologySnapshotJson {
  return { ...row, inserted_at: isoMicros(row.inserted_at), updated_at: isoMicros(row.updated_at) };
}
