/** @module Sends what was written in a session, one after the other, each until it is stored once or refused. */
import { signal } from "@preact/signals";
import type { Appended, Message } from "../../../services/conversations/contract.ts";
import { send } from "../../data/api.ts";
import { toast } from "../../data/toasts.ts";
import { nextOf, type OutboxEvent, type Outgoing, outboxAfter } from "./outbox.ts";

/** Goes on whichever session, or page, is open; it ends when there is nothing left to send. */
export class Delivery {
  readonly outgoing = signal<readonly Outgoing[]>([]);
  /** Told of each message that is stored while the session is open. */
  onStored: ((message: Message) => void) | null = null;
  readonly #path: string;
  #running = false;

  constructor(sessionId: string) {
    this.#path = `/api/sessions/${encodeURIComponent(sessionId)}/messages`;
  }

  happens(event: OutboxEvent): void {
    this.outgoing.value = outboxAfter(this.outgoing.value, event);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#next(); next !== null; next = this.#next()) {
      if (next.state.kind === "waiting") await this.#wait(next.key, next.state.delayMs);
      else await this.#attempt(next);
    }
    this.#running = false;
  }

  #next(): Outgoing | null {
    return nextOf(this.outgoing.value);
  }

  async #wait(key: string, delayMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    this.happens({ kind: "again", key });
  }

  async #attempt({ key, sender, senderId, text }: Outgoing): Promise<void> {
    try {
      const { deduped, message } = await send<Appended>("POST", this.#path, {
        ...(sender === "user" ? { user_id: senderId } : { agent_id: senderId }),
        kind: "text",
        content: { text },
        idempotency_key: key,
      });
      this.happens({ kind: "done", key });
      this.onStored?.(message);
      toast.success(deduped ? "Sent; an earlier attempt had stored it already." : "Sent.");
    } catch (error) {
      this.happens({ kind: "failed", key, error });
      const state = this.outgoing.value.find((out) => out.key === key)?.state;
      if (state?.kind === "failed") toast.error(`The message was not sent: ${state.reason}`);
    }
  }
}
