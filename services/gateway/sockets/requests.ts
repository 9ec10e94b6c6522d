/** @module What clients may put into the payloads of `phx_join` and `send`. */
import type { JsonObject } from "../../conversations/contract.ts";

/** Nesting beyond this is an attack on whoever walks over the value; no message needs it. */
const MAX_DEPTH = 512;

/** A refused payload is echoed whole only when its frame is not larger than this, in bytes. */
const MAX_ECHO_BYTES = 16_384;

/** The message of a `send`, with the names that `sessions.messages.append` has. */
export interface SendRequest {
  readonly kind?: string;
  readonly content: JsonObject;
  readonly metadata?: JsonObject;
  readonly idempotency_key?: string;
  readonly expected_seq?: number;
}

export type ParsedSend =
  | { readonly ok: true; readonly message: SendRequest }
  /** The response of the error reply. */
  | { readonly ok: false; readonly response: JsonObject };

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Where the client says that it stands: `last_seq` as an integer or numeric string, 0 for anything else. */
export function lastSeqOf(payload: unknown): number {
  if (!isObject(payload)) return 0;
  const { last_seq: value } = payload;
  // JSON has numbers beyond every double; they arrive as Infinity and are "too high", not invalid.
  const whole =
    typeof value === "number"
      ? Number.isInteger(value) || value === Number.POSITIVE_INFINITY
      : typeof value === "string" && /^\d+$/.test(value);
  return whole ? Math.min(Math.max(Number(value), 0), Number.MAX_SAFE_INTEGER) : 0;
}

/** Whether arrays and objects are nested deeper than `limit`; without recursion, because the value may be hostile. */
function isDeeperThan(root: unknown, limit: number): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      for (const child of Object.values(value)) {
        if (typeof child === "object" && child !== null) next.push(child);
      }
    }
    level = next;
  }
  return false;
}

/** The message that a `send` carries, or what is wrong with its shape, in one sentence. */
function messageOf(payload: unknown): SendRequest | string {
  if (!isObject(payload)) return "the payload must be an object";
  const { content: message, idempotency_key, expected_seq } = payload;
  if (!isObject(message)) return "content must be an object with kind, content and metadata";
  const { kind, content, metadata } = message;
  if (!isObject(content)) return "content.content must be an object";
  if (kind !== undefined && (typeof kind !== "string" || kind === "")) {
    return "content.kind must be a non-empty string";
  }
  if (metadata !== undefined && !isObject(metadata)) return "content.metadata must be an object";
  if (idempotency_key !== undefined && typeof idempotency_key !== "string") {
    return "idempotency_key must be a string";
  }
  if (expected_seq !== undefined && (typeof expected_seq !== "number" || !isSeq(expected_seq))) {
    return "expected_seq must be an integer from 0";
  }
  return { kind, content, metadata, idempotency_key, expected_seq };
}

function isSeq(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Reads the payload of a `send` that came in a frame of `bytes` bytes. */
export function parseSend(payload: unknown, bytes: number): ParsedSend {
  // Each level takes two bytes of the frame, so a short one needs no walk.
  const tooDeep = bytes > 2 * MAX_DEPTH && isDeeperThan(payload, MAX_DEPTH);
  const message = tooDeep ? `nested deeper than ${MAX_DEPTH} levels` : messageOf(payload);
  if (typeof message !== "string") return { ok: true, message };
  const received = tooDeep || bytes > MAX_ECHO_BYTES ? `a frame of ${bytes} bytes` : payload;
  return { ok: false, response: { error: "invalid_message_format", details: message, received } };
}
