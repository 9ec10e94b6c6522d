/** @module How often each node received the newest messages: once is as it should be, more is gossip's waste. */
import { useMemo } from "preact/hooks";
import type { MessageList, Receptions } from "../../../services/acks/contract.ts";
import { ResourceCard } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import { NodeName } from "../../components/node-name.tsx";
import { Notice } from "../../components/notice.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { type Cell, COLUMNS, type HeatRow, heatOf, type Shade, shadeOf } from "./heat.ts";

const SHADES: Readonly<Record<Shade, string>> = {
  0: "bg-raised text-muted",
  1: "bg-accent-soft text-accent",
  2: "bg-accent/30 text-ink",
  3: "bg-accent/45 text-ink",
  4: "bg-accent-strong text-white",
};

const LEGEND: readonly (readonly [Shade, string])[] = [
  [0, "0"],
  [1, "1"],
  [2, "2"],
  [3, "3–4"],
  [4, "5+"],
];

const NO_MESSAGES: MessageList["messages"] = [];

export interface HeatmapCardProps {
  readonly receptions: Resource<Receptions>;
  readonly messages: Resource<MessageList>;
}

export function HeatmapCard({ receptions, messages }: HeatmapCardProps) {
  const rows = dataOf(messages)?.messages ?? NO_MESSAGES;
  const answer = dataOf(receptions);
  const heat = useMemo(() => (answer === null ? null : heatOf(rows, answer)), [rows, answer]);
  return (
    <ResourceCard
      title="Receptions"
      flush
      lines={4}
      resource={receptions}
      note={`of the last ${COLUMNS} messages`}
      empty={() => (rows.length === 0 ? "There is no message that a node could have received." : null)}
    >
      {({ nodes_missing: missing }) =>
        heat !== null && (
          <>
            <Table
              label="Receptions by node and message"
              columns={columnsOf(heat.messages)}
              rows={heat.rows}
              rowKey={({ nodeId }) => nodeId}
            />
            <Legend />
            {missing.length > 0 && (
              <div class="px-4 pb-3">
                <Notice tone="warn">No answer from {missing.join(", ")}.</Notice>
              </div>
            )}
          </>
        )
      }
    </ResourceCard>
  );
}

function columnsOf(messages: MessageList["messages"]): readonly Column<HeatRow>[] {
  return [
    { key: "node", title: "Node", cell: ({ nodeId }) => <NodeName id={nodeId} /> },
    ...messages.map(
      ({ pk, sequence }, i): Column<HeatRow> => ({
        key: pk,
        title: `…${String(sequence).slice(-4)}`,
        cell: ({ nodeId, cells }) => <HeatCell cell={cells[i]} of={`${nodeId}: ${pk}`} />,
      }),
    ),
  ];
}

interface HeatCellProps {
  readonly cell: Cell | undefined;
  readonly of: string;
}

function HeatCell({ cell, of }: HeatCellProps) {
  const [text, said, colours] = shown(cell ?? { kind: "unknown" });
  return (
    <span
      class={classes(
        "-mx-2 flex h-6 min-w-9 items-center justify-center rounded text-xs font-medium tabular-nums transition-colors duration-300",
        colours,
      )}
      title={`${of}, ${said}`}
      data-heat={text}
    >
      {text}
    </span>
  );
}

function shown(cell: Cell): readonly [text: string, said: string, colours: string] {
  switch (cell.kind) {
    case "sent":
      return ["sent", "sent by this node", "border border-dashed border-line-strong text-muted"];
    case "unknown":
      return ["?", "the node does not answer", "bg-warn-soft text-warn"];
    case "count":
      return [String(cell.count), `received ${cell.count} ×`, SHADES[shadeOf(cell.count)]];
  }
}

function Legend() {
  return (
    <div class="flex flex-wrap items-center gap-2 px-4 py-2 text-xs text-muted">
      <span>Received</span>
      {LEGEND.map(([shade, text]) => (
        <span
          key={text}
          class={classes("inline-flex h-5 min-w-8 items-center justify-center rounded px-1", SHADES[shade])}
        >
          {text}
        </span>
      ))}
      <span>times since the node started; newest message first</span>
    </div>
  );
}
