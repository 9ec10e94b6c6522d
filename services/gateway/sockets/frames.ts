/** @module The Phoenix Channels V2 JSON frame: `[join_ref, ref, topic, event, payload]` as text. */
import { isUtf8 } from "node:buffer";

/** What a client numbers its joins and pushes with; echoed as it came. */
export type Ref = string | number | null;

export interface Frame {
  readonly joinRef: Ref;
  readonly ref: Ref;
  readonly topic: string;
  readonly event: string;
  /** Any JSON value: nothing is known of it yet. */
  readonly payload: unknown;
  /** Length of the frame as it came over the wire. */
  readonly bytes: number;
}

/** The join that a frame belongs to and its topic, both as JSON, made once per channel. */
export interface Address {
  readonly joinRef: string;
  readonly topic: string;
}

/** A join_ref is repeated in every push of its channel, so a long one would cost its sender's peers. */
const MAX_REF_LENGTH = 256;

function isRef(value: unknown): value is Ref {
  if (value === null) return true;
  if (typeof value === "string") return value.length <= MAX_REF_LENGTH;
  return typeof value === "number" && Number.isFinite(value);
}

/** Reads a text frame; null when it is not one (not UTF-8, not JSON, another shape): the socket must close. */
export function decodeFrame(data: Buffer): Frame | null {
  if (!isUtf8(data)) return null;
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length !== 5) return null;
  const [joinRef, ref, topic, event, payload]: unknown[] = value;
  if (!isRef(joinRef) || !isRef(ref) || typeof topic !== "string" || typeof event !== "string") return null;
  return { joinRef, ref, topic, event, payload, bytes: data.length };
}

export function addressOf(joinRef: Ref, topic: string): Address {
  return { joinRef: JSON.stringify(joinRef), topic: JSON.stringify(topic) };
}

/** A reply to the push numbered `ref`; `response` is JSON. */
export function replyFrame(to: Address, ref: Ref, status: "ok" | "error", response: string): string {
  return `[${to.joinRef},${JSON.stringify(ref)},${to.topic},"phx_reply",{"status":"${status}","response":${response}}]`;
}

/** Everything of a push before its payload: JSON and `PUSH_END` complete it, so that a payload is made once for all channels. */
export function pushStart(to: Address, event: string): string {
  return `[${to.joinRef},null,${to.topic},${JSON.stringify(event)},`;
}
export const PUSH_END = "]";

/** Ends a channel: the client forgets it and does not join again by itself. As in Phoenix, the ref is the join's. */
export function closeFrame(to: Address): string {
  return `[${to.joinRef},${to.joinRef},${to.topic},"phx_close",{}]`;
}
