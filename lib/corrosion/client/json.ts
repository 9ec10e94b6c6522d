/** @module JSON as agents speak it: integers of 64 bits, kept exactly. */

/** An integer beyond 2^53 is a bigint, every other number a number; a real never is a bigint, however large. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Only a run of so many digits can be an integer that a number does not hold: 2^53 has 16. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

type SourceReviver = (
  this: unknown,
  key: string,
  value: unknown,
  context: { readonly source?: string },
) => unknown;

const exact: SourceReviver = (_key, value, { source }) => {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
};

/** The value of a JSON text. Throws `SyntaxError`. */
export function parseJson(text: string): Json {
  // Revivers cost several times what plain parsing does, and few lines hold a number that needs one.
  return LONG_NUMBER.test(text)
    ? JSON.parse(text, exact as Parameters<typeof JSON.parse>[1])
    : JSON.parse(text);
}

/** Whether the value is an object with named members. */
export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
