/** @module An open conversation: the part of it that is shown, what is unread, and whether it is live. Pure. */
import type { Dispatch, Message, MessagePage } from "../../../services/conversations/contract.ts";
import {
  type Draft,
  draftsAfter,
  draftsUntil,
  draftsWithout,
  draftsWritten,
  type StreamChunk,
} from "./drafts.ts";

/** Whether messages come as they are written. Times are milliseconds since 1970. */
export type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "reconnecting"; readonly since: number }
  /** The node will not show it: it is unknown, or somebody else's. */
  | { readonly kind: "refused"; readonly reason: string };

/** What the user has not read (contract fleet, section 8): messages of others above the read cursor. */
export interface Unread {
  readonly readSeq: number;
  readonly count: number;
  /** Messages up to this seq are counted. */
  readonly countedTo: number;
}

export interface Conversation {
  readonly userId: string;
  readonly load: "loading" | "ready" | Error;
  /** Ascending by seq, without a hole: a part of the session, of at most `KEPT`. */
  readonly messages: readonly Message[];
  /** Seq of the newest message that is known of; beyond the last of `messages` while older ones are read. */
  readonly head: number;
  /** Whether the newest is in sight, and shall stay so. */
  readonly following: boolean;
  /** Null: not known yet. */
  readonly unread: Unread | null;
  /** What agents are writing now. */
  readonly drafts: readonly Draft[];
  readonly link: Link;
}

export type ConversationEvent =
  /** The newest messages: the first ones, or instead of those that were shown. */
  | { readonly kind: "loaded"; readonly page: MessagePage }
  | { readonly kind: "load_failed"; readonly error: Error }
  /** Those before the first that is shown, and those after the last. */
  | { readonly kind: "earlier" | "later"; readonly messages: readonly Message[] }
  /** Live, or polled: in order, from the head on. */
  | { readonly kind: "messages"; readonly messages: readonly Message[] }
  | { readonly kind: "chunk"; readonly chunk: StreamChunk }
  | { readonly kind: "dispatch_failed"; readonly dispatchId: string }
  | { readonly kind: "dispatch"; readonly dispatch: Dispatch }
  /** Several, in order. */
  | { readonly kind: "batch"; readonly events: readonly ConversationEvent[] }
  /** The answer to an own append. */
  | { readonly kind: "stored"; readonly message: Message }
  /** How far the user has read, as the node tells it when the session's last seq is `lastSeq`. */
  | { readonly kind: "read"; readonly readSeq: number; readonly count: number; readonly lastSeq: number }
  | { readonly kind: "following"; readonly following: boolean }
  | { readonly kind: "joined" }
  | { readonly kind: "lost"; readonly at: number }
  | { readonly kind: "refused"; readonly reason: string };

/** Messages that are kept, and drawn; those farthest from what is in sight give way. */
export const KEPT = 300;
/** Messages of one request. */
export const PAGE = 100;

export function unopened(userId: string): Conversation {
  return {
    userId,
    load: "loading",
    messages: [],
    head: 0,
    following: true,
    unread: null,
    drafts: [],
    link: { kind: "connecting" },
  };
}

