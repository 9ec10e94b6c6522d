/** @module Several runs beside each other, as JSON and as CSV (contract corroport, section 7). Pure. */
import { csvFile } from "../../../lib/csv.ts";
import type { ComparedExperiment, Comparison } from "../bodies.ts";
import { latencyStats, nodesOf, samplesOf } from "../maths.ts";
import type { RunRecords } from "../run-records.ts";
import { type Exporter, factsOf, metadataOf } from "./experiment.ts";

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
    metadata: metadataOf(exporter),
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
