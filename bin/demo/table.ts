/** @module The result of a demonstration as a person reads it. */
import type { PerformanceBody, SummaryBody } from "../../services/analytics/bodies.ts";
import type { Reported } from "../../services/analytics/contract.ts";

export type Summary = SummaryBody & Reported;
export type Performance = PerformanceBody & Reported;

const HEADER = ["node", "acks", "min ms", "avg ms", "max ms", "p50 ms", "p95 ms"];

/** Lines: what was sent and acknowledged, then a row a node, then who did not report. */
export function resultTable(summary: Summary, performance: Performance): string {
  const { ack_count, ack_rate, experiment_id, nodes_missing, remote_node_count, send_count } = summary;
  const rate = ack_rate === null ? "-" : `${ack_rate.toFixed(1)} %`;
  const rows = performance.per_node_performance.map((node) => [
    node.node_id,
    String(node.ack_count),
    ...[node.min_ms, node.avg_ms, node.max_ms, node.p50_ms, node.p95_ms].map(milliseconds),
  ]);
  return [
    "",
    `Experiment ${experiment_id}: ${send_count} messages, ${ack_count} of ${send_count * remote_node_count} acknowledgements, ack rate ${rate}`,
    "",
    ...aligned([HEADER, ...rows]),
    ...(nodes_missing.length > 0 ? ["", `Not reporting: ${nodes_missing.join(", ")}`] : []),
    "",
  ].join("\n");
}

const milliseconds = (value: number | null) => (value === null ? "-" : value.toFixed(1));

/** Columns of one width each; figures stand to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADER.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
}
