/** @module Receipt summary: how many messages arrived, and where. */
import type { ComponentChildren } from "preact";
import type { ReceiptSummary } from "../../../../services/analytics/series.ts";
import { Card } from "../../../components/card.tsx";

export interface ReceiptsCardProps {
  readonly summary: ReceiptSummary;
  readonly note: ComponentChildren;
}

export function ReceiptsCard({ summary, note }: ReceiptsCardProps) {
  const { message_count: messages, receipt_count: receipts, average_receipts: average, node_count } = summary;
  return (
    <Card title="Receipt summary" note={note} flush>
      <dl class="grid h-full grid-cols-2 gap-px bg-line sm:grid-cols-4 xl:grid-cols-2">
        <Count name="Messages" value={messages}>
          that were sent
        </Count>
        <Count name="Receipts" value={receipts}>
          that nodes have told of
        </Count>
        <Count name="Average" value={average === null ? "–" : average.toFixed(2)}>
          receipts a message
        </Count>
        <Count name="Nodes" value={node_count}>
          that received something
        </Count>
      </dl>
    </Card>
  );
}

interface CountProps {
  readonly name: string;
  readonly value: number | string;
  readonly children: string;
}

function Count({ name, value, children }: CountProps) {
  return (
    <div class="flex flex-col justify-center bg-surface px-4 py-3">
      <dt class="text-xs font-medium text-muted">{name}</dt>
      <dd class="mt-1 text-2xl font-semibold tracking-tight tabular-nums">{value}</dd>
      <dd class="mt-0.5 text-xs text-muted">{children}</dd>
    </div>
  );
}
