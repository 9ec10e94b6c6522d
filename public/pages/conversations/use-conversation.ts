/** @module An open conversation as a component's state: its newest messages, and all that come. */
import type { Socket } from "phoenix";
import { useEffect, useReducer, useRef } from "preact/hooks";
import type { Message, MessagePage } from "../../../services/conversations/contract.ts";
import { api } from "../../data/api.ts";
import { toast } from "../../data/toasts.ts";
import { DOWN_POLL_MS } from "../../data/use-resource.ts";
import {
  type Conversation,
  type ConversationEvent,
  conversationAfter,
  earlierRange,
  lastSeqOf,
  PAGE,
  UNOPENED,
} from "./conversation.ts";
import { join } from "./use-socket.ts";

export interface OpenConversation extends Conversation {
  readonly tell: (event: ConversationEvent) => void;
  /** The newest messages anew. */
  readonly reload: () => Promise<void>;
  /** Those before the first. */
  readonly earlier: () => Promise<void>;
}

/** The newest messages of a session, and all that come: live, and while that is interrupted by asking every 5 s. */
export function useConversation(socket: Socket | null, sessionId: string): OpenConversation {
  const [conversation, tell] = useReducer(conversationAfter, UNOPENED);
  const latest = useRef(conversation);
  latest.current = conversation;
  const path = `/api/sessions/${encodeURIComponent(sessionId)}/messages`;

  const reload = async () => {
    try {
      tell({ kind: "loaded", page: await api<MessagePage>(`${path}?tail=${PAGE}`) });
    } catch (error) {
      tell({ kind: "load_failed", error: error as Error });
    }
  };
  const earlier = async () => {
    const { after, before } = earlierRange(latest.current);
    const found: Message[] = [];
    try {
      // A page of large messages ends early, and a hole must not be.
      for (let at = after; at < before - 1; ) {
        const { messages } = await api<MessagePage>(`${path}?after_seq=${at}&limit=${before - 1 - at}`);
        if (messages.length === 0) throw new Error("the node has no earlier messages any more");
        found.push(...messages);
        at = found.at(-1)!.seq;
      }
      tell({ kind: "earlier", messages: found });
    } catch (error) {
      toast.error(error);
    }
  };
  useEffect(() => {
    void reload();
  }, []);

  const ready = conversation.load === "ready";
  useEffect(() => {
    if (socket === null || !ready) return undefined;
    return join(socket, sessionId, { lastSeq: () => lastSeqOf(latest.current), tell });
  }, [socket, sessionId, ready]);

  const asking = ready && conversation.link.kind === "reconnecting";
  useEffect(() => {
    if (!asking) return undefined;
    const timer = setInterval(async () => {
      if (document.hidden) return;
      try {
        const page = await api<MessagePage>(`${path}?after_seq=${lastSeqOf(latest.current)}&limit=${PAGE}`);
        tell({ kind: "messages", messages: page.messages });
      } catch {
        // The page says that it is interrupted; the next try may do better.
      }
    }, DOWN_POLL_MS);
    return () => clearInterval(timer);
  }, [asking, path]);

  return { ...conversation, tell, reload, earlier };
}
