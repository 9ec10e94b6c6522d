/** @module The newest message of this node: its key, when it was sent, and a row for each node that is to acknowledge it. */
import type { ComponentChildren } from "preact";
import type { AckStatus } from "../../services/acks/contract.ts";
import { Age } from "../components/age.tsx";
import { Badge } from "../components/badge.tsx";
import { ResourceCard } from "../components/card.tsx";
import { Copy } from "../components/copy.tsx";
import { NodeName, Unknown } from "../components/node-name.tsx";
import { type Column, Table } from "../components/table.tsx";
import { msText, timeText } from "../data/wording.ts";
import { AckCount, AckStateBadge } from "./ack-count.tsx";
import type { AckRow, Progress, RowState } from "./progress.ts";
import type { Acks } from "./use-acks.ts";

const COLUMNS: readonly Column<AckRow>[] = [
  { key: "node", title: "Node", cell: ({ nodeId }) => <NodeName id={nodeId} /> },
  {
    key: "state",
    title: "State",
    cell: ({ state, expected }) => (
      <span class="inline-flex items-center gap-1.5">
        <RowBadge state={state} />
        {!expected && (
          <Badge title="It was not there, or not known, when the message was sent.">not awaited</Badge>
        )}
      </span>
    ),
  },
  {
    key: "latency",
    title: "After",
    align: "right",
    cell: ({ state }) => (state.kind === "acked" ? msText(state.latencyMs) : <Unknown />),
  },
  {
    key: "time",
    title: "Time",
    align: "right",
    cell: ({ state }) => (state.kind === "acked" ? timeText(state.at) : <Unknown />),
  },
];

export interface AckCardProps {
  readonly acks: Acks;
  /** Below the rows. */
  readonly children?: ComponentChildren;
}

export function AckCard({ acks: { resource, progress }, children }: AckCardProps) {
  return (
    <ResourceCard
      title="Acknowledgements"
      flush
      lines={6}
      resource={resource}
      note={
        progress !== null && (
          <span class="inline-flex items-center gap-2">
            <AckCount progress={progress} />
            {resource.kind !== "loading" && resource.kind !== "error" && (
              <AckStateBadge state={resource.data.state} />
            )}
          </span>
        )
      }
    >
      {(status) => (
        <>
          <Message status={status} />
          {progress !== null && <Rows progress={progress} />}
          {children}
        </>
      )}
    </ResourceCard>
  );
}

/** The same places before and after a message, so that nothing below moves. */
function Message({ status: { latest_message: message, transport, deadline_at } }: { status: AckStatus }) {
  return (
    <dl class="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-1 px-4 py-3 text-sm">
      <dt class="text-xs text-muted">Message</dt>
      <dd class="flex min-h-6 min-w-0 items-center gap-2">
        {message === null ? (
          <span class="text-muted">None is tracked: send one.</span>
        ) : (
          <>
            <Copy text={message.pk} what="message key" />
            <Badge>{transport ?? "gossip"}</Badge>
          </>
        )}
      </dd>
      <dt class="text-xs text-muted">Sent</dt>
      <dd class="flex min-h-6 flex-wrap items-center gap-x-2 tabular-nums">
        {message === null ? (
          <Unknown />
        ) : (
          <>
            {timeText(message.timestamp)}
            <span class="text-xs text-muted">
              <Age at={message.timestamp} />
              {deadline_at !== null && `, waits until ${timeText(deadline_at)}`}
            </span>
          </>
        )}
      </dd>
    </dl>
  );
}

function Rows({ progress: { rows } }: { readonly progress: Progress }) {
  if (rows.length === 0) {
    return <p class="border-t border-line px-4 py-3 text-muted">No other node is known to this one.</p>;
  }
  return (
    <div class="border-t border-line">
      <Table
        label="Acknowledgements by node"
        columns={COLUMNS}
        rows={rows}
        rowKey={({ nodeId }) => nodeId}
        maxHeight="max-h-96"
      />
    </div>
  );
}

function RowBadge({ state }: { readonly state: RowState }) {
  switch (state.kind) {
    case "ready":
      return <Badge>ready</Badge>;
    case "waiting":
      return <Badge tone="info">waiting</Badge>;
    case "overdue":
      return <Badge tone="bad">overdue</Badge>;
    case "acked":
      return state.late ? (
        <Badge tone="warn" title="It came after the deadline.">
          acked late
        </Badge>
      ) : (
        <Badge tone="good">acked</Badge>
      );
  }
}
