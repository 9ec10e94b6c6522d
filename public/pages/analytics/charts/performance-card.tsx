/** @module Node performance: how quickly each node acknowledged, beside those that did not. */
import { useMemo } from "preact/hooks";
import type { NodePerformance } from "../../../../services/analytics/series.ts";
import { ResourceCard } from "../../../components/card.tsx";
import { type Column, Table } from "../../../components/table.tsx";
import type { Resource } from "../../../data/resource.ts";
import { msText } from "../../../data/wording.ts";
import type { Report } from "../answers.ts";
import { type NodeLooks, withSilent } from "./lines.ts";
import { RunNode } from "./run-node.tsx";

export interface PerformanceCardProps {
  readonly performance: Resource<Report<"performance">>;
  readonly expected: readonly string[];
  readonly looks: NodeLooks;
}

export function PerformanceCard({ performance, expected, looks }: PerformanceCardProps) {
  const columns = useMemo(() => columnsOf(looks), [looks]);
  return (
    <ResourceCard
      title="Node performance"
      resource={performance}
      flush
      empty={({ per_node_performance: nodes }) =>
        nodes.length === 0 && expected.length === 0 ? "No node has acknowledged anything so far." : null
      }
    >
      {({ per_node_performance: nodes }) => (
        <Table
          label="Node performance"
          columns={columns}
          rows={withSilent(nodes, expected)}
          rowKey={({ node_id }) => node_id}
          rowClass={({ ack_count }) => (ack_count === 0 ? "text-muted" : "")}
        />
      )}
    </ResourceCard>
  );
}

function columnsOf(looks: NodeLooks): readonly Column<NodePerformance>[] {
  const ms = (title: string, of: (row: NodePerformance) => number | null): Column<NodePerformance> => ({
    key: title,
    title,
    align: "right",
    cell: (row) => msText(of(row)),
  });
  return [
    { key: "node", title: "Node", cell: ({ node_id }) => <RunNode id={node_id} looks={looks} /> },
    { key: "acks", title: "Acks", align: "right", cell: ({ ack_count }) => ack_count },
    ms("Min", ({ min_ms }) => min_ms),
    ms("Avg", ({ avg_ms }) => avg_ms),
    ms("Max", ({ max_ms }) => max_ms),
    ms("P50", ({ p50_ms }) => p50_ms),
    ms("P95", ({ p95_ms }) => p95_ms),
    ms("P99", ({ p99_ms }) => p99_ms),
  ];
}
