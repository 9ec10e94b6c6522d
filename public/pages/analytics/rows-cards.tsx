/** @module Timing of each message, and what the nodes' systems did meanwhile. */

import { useMemo } from "preact/hooks";
import type { MessageTiming, SystemMetricJson } from "../../../services/analytics/bodies.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import type { Resource } from "../../data/resource.ts";
import { countText, msText, timeText } from "../../data/wording.ts";
import type { Report } from "./answers.ts";
import type { NodeLooks } from "./charts/lines.ts";
import { RunNode } from "./charts/run-node.tsx";
import { clockText } from "./history.ts";

const mono = (text: string) => <span class="font-mono text-xs">{text}</span>;
const right = { align: "right" } as const;

/** The time of day to the millisecond, the date where one points: messages follow each other within the second. */
function Clock({ at }: { readonly at: string }) {
  return <time title={timeText(at)}>{clockText(at)}</time>;
}

const TIMING: readonly Column<MessageTiming>[] = [
  { key: "id", title: "Message", cell: ({ message_id }) => mono(message_id) },
  { key: "sent", title: "Sent", cell: ({ send_time }) => <Clock at={send_time} /> },
  { key: "acks", title: "Acks", ...right, cell: ({ ack_count }) => ack_count },
  { key: "min", title: "Min", ...right, cell: ({ min_latency_ms }) => msText(min_latency_ms) },
  { key: "avg", title: "Avg", ...right, cell: ({ avg_latency_ms }) => msText(avg_latency_ms) },
  { key: "max", title: "Max", ...right, cell: ({ max_latency_ms }) => msText(max_latency_ms) },
];

export function TimingCard({ timing }: { readonly timing: Resource<Report<"timing">> }) {
  return (
    <ResourceCard
      title="Timing"
      resource={timing}
      flush
      note={timing.kind === "ok" ? <Badge>{countText(timing.data.count, "message")}</Badge> : null}
      empty={({ count }) => (count === 0 ? "No message was sent so far." : null)}
    >
      {({ timing_stats: rows }) => (
        <Table
          label="Timing of each message"
          columns={TIMING}
          rows={rows}
          rowKey={({ message_id }) => message_id}
        />
      )}
    </ResourceCard>
  );
}

const METRICS: readonly Column<SystemMetricJson>[] = [
  { key: "at", title: "Time", cell: ({ inserted_at }) => <Clock at={inserted_at} /> },
  { key: "cpu", title: "CPU", ...right, cell: ({ cpu_percent }) => `${cpu_percent.toFixed(1)} %` },
  { key: "memory", title: "Memory", ...right, cell: ({ memory_mb }) => `${memory_mb.toFixed(0)} MiB` },
  { key: "lag", title: "Loop lag", ...right, cell: ({ event_loop_lag_ms }) => msText(event_loop_lag_ms) },
  { key: "handles", title: "Handles", ...right, cell: ({ runtime_handles }) => runtime_handles },
  {
    key: "agent",
    title: "Connections",
    ...right,
    cell: ({ corrosion_connections }) => corrosion_connections,
  },
  { key: "queue", title: "Queue", ...right, cell: ({ message_queue_length }) => message_queue_length },
];

export interface MetricsCardProps {
  readonly metrics: Resource<Report<"metrics">>;
  readonly looks: NodeLooks;
}

export function MetricsCard({ metrics, looks }: MetricsCardProps) {
  const columns = useMemo(
    (): readonly Column<SystemMetricJson>[] => [
      { key: "node", title: "Node", cell: ({ node_id }) => <RunNode id={node_id} looks={looks} /> },
      ...METRICS,
    ],
    [looks],
  );
  return (
    <ResourceCard
      title="System metrics"
      resource={metrics}
      flush
      note={metrics.kind === "ok" ? <Badge>{countText(metrics.data.count, "sample")}</Badge> : null}
      empty={({ count }) => (count === 0 ? "No node has been sampled so far." : null)}
    >
      {({ system_metrics: rows }) => (
        <>
          <Table
            label="System metrics, newest first"
            columns={columns}
            rows={rows.toReversed()}
            rowKey={({ id, node_id }) => `${node_id} ${id}`}
          />
          <p class="px-4 py-2 text-xs text-muted">
            CPU, memory, handles and lag are of the process: nodes that share one show the same. Connections
            are the agent's, the queue is of acknowledgements to send.
          </p>
        </>
      )}
    </ResourceCard>
  );
}
