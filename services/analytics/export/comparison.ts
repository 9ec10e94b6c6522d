/** @module Several runs beside each other, as JSON and as CSV (contract corroport, section 7). Pure. */
import { isoMicros } from "../../../lib/clock.ts";
import { csvFile } from "../../../lib/csv.ts";
import { latencyStats, nodesOf, samplesOf } from "../maths.ts";
import type { RunRecords } from "../run-records.ts";
import { EXPORTER_VERSION, type Exporter, factsOf } from "./experiment.ts";

/** One run of a comparison; a run that nobody knows has zeros and nulls. */
export interface ComparedExperiment {
  readonly experiment_id: string;
  readonly started_at: string | null;
  readonly duration_seconds: number | null;
  readonly node_count: number;
  /** Sends. */
  readonly message_count: number;
  readonly ack_count: number;
  /** The ack rate, in percent. */
  readonly success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly p95_latency_ms: number | null;
}

export interface Comparison {
  readonly metadata: {
    readonly exported_at: string;
    readonly exporter_version: string;
    readonly node_id: string;
    readonly region: string;
  };
  readonly experiments: readonly ComparedExperiment[];
  readonly count: number;
}

const COMPARISON_HEADER = [
  "Experiment ID",
  "Started At",
  "Duration (s)",
  "Nodes",
  "Messages",
  "Acks",
  "Success Rate",
  "Avg Latency (ms)",
  "P95 Latency (ms)",
] as const;

export function comparedOf(id: string, records: RunRecords): ComparedExperiment {
  const facts = factsOf(id, records);
  const { avg_ms, p95_ms } = latencyStats(samplesOf(records.events).latencies);
  const nodes = new Set([...(records.experiment?.expected_nodes ?? []), ...nodesOf(records.events)]);
  return {
    experiment_id: id,
    started_at: facts.started_at,
    duration_seconds: facts.duration_seconds,
    node_count: nodes.size,
    message_count: facts.send_count,
    ack_count: facts.ack_count,
    success_rate: facts.success_rate,
    avg_latency_ms: avg_ms,
    p95_latency_ms: p95_ms,
  };
}

export function comparisonOf(experiments: readonly ComparedExperiment[], exporter: Exporter): Comparison {
  return {
    metadata: {
      exported_at: isoMicros(exporter.at),
      exporter_version: EXPORTER_VERSION,
      node_id: exporter.node_id,
      region: exporter.region,
    },
    experiments,
    count: experiments.length,
  };
}

export function comparisonCsv(experiments: readonly ComparedExperiment[]): string {
  return csvFile(
    COMPARISON_HEADER,
    experiments.map((run) => [
      run.experiment_id,
      run.started_at,
      run.duration_seconds,
      run.node_count,
      run.message_count,
      run.ack_count,
      run.success_rate,
      run.avg_latency_ms,
      run.p95_latency_ms,
    ]),
  );
}
