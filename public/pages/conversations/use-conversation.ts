/** @module An open conversation as a component's state: what is shown of it, and all that comes. */
import type { Socket } from "phoenix";
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Message, MessagePage } from "../../../services/conversations/contract.ts";
import { api } from "../../data/api.ts";
import { toast } from "../../data/toasts.ts";
import { DOWN_POLL_MS } from "../../data/use-resource.ts";
import {
  type Conversation,
  type ConversationEvent,
  conversationAfter,
  earlierRange,
  hasLater,
  laterRange,
  PAGE,
  type Range,
  unopened,
} from "./conversation.ts";
import { join } from "./use-socket.ts";

export interface OpenConversation extends Conversation {
  readonly tell: (event: ConversationEvent) => void;
  /** The newest messages anew, in sight. */
  readonly newest: () => Promise<void>;
  /** Those before the first, and those after the last that is shown; nothing while some are being fetched. */
  readonly earlier: () => Promise<void>;
  readonly later: () => Promise<void>;
  readonly busy: "earlier" | "later" | null;
  /** The last of these requests failed: the next is for a person to make. */
  readonly stuck: boolean;
}

/** The newest messages of a session, and all that come: live, and while that is interrupted by asking every 5 s. */
export function useConversation(socket: Socket | null, userId: string, sessionId: string): OpenConversation {
  const [conversation, tell] = useReducer(conversationAfter, unopened(userId));
  const latest = useRef(conversation);
  latest.current = conversation;
  const path = `/api/sessions/${encodeURIComponent(sessionId)}/messages`;
  const { busy, stuck, unstick, fetchRange } = useRanges(path, tell);

  const newest = async () => {
    if (latest.current.load === "ready" && !hasLater(latest.current)) {
      return tell({ kind: "following", following: true });
    }
    try {
      tell({ kind: "loaded", page: await api<MessagePage>(`${path}?tail=${PAGE}`) });
      unstick();
    } catch (error) {
      if (latest.current.load === "ready") toast.error(error);
      tell({ kind: "load_failed", error: error as Error });
    }
  };
  const earlier = () => fetchRange("earlier", earlierRange(latest.current));
  const later = () => fetchRange("later", laterRange(latest.current));
  useEffect(() => {
    void newest();
  }, []);

  // More came while the newest were fetched.
  const behind = conversation.following && conversation.load === "ready" && hasLater(conversation);
  useEffect(() => {
    // While others are being fetched it could do nothing; it is asked again when those are there.
    if (behind && busy === null && !stuck) void later();
  }, [behind, busy, stuck, conversation.messages]);

  const ready = conversation.load === "ready";
  useEffect(() => {
    if (socket === null || !ready) return undefined;
    return join(socket, sessionId, { head: () => latest.current.head, tell });
  }, [socket, sessionId, ready]);

  const asking = ready && conversation.link.kind === "reconnecting";
  useEffect(() => {
    if (!asking) return undefined;
    const timer = setInterval(async () => {
      if (document.hidden) return;
      try {
        const page = await api<MessagePage>(`${path}?after_seq=${latest.current.head}&limit=${PAGE}`);
        tell({ kind: "messages", messages: page.messages });
      } catch {
        // The page says that it is interrupted; the next try may do better.
      }
    }, DOWN_POLL_MS);
    return () => clearInterval(timer);
  }, [asking, path]);

  return { ...conversation, tell, newest, earlier, later, busy, stuck };
}

type Direction = "earlier" | "later";

interface Ranges {
  readonly busy: Direction | null;
  readonly stuck: boolean;
  /** A person went on by other means. */
  readonly unstick: () => void;
  readonly fetchRange: (direction: Direction, range: Range) => Promise<void>;
}

/** Fetches parts of a session, one at a time. */
function useRanges(path: string, tell: (event: ConversationEvent) => void): Ranges {
  const [busy, setBusy] = useState<Direction | null>(null);
  const [stuck, setStuck] = useState(false);
  const running = useRef(false);
  async function fetchRange(direction: Direction, { after, to }: Range): Promise<void> {
    if (running.current || after >= to) return;
    running.current = true;
    setBusy(direction);
    try {
      tell({ kind: direction, messages: await messagesOf(path, { after, to }) });
      setStuck(false);
    } catch (error) {
      setStuck(true);
      toast.error(error);
    }
    running.current = false;
    setBusy(null);
  }
  return { busy, stuck, unstick: () => setStuck(false), fetchRange };
}

/** Messages after one seq up to another, all of them: a page of large messages ends early. */
async function messagesOf(path: string, { after, to }: Range): Promise<readonly Message[]> {
  const found: Message[] = [];
  for (let at = after; at < to; at = found.at(-1)!.seq) {
    const { messages } = await api<MessagePage>(`${path}?after_seq=${at}&limit=${to - at}`);
    if (messages.length === 0) throw new Error("the node does not have these messages any more");
    found.push(...messages);
  }
  return found;
}
