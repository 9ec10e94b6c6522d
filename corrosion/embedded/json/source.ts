/** @module JSON read with the spelling of its numbers: 1 is an INTEGER, 1.0 a REAL, and 64 bits survive. */

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;
const INTEGER = /^-?\d+$/;
/** Integers of up to 15 digits are exact as numbers and as big integers. */
const SAFE_DIGITS = 15;

/** A parsed JSON value in which an integer of 64 bits is a bigint and every other number a number. */
export type SourceJson =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly SourceJson[]
  | { readonly [key: string]: SourceJson };

/** Throws `SyntaxError` with a position, as `JSON.parse` does, and for numbers beyond what a double holds. */
export function parseWithSource(text: string): SourceJson {
  return JSON.parse(text, reviveNumber);
}

function reviveNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number") return value;
  const source = context?.source ?? String(value);
  if (!INTEGER.test(source)) {
    if (!Number.isFinite(value)) throw new SyntaxError(`number out of range: ${source}`);
    return value;
  }
  if (source === "-0") return value;
  if (source.length <= SAFE_DIGITS) return BigInt(value);
  const integer = BigInt(source);
  if (integer < I64_MIN || integer > I64_MAX) {
    if (!Number.isFinite(value)) throw new SyntaxError("number out of range");
    return value;
  }
  return integer;
}
