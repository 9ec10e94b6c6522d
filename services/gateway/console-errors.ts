/** @module Failures of the console's routes in the console's two forms (contract corroport, section 6). */
import { Errors } from "moleculer";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { errorCode } from "../../lib/errors.ts";
import type { Answer } from "./answer.ts";

/** What was wrong with a body or a query, by field, a sentence each. */
export type Fields = Readonly<Record<string, string>>;

/** The console refuses what was asked; the room's own failures look the same to a caller. */
export class ConsoleRefused extends Error {
  override name = "ConsoleRefused";
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** `{"status":"error",code,error,timestamp}`. */
export function consoleAnswer(status: number, code: string, error: string): Answer {
  return { status, body: { status: "error", code, error, timestamp: isoMicros(systemClock()) } };
}

/** The same failure as `{error}` alone, in one sentence. */
export function plainAnswer(answer: Answer): Answer {
  return { ...answer, body: { error: sentenceOf(answer.body) } };
}

function sentenceOf(body: Answer["body"]): string {
  if (typeof body !== "object" || body === null) return "the request failed";
  if ("error" in body && typeof body.error === "string") return body.error;
  const fields = "fields" in body && typeof body.fields === "object" ? Object.entries(body.fields ?? {}) : [];
  // These two name no field: the text says what is meant.
  const whole = new Set(["query", "body"]);
  const texts = fields.map(([name, text]) => (whole.has(name) ? String(text) : `${name} ${text}`));
  return texts.join("; ") || "the request cannot be taken";
}

/** A body or query that cannot be taken. */
export function badRequest(fields: Fields): Answer {
  return { status: 400, body: { errors: { detail: "Bad Request" }, fields } };
}

/** A failure that only the console's routes can have; null when it is none of those that are foreseen here. */
export function consoleFailure(error: Error): Answer | null {
  if (error instanceof ConsoleRefused) {
    return { ...consoleAnswer(error.status, error.code, error.message), headers: error.headers };
  }
  if (error instanceof Errors.ValidationError) return badRequest(fieldsOfValidation(error.data));
  if (errorCode(error) === "invalid_parameter") return badRequest({ query: error.message });
  const code = errorCode(error);
  if (code !== null && "code" in error) return consoleAnswer(Number(error.code), code, error.message);
  return failureOfRoom(error);
}

/** Not `instanceof`: rooms do not know each other's classes, and an error from the bus has none. */
function failureOfRoom(error: Error): Answer | null {
  if (error.name !== "CorrosionError" || !("type" in error) || !("code" in error)) return null;
  const { type, code, message } = error;
  if (typeof type !== "string" || typeof code !== "number" || code < 400 || code > 599) return null;
  if (type !== "invalid_request") return consoleAnswer(code, type, message);
  const fields = "data" in error ? fieldsOfData(error.data) : {};
  return badRequest(Object.keys(fields).length > 0 ? fields : { body: message });
}

function fieldsOfData(data: unknown): Fields {
  if (typeof data !== "object" || data === null || !("fields" in data)) return {};
  const { fields } = data;
  if (typeof fields !== "object" || fields === null) return {};
  return Object.fromEntries(Object.entries(fields).filter(([, text]) => typeof text === "string"));
}

/** What the validator of the bus calls a problem, in the words that the rooms use themselves. */
const WORDS: Readonly<Record<string, (expected: unknown) => string>> = {
  required: () => "is required",
  string: () => "must be a text",
  stringEmpty: () => "must not be empty",
  stringMin: (least) => `must have at least ${least} characters`,
  stringMax: (most) => `must have at most ${most} characters`,
  number: () => "must be a number",
  numberInteger: () => "must be a whole number",
  numberMin: (least) => `must be at least ${least}`,
  numberMax: (most) => `must be at most ${most}`,
  boolean: () => "must be true or false",
  object: () => "must be an object",
  array: () => "must be a list",
  enumValue: (values) => `must be one of ${values}`,
};

/** Of a field that may be of several types, each is a problem of its own. */
const TYPES: ReadonlySet<string> = new Set(["string", "number", "boolean", "object", "array"]);

/** What Moleculer's validator found, a sentence a field: the first that was wrong, or all types that it may have. */
function fieldsOfValidation(data: unknown): Fields {
  const problems = (Array.isArray(data) ? data : []) as readonly FoundProblem[];
  const fields = new Map<string, string>();
  for (const { type = "", field = "body", expected, message } of problems) {
    // What is wrong with a part says more than what is wrong with the whole.
    if (problems.some((other) => other.field?.startsWith(`${field}[`))) continue;
    const text = WORDS[type]?.(expected) ?? message ?? "is not valid";
    const before = fields.get(field);
    if (before === undefined) fields.set(field, text);
    else if (TYPES.has(type) && before !== text) fields.set(field, `${before}, or ${text}`);
  }
  return Object.fromEntries(fields);
}

interface FoundProblem {
  readonly type?: string;
  readonly field?: string;
  readonly expected?: unknown;
  readonly message?: string;
}
