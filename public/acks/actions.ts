/** @module What a person sets off: a message, a drill over the bus, a reset; and how each is told. */
import type { AckStatus, SentMessage } from "../../services/acks/contract.ts";
import { api, send } from "../data/api.ts";
import { ApiError } from "../data/api-error.ts";
import { tell, toast } from "../data/toasts.ts";

/** The node itself waits up to 10 s for its agent, and for a sign of what the agent did not answer. */
const SEND_TIMEOUT_MS = 20_000;

export type SendOutcome =
  | { readonly kind: "sent" }
  /** `problem`: what is wrong with the content, for the field; null: it is not the content. */
  | { readonly kind: "failed"; readonly problem: string | null };

export async function sendMessage(content: string): Promise<SendOutcome> {
  try {
    const { message } = await api<{ readonly message: SentMessage }>("/api/messages/send", {
      method: "POST",
      body: { content },
      timeoutMs: SEND_TIMEOUT_MS,
    });
    toast.success(`Sent ${message.pk}.`);
    return { kind: "sent" };
  } catch (error) {
    toast.error(`${headOf(error, "message")}: ${error instanceof Error ? error.message : String(error)}`);
    return { kind: "failed", problem: error instanceof ApiError ? (error.fields.content ?? null) : null };
  }
}

/** A message over the bus alone, which everybody acknowledges as one that came by gossip. */
export async function sendDrill(): Promise<void> {
  try {
    const { request_id } = await send<{ readonly request_id: string }>("POST", "/api/acks/drill");
    toast.success(`Sent ${request_id} over the bus.`);
  } catch (error) {
    toast.error(`${headOf(error, "drill")}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export async function resetTracking(): Promise<void> {
  await tell(() => send<AckStatus>("POST", "/api/acks/reset"), {
    done: "Tracking is reset. What is under way still counts.",
    failed: "Tracking was not reset",
  });
}

/** Without an answer nobody knows whether it went out: saying that it did not would be a guess. */
function headOf(error: unknown, what: "message" | "drill"): string {
  const unknown = error instanceof ApiError && ["timeout", "unreachable"].includes(error.code);
  return unknown ? `The ${what} may have been sent or not` : `The ${what} was not sent`;
}
