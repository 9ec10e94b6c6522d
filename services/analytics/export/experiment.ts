/** @module The export of one run (contract corroport, section 7), version 2.0.0. Pure. */
import { isoMicros } from "../../../lib/clock.ts";
import { regionOf } from "../../../lib/regions.ts";
import type { ExportMetadata, PerformanceBody, RunExportMetadata, SystemMetricJson } from "../bodies.ts";
import type { ExperimentRow } from "../contract.ts";
import { nodesOf } from "../maths.ts";
import { metricJson, reportOf } from "../reports.ts";
import type { RunRecords } from "../run-records.ts";

const EXPORTER_VERSION = "2.0.0";

/** Who exports, and when: microseconds since 1970. */
export interface Exporter {
  readonly node_id: string;
  readonly region: string;
  readonly at: number;
}

export interface ExportOptions {
  readonly include_system_metrics: boolean;
  /** Whose records these are, and whose are missing. */
  readonly nodes_reporting: readonly string[];
  readonly nodes_missing: readonly string[];
}

export interface ExperimentFacts {
  readonly id: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /** From start to end; null until it has ended. */
  readonly duration_seconds: number | null;
  readonly message_count: number;
  readonly send_count: number;
  readonly ack_count: number;
  /** The ack rate, in percent. */
  readonly success_rate: number | null;
  /** Null of a run of which only events are known. */
  readonly configuration: Omit<
    ExperimentRow,
    "id" | "started_at" | "ended_at" | "sent_count" | "failed_count"
  > | null;
}

export interface ExperimentExport {
  readonly metadata: RunExportMetadata;
  readonly experiment: ExperimentFacts;
  readonly topology: {
    readonly node_count: number;
    readonly nodes: readonly string[];
    readonly regions: readonly string[];
    readonly region_count: number;
  };
  readonly performance: Omit<PerformanceBody, "receipt_staircase" | "receipt_summary">;
  /** Empty where it was not asked for. */
  readonly system_metrics: readonly SystemMetricJson[];
  /** Always empty here: `withRawEvents` writes them where they are wanted. */
  readonly raw_events: readonly [];
}

/** All of it but the raw events. */
export function exportOf(
  id: string,
  records: RunRecords,
  exporter: Exporter,
  options: ExportOptions,
): ExperimentExport {
  const {
    receipt_staircase: _staircase,
    receipt_summary: _receipts,
    ...performance
  } = reportOf(records, "performance");
  const nodes = [
    ...new Set([...(records.experiment?.expected_nodes ?? []), ...nodesOf(records.events)]),
  ].sort();
  const regions = [...new Set(nodes.map(regionOf))].sort();
  return {
    metadata: {
      ...metadataOf(exporter),
      nodes_reporting: options.nodes_reporting,
      nodes_missing: options.nodes_missing,
    },
    experiment: factsOf(id, records),
    topology: { node_count: nodes.length, nodes, regions, region_count: regions.length },
    performance,
    system_metrics: options.include_system_metrics ? records.metrics.map(metricJson) : [],
    raw_events: [],
  };
}

export function metadataOf({ at, node_id, region }: Exporter): ExportMetadata {
  return { exported_at: isoMicros(at), exporter_version: EXPORTER_VERSION, node_id, region };
}

/** What an export and a comparison say of the run as a whole. Times are those of the run, or else of its events. */
export function factsOf(id: string, records: RunRecords): ExperimentFacts {
  const { experiment } = records;
  const { ack_count, ack_rate, message_count, send_count } = reportOf(records, "summary");
  const [first, last] = spanOf(records);
  const started = experiment?.started_at ?? first;
  const ended = experiment ? experiment.ended_at : last;
  return {
    id,
    started_at: started === null ? null : isoMicros(started),
    ended_at: ended === null ? null : isoMicros(ended),
    duration_seconds: started === null || ended === null ? null : Math.max(0, ended - started) / 1e6,
    message_count,
    send_count,
    ack_count,
    success_rate: ack_rate,
    configuration: experiment && configurationOf(experiment),
  };
}

function configurationOf(row: ExperimentRow): ExperimentFacts["configuration"] {
  const {
    id: _id,
    started_at: _start,
    ended_at: _end,
    sent_count: _sent,
    failed_count: _failed,
    ...rest
  } = row;
  return rest;
}

/** First and last time of a run's events, on the clocks of their originators. */
function spanOf({ events: { ackedAt, sentAt } }: RunRecords): [number | null, number | null] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const times of [sentAt, ackedAt]) {
    for (const at of times) {
      if (Number.isNaN(at)) continue;
      first = Math.min(first, at);
      last = Math.max(last, at);
    }
  }
  return first <= last ? [first, last] : [null, null];
}
