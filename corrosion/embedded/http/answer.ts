/** @module What a route answers: a whole body, or a stream of lines that begins once the head is out. */

export type Answer = WholeAnswer | StreamAnswer;

export interface WholeAnswer {
  readonly kind: "whole";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface StreamAnswer {
  readonly kind: "stream";
  /** For the metrics: what is streamed. */
  readonly source: "queries" | "subscriptions" | "updates";
  readonly headers: Readonly<Record<string, string>>;
  /** Writes the body; the answer ends when it resolves, and is cut off when it rejects. */
  readonly send: (out: Outlet) => Promise<void>;
}

/** One client's stream. */
export interface Outlet {
  /** Resolves when there is room for more; rejects with `ClientGone`. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** Aborted when the client is gone or the agent stops. */
  readonly signal: AbortSignal;
}

export class ClientGone extends Error {
  override name = "ClientGone";
}

/** Plain text, as what comes before a handler answers. */
export function text(status: number, body: string): WholeAnswer {
  const headers: Record<string, string> = body === "" ? {} : { "content-type": "text/plain; charset=utf-8" };
  return { kind: "whole", status, headers, body };
}

/** `body` is JSON text. */
export function json(status: number, body: string): WholeAnswer {
  return { kind: "whole", status, headers: { "content-type": "application/json" }, body };
}

/** The failure of a stream's route, without a content type. */
export function streamError(status: number, message: string): WholeAnswer {
  return { kind: "whole", status, headers: {}, body: JSON.stringify({ error: message }) };
}
