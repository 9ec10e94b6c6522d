/** @module Messages of all nodes as this node's agent has them, live; and whether that feed lives. */
import { useState } from "preact/hooks";
import type { MessageList } from "../../../services/acks/contract.ts";
import type { MessageUpdate } from "../../../services/corrosion/contract.ts";
import type { Resource } from "../../data/resource.ts";
import { type StreamEvent, streamState } from "../../data/stream.ts";
import { useResource } from "../../data/use-resource.ts";
import { useStream } from "../../data/use-stream.ts";
import { type Feed, feedAfter } from "./feed.ts";
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
      const messages = rowsAfter(list.messages, updateOf(event));
      return messages === list.messages ? list : { messages, count: messages.length };
    },
  });
  const [feed, setFeed] = useState<Feed>({ kind: "live" });
  useStream(TOPICS, {
    onEvents: (events) =>
      setFeed((before) => events.reduce((feed, event) => feedAfter(feed, updateOf(event)), before)),
  });
  const changed = () => {
    if (streamState.peek() !== "open") void resource.reload();
  };
  return { resource, feed, changed };
}

/** The one event of the topic. */
function updateOf({ data }: StreamEvent): MessageUpdate {
  return data as MessageUpdate;
}
