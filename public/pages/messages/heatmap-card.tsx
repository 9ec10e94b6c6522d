/** @module How often each node received the newest messages: once is as it should be, more is gossip's waste. */
import { useMemo } from "preact/hooks";
import type { MessageList, Receptions } from "../../../services/acks/contract.ts";
import { ResourceCard, Skeleton } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import { Notice } from "../../components/notice.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { COLUMNS, heatOf, type Shade } from "./heat.ts";
import { HeatmapGrid, SHADES } from "./heatmap-grid.tsx";

const LINES = 4;

const LEGEND: readonly (readonly [Shade, string])[] = [
  [0, "0"],
  [1, "1"],
  [2, "2"],
  [3, "3–4"],
  [4, "5+"],
];

export interface HeatmapCardProps {
  readonly receptions: Resource<Receptions>;
  readonly messages: Resource<MessageList>;
}

export function HeatmapCard({ receptions, messages }: HeatmapCardProps) {
  const rows = dataOf(messages)?.messages ?? null;
  const answer = dataOf(receptions);
  const heat = useMemo(
    () => (answer === null || rows === null ? null : heatOf(rows, answer)),
    [rows, answer],
  );
  return (
    <ResourceCard
      title="Receptions"
      flush
      lines={LINES}
      resource={receptions}
      empty={() => {
        if (messages.kind === "error") return "The messages could not be listed, so there is none to count.";
        return rows?.length === 0 ? "There is no message that a node could have received." : null;
      }}
    >
      {({ nodes_missing: missing }) =>
        heat === null ? (
          <div class="p-4">
            <Skeleton lines={LINES} />
          </div>
        ) : (
          <>
            <HeatmapGrid heat={heat} />
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

function Legend() {
  return (
    <div class="flex flex-wrap items-center gap-x-2 gap-y-1 px-4 pt-1 pb-3 text-xs text-muted">
      <span>Received</span>
      {LEGEND.map(([shade, text]) => (
        <span
          key={text}
          class={classes("inline-flex h-5 min-w-8 items-center justify-center rounded px-1", SHADES[shade])}
        >
          {text}
        </span>
      ))}
      <span>
        times since the node started; the last {COLUMNS} messages, newest first, by the end of their sequence
      </span>
    </div>
  );
}
