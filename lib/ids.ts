/** @module Identifiers: how they are made, checked, and turned into groups and bus subjects. */
import { createHash, randomBytes } from "node:crypto";

/** Longest caller-given id, in bytes of UTF-8. */
export const MAX_ID_BYTES = 255;

const SESSION_ID = /^[\w-]{1,64}$/;
const CONTROL = /\p{Cc}/u;

/** Whether a caller may use this as a session id: 1..64 of `A-Z a-z 0-9 _ -`. */
export function isSessionId(value: string): boolean {
  return SESSION_ID.test(value);
}

/** Whether a caller may use this as any other id: 1..255 bytes, well-formed, no control characters. */
export function isCallerId(value: string): boolean {
  return (
    value.length > 0 &&
    value.isWellFormed() &&
    !CONTROL.test(value) &&
    Buffer.byteLength(value) <= MAX_ID_BYTES
  );
}

/**
 * A UUIDv7 (RFC 9562, section 5.7) as 22 base64url characters, opaque to callers.
 * `micros` is the time in microseconds since 1970; its fraction of a millisecond fills `rand_a` (method 3).
 */
export function uuidv7(micros: number, random: Uint8Array = randomBytes(10)): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.floor(micros / 1000), 0, 6);
  const fraction = Math.floor(((micros % 1000) / 1000) * 4096);
  bytes.writeUInt16BE(0x7000 | fraction, 6);
  bytes.set(random.subarray(0, 8), 8);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("base64url");
}

/** The group that keeps a session: the first four bytes of SHA-256(session id), big-endian, modulo `groups`. */
export function groupOf(sessionId: string, groups: number): number {
  return createHash("sha256").update(sessionId).digest().readUInt32BE(0) % groups;
}

/** `g017`: how a group is written in service names, logs and metrics. */
export function groupName(group: number): string {
  return `g${String(group).padStart(3, "0")}`;
}

/** A token that is safe in a bus subject, whatever the id contains. */
export function subjectToken(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 22);
}

/** Where a session's live events are published. */
export function sessionSubject(sessionId: string): string {
  return `session.${subjectToken(sessionId)}`;
}
