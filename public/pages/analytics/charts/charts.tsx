/** @module What a run measured, drawn: distribution, course, staircases, and the figures of each node. */
import { useMemo } from "preact/hooks";
import type { NodePerformance, ReceiptSummary } from "../../../../services/analytics/series.ts";
import { Card, ResourceCard } from "../../../components/card.tsx";
import { Fact, Facts } from "../../../components/facts.tsx";
import { type Column, Table } from "../../../components/table.tsx";
import { dataOf, type Resource } from "../../../data/resource.ts";
import { msText } from "../../../data/wording.ts";
import type { Report } from "../answers.ts";
import { Distribution } from "./distribution.tsx";
import { nodeColours, nodesOf } from "./lines.ts";
import type { Axes } from "./lines-options.ts";
import { NodeLines } from "./node-lines.tsx";
import { useSteady } from "./use-steady.ts";

const COURSE: Axes = {
  x: "ms since the first send",
  y: "latency, ms",
  curve: "linear",
  whole: false,
  at: (x) => `sent ${msText(x)} after the first`,
};

const STAIRCASE: Axes = {
  x: "message",
  y: "ms since the node's first receipt",
  curve: "step-after",
  whole: true,
  at: (x) => `message ${x}`,
};

export function Charts({ run, performance }: ChartsProps) {
  const data = dataOf(performance);
  if (data === null) {
    return (
      <ResourceCard title="Charts" resource={performance} lines={8}>
        {() => null}
      </ResourceCard>
    );
  }
  return <Drawn run={run} data={data} performance={performance} />;
}

export interface ChartsProps {
  readonly run: string;
  readonly performance: Resource<Report<"performance">>;
}

function Drawn({ run, data, performance }: ChartsProps & { readonly data: Report<"performance"> }) {
  const histogram = useSteady(data.latency_histogram);
  const latency = useSteady(data.latency);
  const course = useSteady(data.rtt_time_series);
  const staircase = useSteady(data.receipt_staircase);
  const colours = useMemo(() => nodeColours(nodesOf(course, staircase)), [course, staircase]);
  return (
    <>
      <div class="grid gap-4 xl:grid-cols-2">
        <Distribution run={run} histogram={histogram} latency={latency} />
        <NodeLines
          title="Latency over time"
          run={run}
          lines={course}
          colours={colours}
          axes={COURSE}
          nothing="Nothing was acknowledged yet."
          remark="Round trips on the sender's clock. Click a node to see it alone."
        />
        <NodeLines
          title="Receipt staircase"
          run={run}
          lines={staircase}
          colours={colours}
          axes={STAIRCASE}
          nothing="No node has told of a receipt yet."
          remark="Each node by its own clock: heights of two nodes cannot be compared."
        />
        <Receipts summary={data.receipt_summary} />
      </div>
      <ResourceCard
        title="Node performance"
        resource={performance}
        flush
        empty={({ per_node_performance: nodes }) =>
          nodes.length === 0 ? "No node has acknowledged anything yet." : null
        }
      >
        {({ per_node_performance: nodes }) => (
          <Table label="Node performance" columns={COLUMNS} rows={nodes} rowKey={({ node_id }) => node_id} />
        )}
      </ResourceCard>
    </>
  );
}

function Receipts({ summary }: { readonly summary: ReceiptSummary }) {
  return (
    <Card title="Receipt summary">
      <Facts>
        <Fact name="Messages">{summary.message_count}</Fact>
        <Fact name="Receipts">{summary.receipt_count}</Fact>
        <Fact name="Receipts a message">{summary.average_receipts ?? "–"}</Fact>
        <Fact name="Nodes that received">{summary.node_count}</Fact>
      </Facts>
    </Card>
  );
}

const ms = (
  key: string,
  title: string,
  of: (row: NodePerformance) => number | null,
): Column<NodePerformance> => ({
  key,
  title,
  align: "right",
  cell: (row) => msText(of(row)),
});

const COLUMNS: readonly Column<NodePerformance>[] = [
  { key: "node", title: "Node", cell: ({ node_id }) => <span class="font-mono text-xs">{node_id}</span> },
  { key: "acks", title: "Acks", align: "right", cell: ({ ack_count }) => ack_count },
  ms("min", "Min", ({ min_ms }) => min_ms),
  ms("avg", "Avg", ({ avg_ms }) => avg_ms),
  ms("max", "Max", ({ max_ms }) => max_ms),
  ms("p50", "P50", ({ p50_ms }) => p50_ms),
  ms("p95", "P95", ({ p95_ms }) => p95_ms),
  ms("p99", "P99", ({ p99_ms }) => p99_ms),
];
