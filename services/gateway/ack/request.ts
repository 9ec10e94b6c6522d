/** @module What a receiver posts to the ack API, read strictly, and how it is answered (contract corroport, section 4). */
import { isoMicros, microsOf, type Timestamp } from "../../../lib/clock.ts";
import type { Acknowledged, Transport } from "../../acks/contract.ts";
import type { Answer } from "../answer.ts";

const MAX_ID_BYTES = 512;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** One of the two ways in: what it calls a message, and which messages come by it. */
export interface Way {
  readonly transport: Transport;
  readonly key: "message_pk" | "request_id";
}

export const GOSSIP: Way = { transport: "gossip", key: "message_pk" };
export const PUBSUB: Way = { transport: "pubsub", key: "request_id" };

export interface AckRequest {
  readonly pk: string;
  readonly ackNodeId: string;
  readonly receiptTimestamp: Timestamp | null;
}

/** A body that cannot be taken; the message is one sentence. */
export class BadAck extends Error {
  override name = "BadAck";
}

/** Reads the body. Throws `BadAck`. */
export function readAck({ key }: Way, body: unknown): AckRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new BadAck("the body must be a JSON object");
  }
  const fields = body as Readonly<Record<string, unknown>>;
  // A time that is not used has to be one all the same: its sender means something by it.
  readTime(fields, "timestamp");
  return {
    pk: readId(fields, key),
    ackNodeId: readId(fields, "ack_node_id"),
    receiptTimestamp: readTime(fields, "receipt_timestamp"),
  };
}

function readId(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined) throw new BadAck(`${name} is required`);
  if (typeof value !== "string" || value === "") throw new BadAck(`${name} must be a text`);
  if (Buffer.byteLength(value) > MAX_ID_BYTES) throw new BadAck(`${name} has over ${MAX_ID_BYTES} bytes`);
  return value;
}

function readTime(fields: Readonly<Record<string, unknown>>, name: string): Timestamp | null {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null) return null;
  const micros = typeof value === "string" ? timeOf(value) : null;
  if (micros === null) throw new BadAck(`${name} must be a time in ISO 8601, such as ${isoMicros(0)}`);
  return isoMicros(micros);
}

function timeOf(text: string): number | null {
  const exact = microsOf(text);
  if (exact !== null || !ISO.test(text)) return exact;
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? null : millis * 1000;
}

/** The answer to an acknowledgement that the tracker took, or knew no item for. */
export function ackAnswer({ key }: Way, request: AckRequest, { late, outcome }: Acknowledged): Answer {
  const { ackNodeId, pk, receiptTimestamp } = request;
  if (outcome === "unknown") {
    return answer(404, { error: "no such message is tracked on this node", [key]: pk });
  }
  const message =
    outcome === "repeated"
      ? "this node had acknowledged it before"
      : late
        ? "acknowledged, after the deadline"
        : "acknowledged";
  return answer(200, {
    status: "acknowledged",
    message,
    ack_node_id: ackNodeId,
    [key]: pk,
    ...(key === "request_id" && { receipt_timestamp: receiptTimestamp }),
  });
}

/** `{error}`, with what else there is to say. */
export function refusal(status: number, error: string, more: object = {}): Answer {
  return answer(status, { error, ...more });
}

/** Machines ask; no page of a browser has any business here. */
export function answer(status: number, body: object): Answer {
  return { status, body, readableBy: null };
}
