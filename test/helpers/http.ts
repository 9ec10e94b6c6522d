/** @module The HTTP API as a client uses it. */

import type { Message, ReadResult, Session } from "../../services/conversations/contract.ts";

/** What the API answers, all fields at once: a test reads those that it expects, and fails where they are missing. */
export interface Body {
  readonly session: Session;
  readonly sessions: readonly Session[];
  readonly message: Message;
  readonly messages: readonly Message[];
  readonly deduped: boolean;
  readonly has_more: boolean;
  readonly last_seq: number;
  readonly next_cursor: string | null;
  readonly partial: boolean;
  readonly cursor: ReadResult["cursor"];
  readonly status: string;
  readonly reason: string;
  readonly error: string;
  readonly code: string;
  readonly retry_after_ms: number;
  readonly may_have_committed: boolean;
  readonly errors: { readonly detail: string };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Sends JSON and reads JSON; an empty answer's body is `{}`. Whoever asks a node that may hang gives a signal. */
export async function request(
  base: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
): Promise<Answer> {
  const response = await fetch(new URL(path, base), {
    method,
    signal,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} };
}
