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
import { type AckRow, type Progress, type RowState, waitText } from "./progress.ts";
import type { Acks } from "./use-acks.ts";

const COLUMNS: readonly Column<AckRow>[] = [
  { key: "node", title: "Node", cell: ({ nodeId }) => <NodeName id={nodeId} /> },
  {
    key: "state",
    title: "State",
    cell: ({ state, expected }) => (
      // As wide as most of its words, so that the columns stand still while they change.
      <span class="inline-flex min-w-20 items-center gap-1.5">
        <RowBadge state={state} />
        {!expected && (
          <Badge title="Not awaited: it was not there, or not known, when the message was sent.">extra</Badge>
        )}
      </span>
    ),
  },
  {
    key: "time",
    title: "Acknowledged",
    align: "right",
    cell: ({ state }) => (
      <span class="inline-flex min-w-28 items-baseline justify-end gap-2">
        {state.kind === "acked" ? (
          <>
            <span class="text-xs text-muted">{msText(state.latencyMs)}</span> {timeText(state.at)}
          </>
        ) : (
          <Unknown />
        )}
      </span>
    ),
  },
];

export interface AckCardProps {
  readonly acks: Acks;
  /** Behind the title. */
  readonly note?: ComponentChildren;
  /** Below the rows. */
  readonly children?: ComponentChildren;
}

export function AckCard({ acks: { resource, progress }, note, children }: AckCardProps) {
  return (
    <ResourceCard title="Acknowledgements" flush lines={6} resource={resource} note={note}>
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
function Message({ status }: { readonly status: AckStatus }) {
  const { latest_message: message, transport } = status;
  return (
    <dl class="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-4 gap-y-1 px-4 py-3 text-sm">
      <dt class="text-xs text-muted">Message</dt>
      <dd class="flex min-h-6 min-w-0 items-center gap-2">
        {message === null ? (
          <span class="text-muted">None is tracked: send one.</span>
        ) : (
          <>
            <span class="flex min-w-0">
              <Copy text={message.pk} what="message key" />
            </span>
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
              {waitText(status)}
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
        maxHeight="max-h-72"
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
