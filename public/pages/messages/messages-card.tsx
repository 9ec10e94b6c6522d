/** @module The newest messages of all nodes. */
import { useState } from "preact/hooks";
import type { MessageRow } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import type { Feed } from "./feed.ts";
import { MessageDialog } from "./message-dialog.tsx";
import { MessageRows } from "./message-rows.tsx";
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
        {({ messages }) => <MessageRows live={messages} open={setOpened} />}
      </ResourceCard>
      {opened !== null && <MessageDialog row={opened} close={() => setOpened(null)} />}
    </>
  );
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
