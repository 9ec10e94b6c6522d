/** @module The messages on their way in a session, as a component's state. */
import { useEffect, useRef } from "preact/hooks";
import type { Message } from "../../../services/conversations/contract.ts";
import { Delivery } from "./delivery.ts";
import type { Outgoing } from "./outbox.ts";

export interface Outbox {
  readonly outgoing: readonly Outgoing[];
  readonly write: (written: Pick<Outgoing, "sender" | "senderId" | "text" | "after">) => void;
  readonly retry: (key: string) => void;
  readonly discard: (key: string) => void;
}

/** Of sessions that are open, or whose messages are not all stored yet; by user and session. */
const deliveries = new Map<string, Delivery>();

/** What was written stays, and goes on being sent, when another session or page is opened meanwhile. */
export function useOutbox(userId: string, sessionId: string, onStored: (message: Message) => void): Outbox {
  const place = JSON.stringify([userId, sessionId]);
  const delivery = deliveries.get(place) ?? new Delivery(sessionId);
  deliveries.set(place, delivery);
  const latest = useRef(onStored);
  latest.current = onStored;
  useEffect(() => {
    delivery.onStored = (message) => latest.current(message);
    return () => {
      delivery.onStored = null;
      if (delivery.outgoing.value.length === 0) deliveries.delete(place);
    };
  }, [delivery, place]);
  return {
    outgoing: delivery.outgoing.value,
    write: (written) => delivery.happens({ kind: "written", key: freshKey(), ...written }),
    retry: (key) => delivery.happens({ kind: "retry", key }),
    discard: (key) => delivery.happens({ kind: "done", key }),
  };
}

/** `crypto.randomUUID` is only there over HTTPS and on loopback. */
function freshKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