export function conversationAfter(before: Conversation, event: ConversationEvent): Conversation {
  switch (event.kind) {
    case "loaded": {
      const { messages, last_seq } = event.page;
      const after = noticed(before, messages, last_seq);
      return { ...after, load: "ready", messages, following: true };
    }
    case "load_failed":
      return before.load === "ready" ? before : { ...before, load: event.error };
    case "earlier":
      return event.messages.at(-1)?.seq === firstSeqOf(before) - 1
        ? { ...before, messages: [...event.messages, ...before.messages].slice(0, KEPT) }
        : before;
    case "later":
      return event.messages[0]?.seq === lastSeqOf(before) + 1
        ? { ...before, messages: [...before.messages, ...event.messages].slice(-KEPT) }
        : before;
    case "messages":
      return withLive(before, event.messages);
    case "chunk":
      return { ...before, drafts: draftsAfter(before.drafts, event.chunk) };
    case "dispatch_failed":
      return { ...before, drafts: draftsWithout(before.drafts, event.dispatchId) };
    case "dispatch":
      return { ...before, drafts: draftsUntil(before.drafts, event.dispatch) };
    case "batch":
      return event.events.reduce(conversationAfter, before);
    case "stored":
      // With others before it that are still to come, it comes with them: a hole would never be asked for.
      return event.message.seq === before.head + 1 ? withLive(before, [event.message]) : before;
    case "read": {
      const others = before.messages.filter(
        ({ seq, sender_id }) => seq > event.lastSeq && sender_id !== before.userId,
      );
      const { readSeq, lastSeq } = event;
      const countedTo = Math.max(lastSeq, lastSeqOf(before));
      return { ...before, unread: { readSeq, count: event.count + others.length, countedTo } };
    }
    case "following":
      return before.following === event.following ? before : { ...before, following: event.following };
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

/** Seq of the first message that is shown; 1 when there is none. */
export function firstSeqOf({ messages }: Pick<Conversation, "messages">): number {
  return messages[0]?.seq ?? 1;
}

/** Seq of the last message that is shown; 0 when there is none. */
export function lastSeqOf({ messages }: Pick<Conversation, "messages">): number {
  return messages.at(-1)?.seq ?? 0;
}

/** Whether messages lie after those that are shown. */
export function hasLater(conversation: Pick<Conversation, "messages" | "head">): boolean {
  return lastSeqOf(conversation) < conversation.head;
}

export interface Range {
  /** Messages with a greater seq … */
  readonly after: number;
  /** … up to this one. */
  readonly to: number;
}

/** The page before the first message that is shown; empty before message 1. */
export function earlierRange(conversation: Pick<Conversation, "messages">): Range {
  const to = firstSeqOf(conversation) - 1;
  return { after: Math.max(0, to - PAGE), to };
}

/** The page after the last message that is shown; empty at the head. */
export function laterRange(conversation: Pick<Conversation, "messages" | "head">): Range {
  const after = lastSeqOf(conversation);
  return { after, to: Math.min(conversation.head, after + PAGE) };
}

/** Where the unread messages begin, as far as that place is shown; null: nowhere. */
export function firstUnreadOf({ messages, unread, userId }: Conversation): number | null {
  if (unread === null || firstSeqOf({ messages }) > unread.readSeq + 1) return null;
  return messages.find(({ seq, sender_id }) => seq > unread.readSeq && sender_id !== userId)?.seq ?? null;
}

function withLive(before: Conversation, messages: readonly Message[]): Conversation {
  const fresh = messages.filter(({ seq }) => seq > before.head);
  const drafts = draftsWritten(before.drafts, new Set(fresh.map(({ sender_id }) => sender_id)));
  const after = { ...noticed(before, fresh, before.head), drafts };
  const contiguous = !hasLater(before) && fresh[0]?.seq === before.head + 1;
  // What a person reads does not give way to what comes below it.
  if (!contiguous || (!before.following && before.messages.length + fresh.length > KEPT)) return after;
  return { ...after, messages: [...before.messages, ...fresh].slice(-KEPT) };
}

/** The head and the unread count after messages were heard of. */
function noticed(before: Conversation, messages: readonly Message[], lastSeq: number): Conversation {
  const head = Math.max(before.head, lastSeq, lastSeqOf({ messages }));
  const { unread, userId } = before;
  if (unread === null) return { ...before, head };
  const others = messages.filter(({ seq, sender_id }) => seq > unread.countedTo && sender_id !== userId);
  const countedTo = Math.max(unread.countedTo, lastSeqOf({ messages }));
  return { ...before, head, unread: { ...unread, count: unread.count + others.length, countedTo } };
}
