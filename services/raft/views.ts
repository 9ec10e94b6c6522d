/** @module Sessions and messages as callers see them. */

import { isoMicros } from "../../lib/clock.ts";
import type { AppendCommand } from "../../lib/conversation/commands.ts";
import type { SessionState } from "../../lib/conversation/state.ts";
import type { Message, Session } from "../conversations/contract.ts";
import type { HotMessage } from "./hot-messages.ts";

export function sessionView(session: SessionState): Session {
  const failure = session.dispatch.lastFailure;
  return {
    id: session.id,
    user_id: session.user,
    agent_id: session.agent,
    status: session.status,
    metadata: session.metadata,
    inserted_at: isoMicros(session.insertedAt),
    updated_at: isoMicros(session.updatedAt),
    last_seq: session.lastSeq,
    dispatch: {
      state: session.dispatch.state,
      epoch: session.dispatch.epoch,
      last_sent_seq: session.dispatch.lastSentSeq,
      last_failure: failure && {
        dispatch_id: failure.dispatchId,
        reason: failure.reason,
        at: isoMicros(failure.at),
      },
    },
  };
}

/** The message that an append command became at `seq`. */
export function messageView(
  command: Pick<AppendCommand, "id" | "session" | "sender" | "kind" | "content" | "metadata" | "at">,
  seq: number,
): Message {
  return {
    id: command.id,
    session_id: command.session,
    seq,
    sender_id: command.sender,
    kind: command.kind,
    content: command.content,
    metadata: command.metadata,
    inserted_at: isoMicros(command.at),
  };
}

/** The message of an append command as RAM holds it. */
export function hotMessage(command: Pick<AppendCommand, "at" | "key">, message: Message): HotMessage {
  return {
    message,
    at: command.at,
    key: command.key ?? null,
    bytes: Buffer.byteLength(JSON.stringify(message)),
  };
}
