/** @module Messages on their way: each has a key, with which it is sent until it is stored once, or refused. Pure. */
import { ApiError } from "../../data/api-error.ts";

export interface Outgoing {
  /** The idempotency key: the same in every attempt, so that the message is stored once. */
  readonly key: string;
  readonly sender: "user" | "agent";
  readonly text: string;
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
  | {
      readonly kind: "written";
      readonly key: string;
      readonly sender: Outgoing["sender"];
      readonly text: string;
    }
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
      const { key, sender, text } = event;
      return [...outbox, { key, sender, text, attempts: 0, state: { kind: "sending" } }];
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
