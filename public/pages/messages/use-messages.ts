/** @module Messages of all nodes as this node's agent has them, live; and whether that feed lives. */
import { useState } from "preact/hooks";
import type { MessageList } from "../../../services/acks/contract.ts";
import type { MessageUpdate, SubscriberStatus } from "../../../services/corrosion/contract.ts";
import type { Resource } from "../../data/resource.ts";
import { streamState } from "../../data/stream.ts";
import { useResource } from "../../data/use-resource.ts";
import { useStream } from "../../data/use-stream.ts";
import { type Feed, feedAfter, feedOf } from "./feed.ts";
import { KEPT, rowsAfter } from "./rows.ts";

const TOPICS = ["message_updates"];

export interface Messages {
  readonly resource: Resource<MessageList>;
  readonly feed: Feed;
  /** Looks again after the person did something; the stream, while it lives, does that by itself. */
  readonly changed: () => void;
}

export function useMessages(): Messages {
  const resource = useResource<MessageList>(`/api/messages?limit=${KEPT}`, {
    topics: TOPICS,
    apply(list, event) {
      // The stream has opened: what came before it, and after the list was made, was not told.
      if (event.event === "subscriber_status") return "refetch";
      const messages = rowsAfter(list.messages, event.data as MessageUpdate);
      return messages === list.messages ? list : { messages, count: messages.length };
    },
  });
  const [feed, setFeed] = useState<Feed>({ kind: "live" });
  useStream(TOPICS, {
    onEvents: (events) =>
      setFeed((before) =>
        events.reduce(
          (feed, { event, data }) =>
            event === "subscriber_status"
              ? feedOf(data as SubscriberStatus, feed)
              : feedAfter(feed, data as MessageUpdate),
          before,
        ),
      ),
  });
  const changed = () => {
    if (streamState.peek() !== "open") void resource.refetch();
  };
  return { resource, feed, changed };
}
