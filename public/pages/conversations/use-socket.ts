/** @module The socket of a user, and the channel of a session on it, by the official client. */
import { Socket } from "phoenix";
import { useEffect, useState } from "preact/hooks";
import type { Message } from "../../../services/conversations/contract.ts";
import { EventBatches } from "../../data/event-batches.ts";
import { toast } from "../../data/toasts.ts";
import { countText } from "../../data/wording.ts";
import type { ConversationEvent } from "./conversation.ts";
import type { DispatchFailed, StreamChunk } from "./drafts.ts";

/** One for the page; it comes back by itself, and ends with the page or another user. */
export function useSocket(userId: string | null): Socket | null {
  const [socket, setSocket] = useState<Socket | null>(null);
  useEffect(() => {
    if (userId === null) return undefined;
    const made = new Socket("/socket", { params: { user_id: userId } });
    made.connect();
    setSocket(made);
    return () => {
      setSocket(null);
      made.disconnect();
    };
  }, [userId]);
  return socket;
}

export interface Listener {
  /** Seq of the newest message that is known of. */
  readonly head: () => number;
  readonly tell: (event: ConversationEvent) => void;
}

/** Reasons that another try does not change. */
const FINAL = new Set(["not found", "unauthorized"]);

/** Joins the session's channel, again after each loss, until the function that it returns is called. */
export function join(socket: Socket, sessionId: string, { head, tell }: Listener): () => void {
  let left = false;
  const lost = () => {
    if (!left) tell({ kind: "lost", at: Date.now() });
  };
  const batches = new EventBatches<ConversationEvent>((events) => tell({ kind: "batch", events }));
  const push = (event: ConversationEvent) => {
    if (!left) batches.push(event);
  };
  // Asked again at each join: what came meanwhile is not sent twice.
  const channel = socket.channel(`session:${sessionId}`, () => ({ last_seq: head() }));
  channel.on("message", (message: Message) => push({ kind: "messages", messages: [message] }));
  channel.on("stream_chunk", (chunk: StreamChunk) => push({ kind: "chunk", chunk }));
  channel.on("dispatch_failed", ({ agent_id, attempts, dispatch_id, reason }: DispatchFailed) => {
    push({ kind: "dispatch_failed", dispatchId: dispatch_id });
    toast.error(`${agent_id} did not answer: ${reason}, ${countText(attempts, "attempt")}`);
  });
  channel.onError(lost);
  channel
    .join()
    .receive("ok", ({ messages }: { readonly messages: readonly Message[] }) => {
      push({ kind: "messages", messages });
      push({ kind: "joined" });
    })
    .receive("error", ({ reason }: { readonly reason: string }) => {
      if (left) return;
      if (!FINAL.has(reason)) return lost();
      leave();
      tell({ kind: "refused", reason });
    })
    .receive("timeout", lost);
  const refs = [socket.onClose(lost), socket.onError(lost)];

  function leave(): void {
    left = true;
    socket.off(refs);
    channel.leave();
  }
  return leave;
}
