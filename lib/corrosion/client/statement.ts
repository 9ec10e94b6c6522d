/** @module Statements with their parameters, as agents take them. */

/** A REAL, also where its value is whole: plain whole numbers are INTEGERs. */
export interface Real {
  readonly real: number;
}

/** A Uint8Array is a BLOB. */
export type Param = null | boolean | number | bigint | string | Uint8Array | Real;

export type Statement =
  | string
  /** One value for each `?`. */
  | readonly [sql: string, params: readonly Param[]]
  /** Names with their prefix: `:a`, `@a` or `$a`. */
  | readonly [sql: string, params: Readonly<Record<string, Param>>];

/** A value cannot be a parameter; the message says why. */
export class InvalidParam extends Error {
  override name = "InvalidParam";
}

const MAX_INTEGER = 2n ** 63n - 1n;
const MIN_INTEGER = -(2n ** 63n);

/** The statement as JSON. Throws `InvalidParam`. */
export function encodeStatement(statement: Statement): string {
  if (typeof statement === "string") return JSON.stringify(statement);
  const [sql, params] = statement;
  return `[${JSON.stringify(sql)},${isList(params) ? encodeList(params) : encodeNamed(params)}]`;
}

function isList(params: readonly Param[] | Readonly<Record<string, Param>>): params is readonly Param[] {
  return Array.isArray(params);
}

function encodeList(params: readonly Param[]): string {
  return `[${params.map(encodeParam).join(",")}]`;
}

function encodeNamed(params: Readonly<Record<string, Param>>): string {
  return `{${Object.entries(params)
    .map(([name, value]) => `${JSON.stringify(name)}:${encodeParam(value)}`)
    .join(",")}}`;
}

function encodeParam(value: Param): string {
  if (typeof value === "bigint") {
    if (value > MAX_INTEGER || value < MIN_INTEGER) {
      throw new InvalidParam(`${value} is no integer of 64 bits: SQLite would keep another number`);
    }
    return String(value);
  }
  if (typeof value === "number") {
    const whole = Number.isSafeInteger(value) && !Object.is(value, -0);
    return whole ? String(value) : encodeReal(value);
  }
  if (value instanceof Uint8Array) return JSON.stringify(Array.from(value));
  if (typeof value === "object" && value !== null) return encodeReal(value.real);
  return JSON.stringify(value);
}

/** With a point or an exponent, or the agent would take a whole number for an integer. */
function encodeReal(value: number): string {
  if (!Number.isFinite(value))
    throw new InvalidParam(`${value} is no finite number: SQLite has no place for it`);
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
