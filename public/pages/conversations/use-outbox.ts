/** @module Sends what was written, one after the other, each until it is stored once or refused. */
import { useEffect, useReducer, useRef } from "preact/hooks";
import type { Appended, Message } from "../../../services/conversations/contract.ts";
import { send } from "../../data/api.ts";
import { toast } from "../../data/toasts.ts";
import { nextOf, type Outgoing, outboxAfter } from "./outbox.ts";

export interface Sender {
  readonly sessionId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly onStored: (message: Message) => void;
}

export interface Outbox {
  readonly outgoing: readonly Outgoing[];
  readonly write: (sender: Outgoing["sender"], text: string) => void;
  readonly retry: (key: string) => void;
  readonly discard: (key: string) => void;
}

export function useOutbox(to: Sender): Outbox {
  const [outgoing, tell] = useReducer(outboxAfter, []);
  const latest = useRef(to);
  latest.current = to;
  const gone = useRef(false);
  useEffect(
    () => () => {
      gone.current = true;
    },
    [],
  );

  const next = nextOf(outgoing);
  useEffect(() => {
    if (next === null) return undefined;
    const { key, state } = next;
    if (state.kind === "waiting") {
      const timer = setTimeout(() => tell({ kind: "again", key }), state.delayMs);
      return () => clearTimeout(timer);
    }
    void append(latest.current, next).then(
      ({ deduped, message }) => {
        if (gone.current) return;
        tell({ kind: "done", key });
        latest.current.onStored(message);
        toast.success(deduped ? "Sent; an earlier attempt had stored it already." : "Sent.");
      },
      (error: unknown) => {
        if (!gone.current) tell({ kind: "failed", key, error });
      },
    );
    return undefined;
    // Another attempt is another state of the same message.
  }, [next?.key, next?.state]);

  const failures = outgoing.filter(({ state }) => state.kind === "failed").length;
  const reason = outgoing.findLast(({ state }) => state.kind === "failed")?.state;
  useEffect(() => {
    if (failures > 0 && reason?.kind === "failed") toast.error(`The message was not sent: ${reason.reason}`);
  }, [failures]);

  return {
    outgoing,
    write: (sender, text) => tell({ kind: "written", key: freshKey(), sender, text }),
    retry: (key) => tell({ kind: "retry", key }),
    discard: (key) => tell({ kind: "done", key }),
  };
}

function append({ sessionId, userId, agentId }: Sender, { key, sender, text }: Outgoing): Promise<Appended> {
  return send<Appended>("POST", `/api/sessions/${encodeURIComponent(sessionId)}/messages`, {
    ...(sender === "user" ? { user_id: userId } : { agent_id: agentId }),
    kind: "text",
    content: { text },
    idempotency_key: key,
  });
}

/** `crypto.randomUUID` is only there over HTTPS and on loopback. */
function freshKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
