/** @module Live events for a component. */
import { useEffect, useRef } from "preact/hooks";
import { type StreamEvent, subscribe } from "./stream.ts";

export interface StreamHandlers {
  /** Events of the topics in the order in which they came, at most ten calls a second. */
  readonly onEvents: (events: readonly StreamEvent[]) => void;
  /** Events may have been missed. */
  readonly onReconnect?: () => void;
}

/** Subscribes for as long as the component is there. No topics: nothing. */
export function useStream(topics: readonly string[], handlers: StreamHandlers): void {
  const latest = useRef(handlers);
  latest.current = handlers;
  const key = topics.join(",");
  useEffect(() => {
    if (key === "") return undefined;
    return subscribe({
      topics: key.split(","),
      onEvents: (events) => latest.current.onEvents(events),
      onReconnect: () => latest.current.onReconnect?.(),
    });
  }, [key]);
}
