/** @module One acknowledgement by hand, with whatever its originator answers. */
import type { Probed } from "../contract.ts";

const PROBE_MS = 5000;
const MAX_ANSWER = 500;
/** Drills have ids of their own (contract corroport, section 4). */
const DRILL = /^pubsub_/;

export interface ProbeRequest {
  readonly endpoint: string;
  readonly pk: string;
  readonly ackNodeId: string;
  readonly receiptTimestamp: string;
  /** Null: none is sent. */
  readonly token: string | null;
}

/** Never rejects: why there was no answer stands in the result. */
export async function probe(request: ProbeRequest): Promise<Probed> {
  const { ackNodeId: ack_node_id, endpoint, pk, receiptTimestamp: receipt_timestamp, token } = request;
  const drill = DRILL.test(pk);
  const path = drill ? "acknowledge_pubsub" : "acknowledge";
  const began = performance.now();
  const probed = (status: number | null, answer: string): Probed => ({
    endpoint,
    status,
    answer: answer.slice(0, MAX_ANSWER),
    elapsed_ms: Math.round((performance.now() - began) * 1000) / 1000,
  });
  try {
    const response = await fetch(`http://${endpoint}/api/${path}`, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.timeout(PROBE_MS),
      headers: {
        "content-type": "application/json",
        ...(token !== null && { "x-fleetport-token": token }),
      },
      body: JSON.stringify({ [drill ? "request_id" : "message_pk"]: pk, ack_node_id, receipt_timestamp }),
    });
    return probed(response.status, await response.text());
  } catch (error) {
    return probed(null, reasonOf(error));
  }
}

/** `fetch` says only that it failed; why stands in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
