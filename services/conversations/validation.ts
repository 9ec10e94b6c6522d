/** @module What callers may send: checks that end in one sentence saying what was wrong. */
import { type ErrorCode, FleetError } from "../../lib/errors.ts";
import { isCallerId, isSessionId, MAX_ID_BYTES } from "../../lib/ids.ts";
import type { JsonObject } from "../../lib/json.ts";

/** Reads fields of an unknown value; every failure is a `FleetError` with the code given. */
export class Fields {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #code: ErrorCode;

  constructor(value: unknown, code: ErrorCode) {
    if (!isObject(value)) throw new FleetError(code, "The body must be a JSON object.");
    this.#value = value;
    this.#code = code;
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined;
  }

  fail(message: string): never {
    throw new FleetError(this.#code, message);
  }

  /** A caller's id. */
  id(name: string): string {
    const value = this.#value[name];
    if (typeof value !== "string") return this.fail(`${name} is required and must be a string.`);
    if (!isCallerId(value)) {
      return this.fail(`${name} must be 1 to ${MAX_ID_BYTES} bytes of text without control characters.`);
    }
    return value;
  }

  optionalId(name: string): string | undefined {
    return this.has(name) ? this.id(name) : undefined;
  }

  /** A session id as a caller may choose it. */
  sessionId(name: string): string {
    const value = this.#value[name];
    if (typeof value !== "string" || !isSessionId(value)) {
      return this.fail(`${name} must be 1 to 64 letters, digits, - or _.`);
    }
    return value;
  }

  object(name: string): JsonObject {
    const value = this.#value[name];
    if (!isObject(value)) return this.fail(`${name} must be a JSON object.`);
    const bad = unstorable(value);
    if (bad) return this.fail(`${name} holds ${bad}, which cannot be stored.`);
    return value;
  }

  /** Text of 1 to `maxBytes` bytes. */
  text(name: string, maxBytes: number): string {
    const value = this.#value[name];
    if (typeof value !== "string" || value.length === 0) {
      return this.fail(`${name} must be a non-empty string.`);
    }
    if (Buffer.byteLength(value) > maxBytes) return this.fail(`${name} must be at most ${maxBytes} bytes.`);
    const bad = unstorable(value);
    if (bad) return this.fail(`${name} holds ${bad}, which cannot be stored.`);
    return value;
  }

  integer(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      return this.fail(`${name} must be a whole number ${range}.`);
    }
    return value;
  }

  optionalInteger(name: string, min: number, max?: number): number | undefined {
    return this.has(name) ? this.integer(name, min, max) : undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Deepest nesting of content and metadata; deeper JSON breaks other programs before it breaks this one. */
const MAX_DEPTH = 200;

/** What in a JSON value Postgres' `jsonb` would refuse or change, as words; null when nothing. */
export function unstorable(value: unknown, depth = 0): string | null {
  if (typeof value === "string") return unstorableText(value);
  // JSON can write 1e400, which no double can hold.
  if (typeof value === "number" && !Number.isFinite(value)) return "a number that is too large";
  if (typeof value !== "object" || value === null) return null;
  if (depth >= MAX_DEPTH) return `more than ${MAX_DEPTH} levels of nesting`;
  if (Array.isArray(value)) {
    for (const item of value) {
      const bad = unstorable(item, depth + 1);
      if (bad) return bad;
    }
    return null;
  }
  for (const [key, item] of Object.entries(value)) {
    const bad = unstorableText(key) ?? unstorable(item, depth + 1);
    if (bad) return bad;
  }
  return null;
}

function unstorableText(text: string): string | null {
  if (text.includes("\u0000")) return "the character U+0000";
  return text.isWellFormed() ? null : "a lone surrogate";
}
