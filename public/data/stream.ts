/** @module The page's one event stream: the topics that its parts ask for, on one connection, which comes back by itself. */
import { signal } from "@preact/signals";
import { EventBatches } from "./event-batches.ts";

export interface StreamEvent {
  /** One of `eventsOf` its topic. */
  readonly event: string;
  readonly data: unknown;
}

/** `idle`: nothing is subscribed. */
export type StreamState = "idle" | "connecting" | "open" | "down";

interface Subscriber {
  readonly topics: readonly string[];
  readonly onEvents: (events: readonly StreamEvent[]) => void;
  /** Called when events may have been missed: fetch anew. */
  readonly onReconnect: () => void;
}

/** Parts of a page come and go together; the stream changes once for all of them. */
const SETTLE_MS = 30;
/** Where the browser gives up (an answer that is no stream), the page tries again after this long. */
const RETRY_MS = 3000;
/** A node says every 15 s that it is there: a connection over which nothing comes for so long is dead. */
const SILENCE_MS = 40_000;
const LOOK_MS = 5000;
/** A browser has six connections for all tabs of a node: one that nobody looks at gives its own back after this. */
const HIDDEN_MS = 5000;

const OWN_NAMES: Readonly<Record<string, readonly string[]>> = {
  message_updates: ["message_updates", "subscriber_status"],
  corrosion: ["corrosion.restarting", "corrosion.ready", "corrosion.restart_failed"],
  groups: [
    "raft.leader.changed",
    "raft.leader.ended",
    "raft.replica.halted",
    "archive.stalled",
    "archive.resumed",
  ],
};

export const streamState = signal<StreamState>("idle");

/** Since when the stream is down, milliseconds since 1970; null while it is not. */
export const streamDownSince = signal<number | null>(null);

const subscribers = new Set<Subscriber>();
let source: EventSource | null = null;
let opened = "";
let settle: ReturnType<typeof setTimeout> | null = null;
let retry: ReturnType<typeof setTimeout> | null = null;
/** Whether this page was connected before: then an opening is a reconnect. */
let interrupted = false;
/** When something came last, milliseconds since 1970. */
let heardAt = 0;
let resting = false;
let rest: ReturnType<typeof setTimeout> | null = null;

const batches = new EventBatches<StreamEvent>((events) => {
  for (const { topics, onEvents } of [...subscribers]) {
    const names = new Set(topics.flatMap(eventsOf));
    const own = events.filter(({ event }) => names.has(event));
    if (own.length > 0) onEvents(own);
  }
});

/** Subscribes until the function that it returns is called. Events come in batches, at most ten a second. */
export function subscribe(subscriber: Subscriber): () => void {
  subscribers.add(subscriber);
  settleSoon();
  return () => {
    subscribers.delete(subscriber);
    settleSoon();
  };
}

/** Names of the events that a topic brings (contract corroport, section 2). */
export function eventsOf(topic: string): readonly string[] {
  return topic.startsWith("analytics:") ? ["analytics_events"] : (OWN_NAMES[topic] ?? [topic]);
}

function settleSoon(): void {
  if (settle !== null) return;
  settle = setTimeout(() => {
    settle = null;
    if (resting) return;
    const topics = [...new Set([...subscribers].flatMap((one) => one.topics))].sort().join(",");
    if (topics !== opened) open(topics);
  }, SETTLE_MS);
}

function open(topics: string): void {
  close();
  opened = topics;
  if (topics === "") {
    streamState.value = "idle";
    streamDownSince.value = null;
    interrupted = false;
    return;
  }
  if (streamState.value !== "down") streamState.value = "connecting";
  const opening = new EventSource(`/api/stream?topics=${encodeURIComponent(topics)}`);
  source = opening;
  heardAt = Date.now();
  opening.addEventListener("alive", () => {
    heardAt = Date.now();
  });
  for (const name of new Set(topics.split(",").flatMap(eventsOf))) {
    opening.addEventListener(name, ({ data }: MessageEvent<string>) => {
      heardAt = Date.now();
      batches.push({ event: name, data: JSON.parse(data) });
    });
  }
  opening.onopen = () => {
    heardAt = Date.now();
    streamState.value = "open";
    document.documentElement.dataset.stream = topics;
    streamDownSince.value = null;
    if (!interrupted) return;
    interrupted = false;
    for (const { onReconnect } of [...subscribers]) onReconnect();
  };
  opening.onerror = () => {
    lost();
    if (opening.readyState !== EventSource.CLOSED || source !== opening) return;
    retry = setTimeout(() => open(opened), RETRY_MS);
  };
}

/** Events may be missed from now on. */
function lost(): void {
  streamState.value = "down";
  delete document.documentElement.dataset.stream;
  streamDownSince.value ??= Date.now();
  interrupted = true;
}

setInterval(() => {
  if (source === null || Date.now() - heardAt < SILENCE_MS) return;
  lost();
  open(opened);
}, LOOK_MS);

function close(): void {
  if (retry !== null) clearTimeout(retry);
  retry = null;
  batches.flush();
  source?.close();
  source = null;
  delete document.documentElement.dataset.stream;
}

// Events that come meanwhile are made up for by what is fetched when somebody looks again.
function onVisibility(): void {
  if (rest !== null) clearTimeout(rest);
  rest = null;
  if (document.visibilityState === "hidden") {
    rest = setTimeout(() => {
      resting = true;
      interrupted ||= opened !== "";
      close();
      opened = "";
    }, HIDDEN_MS);
  } else if (resting) {
    resting = false;
    settleSoon();
  }
}
document.addEventListener("visibilitychange", onVisibility);
onVisibility();

// A page that is left ends its stream at once; one that comes back from the browser's cache opens it anew.
addEventListener("pagehide", () => {
  close();
  opened = "";
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  interrupted = true;
  settleSoon();
});
