/** @module Messages on their way: each has a key, with which it is sent until it is stored once, or refused. Pure. */
import type { Message } from "../../../services/conversations/contract.ts";
import { ApiError } from "../../data/api-error.ts";

export interface Outgoing {
  /** The idempotency key: the same in every attempt, so that the message is stored once. */
  readonly key: string;
  readonly sender: "user" | "agent";
  readonly senderId: string;
  readonly text: string;
  /** Seq of the newest message when it was written. */
  readonly after: number;
  /** Attempts that failed. */
  readonly attempts: number;
  readonly state: OutgoingState;
}

export type OutgoingState =
  | { readonly kind: "sending" }
  | { readonly kind: "waiting"; readonly reason: string; readonly delayMs: number }
  /** A person may try again, with the same key, unless the node will always refuse it. */
  | { readonly kind: "failed"; readonly reason: string; readonly final: boolean };

export type OutboxEvent =
  | ({ readonly kind: "written" } & Omit<Outgoing, "attempts" | "state">)
  | { readonly kind: "again"; readonly key: string }
  | { readonly kind: "retry"; readonly key: string }
  | { readonly kind: "failed"; readonly key: string; readonly error: unknown }
  | { readonly kind: "done"; readonly key: string };

/** Attempts before a person has to decide; about 10 s of waiting. */
export const ATTEMPTS = 6;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5000;

export function outboxAfter(outbox: readonly Outgoing[], event: OutboxEvent): readonly Outgoing[] {
  switch (event.kind) {
    case "written": {
      const { kind: _, ...written } = event;
      return [...outbox, { ...written, attempts: 0, state: { kind: "sending" } }];
    }
    case "done":
      return outbox.filter(({ key }) => key !== event.key);
    case "again":
      return changed(outbox, event.key, (out) => ({ ...out, state: { kind: "sending" } }));
    case "retry": {
      // At the end: what is on its way now goes on undisturbed.
      const retried = outbox.filter(({ key }) => key === event.key);
      const others = outbox.filter(({ key }) => key !== event.key);
      return [
        ...others,
        ...retried.map((out) => ({ ...out, attempts: 0, state: { kind: "sending" } as const })),
      ];
    }
    case "failed":
      return changed(outbox, event.key, (out) => afterFailure(out, event.error));
  }
}

/** The one that goes out next: one at a time, in the order in which they were written. Null: none. */
export function nextOf(outbox: readonly Outgoing[]): Outgoing | null {
  return outbox.find(({ state }) => state.kind !== "failed") ?? null;
}

/**
 * Those that are to be shown below the messages. One that is under way often comes as a message before its own answer
 * does; it is not shown a second time meanwhile. A message does not tell its key: what is told by is who wrote it, when
 * and what. One that failed is always shown, for a person has to decide.
 */
export function outgoingBeside(
  outbox: readonly Outgoing[],
  messages: readonly Message[],
): readonly Outgoing[] {
  const taken = new Set<number>();
  return outbox.filter(({ after, senderId, state, text }) => {
    if (state.kind === "failed") return true;
    const message = messages.find(
      (one) =>
        one.seq > after && !taken.has(one.seq) && one.sender_id === senderId && one.content.text === text,
    );
    if (message !== undefined) taken.add(message.seq);
    return message === undefined;
  });
}

/** Whether the same request may have another outcome later; with its key it does no harm. */
export function isPassing(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

function afterFailure(out: Outgoing, error: unknown): Outgoing {
  const reason = error instanceof Error ? error.message : String(error);
  const attempts = out.attempts + 1;
  if (!isPassing(error)) return { ...out, attempts, state: { kind: "failed", reason, final: true } };
  if (attempts >= ATTEMPTS) return { ...out, attempts, state: { kind: "failed", reason, final: false } };
  const asked = error instanceof ApiError ? error.retryAfterMs : null;
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** (attempts - 1), LONGEST_DELAY_MS);
  const delayMs = Math.min(Math.max(asked ?? 0, backoff), LONGEST_DELAY_MS);
  return { ...out, attempts, state: { kind: "waiting", reason, delayMs } };
}

function changed(
  outbox: readonly Outgoing[],
  key: string,
  change: (out: Outgoing) => Outgoing,
): readonly Outgoing[] {
  return outbox.map((out) => (out.key === key ? change(out) : out));
}
