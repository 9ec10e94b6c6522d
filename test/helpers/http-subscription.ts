/** @module Subscriptions of an agent over HTTP, for the strict client that keeps a local table. */
import assert from "node:assert/strict";
import type { Attachment, Sink } from "../../corrosion/embedded/subscriptions/contract.ts";

/**
 * Opens a new subscription, or one by its id behind the last change; null when there is none (any more). Throws the
 * connection's error. What follows it is told the end of the stream however that came.
 */
export async function httpSubscription(
  api: string,
  which: { readonly sql: string } | { readonly id: string; readonly from: number },
): Promise<Attachment | null> {
  const stop = new AbortController();
  const init = { method: "POST", headers: { "content-type": "application/json" }, signal: stop.signal };
  const response =
    "sql" in which
      ? await fetch(`${api}/v1/subscriptions`, { ...init, body: JSON.stringify(which.sql) })
      : await fetch(`${api}/v1/subscriptions/${which.id}?from=${which.from}`, { signal: stop.signal });
  if (response.status === 404 && "id" in which) return null;
  assert.equal(response.status, 200);
  return {
    id: response.headers.get("corro-query-id") ?? "",
    hash: response.headers.get("corro-query-hash") ?? "",
    follow: (sink) => {
      void pass(response, sink);
      return { close: () => stop.abort() };
    },
  };
}

/** Whole lines only: the last one of a process that was killed may be cut. */
async function pass(response: Response, sink: Sink): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      if (end === 0) continue;
      await sink.write(text.slice(0, end));
      text = text.slice(end);
    }
  } catch {
    // The agent was killed, or nobody wants it any more.
  }
  sink.end();
}
