/** @module One acknowledgement by hand, with whatever its originator answers. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
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
export async function probe(given: ProbeRequest): Promise<Probed> {
  const { ackNodeId: ack_node_id, endpoint, pk, receiptTimestamp: receipt_timestamp, token } = given;
  const drill = DRILL.test(pk);
  const path = drill ? "acknowledge_pubsub" : "acknowledge";
  const began = performance.now();
  const probed = (status: number | null, answer: string): Probed => ({
    endpoint,
    status,
    answer: answer.slice(0, MAX_ANSWER),
    elapsed_ms: Math.round((performance.now() - began) * 1000) / 1000,
  });
  const headers = {
    "content-type": "application/json",
    ...(token !== null && { "x-fleetport-token": token }),
  };
  const body = JSON.stringify({ [drill ? "request_id" : "message_pk"]: pk, ack_node_id, receipt_timestamp });
  try {
    const { status, text } = await post(`http://${endpoint}/api/${path}`, headers, body);
    return probed(status, text);
  } catch (error) {
    return probed(null, error instanceof Error ? error.message : String(error));
  }
}

/** Not `fetch`, which refuses ports that browsers keep away from. */
async function post(url: string, headers: Readonly<Record<string, string>>, body: string) {
  const signal = AbortSignal.timeout(PROBE_MS);
  const sent = request(url, { method: "POST", headers, agent: false, signal }).end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text += chunk;
    if (text.length >= MAX_ANSWER) break;
  }
  return { status: response.statusCode ?? null, text };
}
