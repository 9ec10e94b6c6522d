/** @module The rows of the messages, newest first; they stand still while somebody reads them. */
import type { MessageRow } from "../../../services/corrosion/contract.ts";
import { Button } from "../../components/button.tsx";
import { Copy } from "../../components/copy.tsx";
import { NodeName } from "../../components/node-name.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { countText, timeText } from "../../data/wording.ts";
import { KEPT, newerThan } from "./rows.ts";
import { useHeld } from "./use-held.ts";

export interface MessageRowsProps {
  /** All that are known, as they come. */
  readonly live: readonly MessageRow[];
  readonly open: (row: MessageRow) => void;
}

export function MessageRows({ live, open }: MessageRowsProps) {
  const { shown, readers, catchUp } = useHeld(live);
  const newer = newerThan(shown, live);
  return (
    <div {...readers}>
      <Table
        label="Messages"
        columns={columnsOf(open)}
        rows={shown}
        rowKey={(_, place) => place}
        rowClass={() => "h-9"}
        maxHeight="max-h-[36rem]"
      />
      <div class="flex min-h-11 flex-wrap items-center gap-x-3 px-4 py-1 text-xs text-muted tabular-nums">
        {newer === 0 ? (
          countOf(live)
        ) : (
          <>
            <span>The list stands still while you read: {countText(newer, "newer message")}.</span>
            <Button size="small" onPress={catchUp}>
              Show them
            </Button>
          </>
        )}
      </div>
    </div>
  );
}

function countOf({ length }: readonly MessageRow[]): string {
  return length >= KEPT
    ? `The newest ${KEPT}: older ones are found in the Query Console.`
    : `${countText(length, "message")} in all.`;
}

function columnsOf(open: (row: MessageRow) => void): readonly Column<MessageRow>[] {
  return [
    { key: "node", title: "Node", cell: ({ node_id }) => <NodeName id={node_id} /> },
    {
      key: "text",
      title: "Text",
      class: "w-full max-w-0 min-w-54",
      cell: (row) => (
        <button
          type="button"
          class="block w-full min-w-48 truncate rounded text-left underline-offset-2 hover:underline"
          title="Show the whole text"
          onClick={() => open(row)}
        >
          {row.message === "" ? <span class="text-muted">(empty)</span> : row.message}
        </button>
      ),
    },
    { key: "time", title: "Time", align: "right", cell: ({ timestamp }) => timeText(timestamp) },
    { key: "sequence", title: "Sequence", align: "right", cell: ({ sequence }) => sequence },
    { key: "pk", title: "Key", cell: ({ pk }) => <Copy text={pk} what="message key" /> },
  ];
}
