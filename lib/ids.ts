/** @module Identifiers: how they are made, checked, and turned into groups and bus subjects. */
import { hash, randomFillSync } from "node:crypto";

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
export function uuidv7(micros: number, random: Uint8Array = freshRandom()): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.floor(micros / 1000), 0, 6);
  const fraction = Math.floor(((micros % 1000) / 1000) * 4096);
  bytes.writeUInt16BE(0x7000 | fraction, 6);
  bytes.set(random.subarray(0, 8), 8);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("base64url");
}

const RANDOM_BYTES = 8;
/** Asking the system for each id would cost more than all the rest of it. */
const pool = Buffer.alloc(512 * RANDOM_BYTES);
let drawn = pool.length;

/** Eight random bytes that nobody had before; valid until the pool is filled again. */
function freshRandom(): Uint8Array {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  drawn += RANDOM_BYTES;
  return pool.subarray(drawn - RANDOM_BYTES, drawn);
}

/** The group that keeps a session: the first four bytes of SHA-256(session id), big-endian, modulo `groups`. */
export function groupOf(sessionId: string, groups: number): number {
  return Number.parseInt(hash("sha256", sessionId).slice(0, 8), 16) % groups;
}

/** `g017`: how a group is written in service names, logs and metrics. */
export function groupName(group: number): string {
  return `g${String(group).padStart(3, "0")}`;
}

/** A token that is safe in a bus subject, whatever the id contains. */
export function subjectToken(id: string): string {
  return hash("sha256", id, "base64url").slice(0, 22);
}

/** Where a session's live events are published. */
export function sessionSubject(sessionId: string): string {
  return `session.${subjectToken(sessionId)}`;
}
