/** @module How far the user has read a session: asked of the node, and moved when the person says so. */
import { useEffect } from "preact/hooks";
import type { ReadResult } from "../../../services/conversations/contract.ts";
import { send } from "../../data/api.ts";
import type { OpenConversation } from "./use-conversation.ts";

/**
 * Keeps the conversation's unread count; returns what marks everything up to a seq as read. `known`: the session is
 * there, and the user's. After each join it is asked anew, for another window may have read on.
 */
export function useReadCursor(
  { link, tell, userId }: OpenConversation,
  sessionId: string,
  known: boolean,
): (seq: number) => Promise<ReadResult> {
  async function mark(seq: number): Promise<ReadResult> {
    const path = `/api/sessions/${encodeURIComponent(sessionId)}/read`;
    const result = await send<ReadResult>("POST", path, { user_id: userId, last_seq: seq });
    const { cursor, session } = result;
    tell({ kind: "read", readSeq: cursor.last_seq, count: cursor.unread_count, lastSeq: session.last_seq });
    return result;
  }
  const live = link.kind === "live";
  useEffect(() => {
    // A mark at 0 moves nothing, for the cursor never goes back. Without an answer nothing counts as unread, and the
    // session's own error is on the page.
    if (known) mark(0).catch(() => {});
  }, [known, live]);
  return mark;
}
