/** @module An open conversation: what was said, how far it is read, and whether it is live. Pure. */
import type { Message, MessagePage } from "../../../services/conversations/contract.ts";
import { type Draft, draftsAfter, draftsWithout, draftsWritten, type StreamChunk } from "./drafts.ts";

/** Whether messages come as they are written. Times are milliseconds since 1970. */
export type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "reconnecting"; readonly since: number }
  /** The node will not show it: it is unknown, or somebody else's. */
  | { readonly kind: "refused"; readonly reason: string };

export interface Conversation {
  readonly load: "loading" | "ready" | Error;
  /** Ascending by seq, each once; the newest ones. */
  readonly messages: readonly Message[];
  /** Whether there are some before the first. */
  readonly hasEarlier: boolean;
  /** What agents are writing now. */
  readonly drafts: readonly Draft[];
  readonly link: Link;
}

export type ConversationEvent =
  | { readonly kind: "loaded"; readonly page: MessagePage }
  | { readonly kind: "load_failed"; readonly error: Error }
  | { readonly kind: "earlier"; readonly messages: readonly Message[] }
  /** Live, or polled: in order, from the last one on. */
  | { readonly kind: "messages"; readonly messages: readonly Message[] }
  | { readonly kind: "chunk"; readonly chunk: StreamChunk }
  | { readonly kind: "dispatch_failed"; readonly dispatchId: string }
  /** Several, in order. */
  | { readonly kind: "batch"; readonly events: readonly ConversationEvent[] }
  /** The answer to an own append. */
  | { readonly kind: "stored"; readonly message: Message }
  | { readonly kind: "joined" }
  | { readonly kind: "lost"; readonly at: number }
  | { readonly kind: "refused"; readonly reason: string };

/** Messages that are kept; older ones give way. */
export const KEPT = 500;
/** Messages of one request. */
export const PAGE = 100;

export const UNOPENED: Conversation = {
  load: "loading",
  messages: [],
  hasEarlier: false,
  drafts: [],
  link: { kind: "connecting" },
};

export function conversationAfter(before: Conversation, event: ConversationEvent): Conversation {
  switch (event.kind) {
    case "loaded": {
      const messages = merged(before.messages, event.page.messages);
      return { ...before, load: "ready", ...kept(messages, event.page.has_more) };
    }
    case "load_failed":
      return before.load === "ready" ? before : { ...before, load: event.error };
    case "earlier": {
      const messages = merged(before.messages, event.messages);
      return { ...before, ...kept(messages, (messages[0]?.seq ?? 1) > 1) };
    }
    case "messages":
      return {
        ...before,
        ...kept(merged(before.messages, event.messages), before.hasEarlier),
        drafts: draftsWritten(before.drafts, new Set(event.messages.map(({ sender_id }) => sender_id))),
      };
    case "chunk":
      return { ...before, drafts: draftsAfter(before.drafts, event.chunk) };
    case "dispatch_failed":
      return { ...before, drafts: draftsWithout(before.drafts, event.dispatchId) };
    case "batch":
      return event.events.reduce(conversationAfter, before);
    case "stored":
      // With others before it that are still to come, it comes with them: a hole would never be asked for.
      return event.message.seq === lastSeqOf(before) + 1
        ? { ...before, ...kept([...before.messages, event.message], before.hasEarlier) }
        : before;
    case "joined":
      return { ...before, link: { kind: "live" } };
    case "lost":
      // Since when is told from the first loss on; a refusal is final.
      return before.link.kind === "live" || before.link.kind === "connecting"
        ? // Chunks are never sent again.
          { ...before, drafts: [], link: { kind: "reconnecting", since: event.at } }
        : before;
    case "refused":
      return { ...before, link: { kind: "refused", reason: event.reason } };
  }
}

/** The seq up to which everything is here: what a join, or a poll, asks after. */
export function lastSeqOf({ messages }: Pick<Conversation, "messages">): number {
  return messages.at(-1)?.seq ?? 0;
}

/** The page before the first message: after the one seq, and before the other. */
export function earlierRange({ messages }: Pick<Conversation, "messages">): {
  readonly after: number;
  readonly before: number;
} {
  const before = messages[0]?.seq ?? 1;
  return { after: Math.max(0, before - 1 - PAGE), before };
}

/** Messages above the read cursor that the user did not write (contract fleet, section 8). */
export function unreadOf(messages: readonly Message[], userId: string, readSeq: number): readonly Message[] {
  return messages.filter(({ seq, sender_id }) => seq > readSeq && sender_id !== userId);
}

function merged(known: readonly Message[], more: readonly Message[]): readonly Message[] {
  const last = lastSeqOf({ messages: known });
  // What nearly always comes: the next ones, in order.
  const inOrder = more.every(({ seq }, i) => seq > (more[i - 1]?.seq ?? last));
  if (inOrder) return more.length === 0 ? known : [...known, ...more];
  const bySeq = new Map([...known, ...more].map((message) => [message.seq, message]));
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

function kept(
  messages: readonly Message[],
  hasEarlier: boolean,
): Pick<Conversation, "messages" | "hasEarlier"> {
  if (messages.length <= KEPT) return { messages, hasEarlier };
  return { messages: messages.slice(-KEPT), hasEarlier: true };
}
