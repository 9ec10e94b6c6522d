/** @module The newest messages of all nodes. */
import { useState } from "preact/hooks";
import type { MessageRow } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Copy } from "../../components/copy.tsx";
import { NodeName } from "../../components/node-name.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { countText, timeText } from "../../data/wording.ts";
import type { Feed } from "./feed.ts";
import { MessageDialog } from "./message-dialog.tsx";
import { KEPT } from "./rows.ts";
import type { Messages } from "./use-messages.ts";

export function MessagesCard({ messages: { resource, feed } }: { readonly messages: Messages }) {
  const [opened, setOpened] = useState<MessageRow | null>(null);
  return (
    <>
      <ResourceCard
        title="Messages"
        flush
        lines={8}
        resource={resource}
        note={<FeedNote feed={feed} />}
        empty={({ messages }) =>
          messages.length === 0 ? "No message was sent in this cluster yet: send the first." : null
        }
      >
        {({ messages }) => (
          <>
            <Table
              label="Messages"
              columns={columnsOf(setOpened)}
              rows={messages}
              rowKey={({ pk }) => pk}
              maxHeight="max-h-[36rem]"
            />
            <p class="px-4 py-2 text-xs text-muted tabular-nums">
              {messages.length >= KEPT
                ? `The newest ${KEPT}: older ones are found in the Query Console.`
                : `${countText(messages.length, "message")} in all.`}
            </p>
          </>
        )}
      </ResourceCard>
      {opened !== null && <MessageDialog row={opened} close={() => setOpened(null)} />}
    </>
  );
}

function columnsOf(open: (row: MessageRow) => void): readonly Column<MessageRow>[] {
  return [
    { key: "node", title: "Node", cell: ({ node_id }) => <NodeName id={node_id} /> },
    {
      key: "text",
      title: "Text",
      class: "w-full max-w-0 min-w-48",
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

function FeedNote({ feed }: { readonly feed: Feed }) {
  switch (feed.kind) {
    case "live":
      // As it should be, and nothing to say; what the node did not tell yet counts as that too.
      return null;
    case "paused":
      return <Badge tone="warn">paused: the agent restarts</Badge>;
    case "down":
      return (
        <Badge tone="bad" title={feed.reason}>
          not live: the agent does not tell
        </Badge>
      );
  }
}
