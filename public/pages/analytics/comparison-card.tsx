/** @module Some runs beside each other. */
import type { ComparedExperiment } from "../../../services/analytics/bodies.ts";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Notice } from "../../components/notice.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { useResource } from "../../data/use-resource.ts";
import { msText, timeText } from "../../data/wording.ts";
import { type ComparisonAnswer, comparisonPath } from "./answers.ts";
import { DownloadLinks } from "./download-links.tsx";
import { durationText } from "./history.ts";

const right = { align: "right" } as const;

const COLUMNS: readonly Column<ComparedExperiment>[] = [
  {
    key: "id",
    title: "Experiment",
    cell: ({ experiment_id }) => <span class="font-mono text-xs">{experiment_id}</span>,
  },
  {
    key: "started",
    title: "Started",
    cell: ({ started_at }) =>
      started_at === null ? <span class="text-muted">–</span> : timeText(started_at),
  },
  {
    key: "duration",
    title: "Duration",
    ...right,
    cell: ({ duration_seconds: seconds }) => durationText(seconds === null ? null : seconds * 1000),
  },
  { key: "nodes", title: "Nodes", ...right, cell: ({ node_count }) => node_count },
  { key: "messages", title: "Messages", ...right, cell: ({ message_count }) => message_count },
  { key: "acks", title: "Acks", ...right, cell: ({ ack_count }) => ack_count },
  {
    key: "rate",
    title: "Ack rate",
    ...right,
    cell: ({ success_rate: rate }) => (rate === null ? "–" : `${rate} %`),
  },
  { key: "avg", title: "Avg", ...right, cell: ({ avg_latency_ms }) => msText(avg_latency_ms) },
  { key: "p95", title: "P95", ...right, cell: ({ p95_latency_ms }) => msText(p95_latency_ms) },
];

export interface ComparisonCardProps {
  readonly ids: readonly string[];
  readonly onClose: () => void;
}

export function ComparisonCard({ ids, onClose }: ComparisonCardProps) {
  const comparison = useResource<ComparisonAnswer>(comparisonPath(ids, "json"), {
    topics: ids.map((id) => `analytics:${id}`),
  });
  return (
    <ResourceCard
      title="Comparison"
      resource={comparison}
      flush
      lines={ids.length}
      actions={
        <>
          <DownloadLinks what="The comparison" path={(format) => comparisonPath(ids, format)} />
          <Button size="small" onPress={onClose}>
            Close
          </Button>
        </>
      }
    >
      {({ experiments, nodes_missing: missing }) => (
        <>
          {missing.length > 0 && (
            <div class="p-3">
              <Notice tone="warn">Without {missing.join(", ")}: counts may be too low.</Notice>
            </div>
          )}
          <Table
            label="Comparison"
            columns={COLUMNS}
            rows={experiments}
            rowKey={({ experiment_id }) => experiment_id}
          />
        </>
      )}
    </ResourceCard>
  );
}
