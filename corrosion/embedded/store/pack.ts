/** @module Packed keys: the column values of a row's key as one blob (contract corrosion, section 8). */
import type { SqlValue } from "../values.ts";

/** A blob is no packed key; the message says what is wrong with it. */
export class MalformedKey extends Error {
  override name = "MalformedKey";
}

const INTEGER = 1;
const REAL = 2;
const TEXT = 3;
const BLOB = 4;
const NULL = 5;

const MAX_COLUMNS = 255;

/** The values as a blob: their count, then a tag and a payload each. Throws `MalformedKey` beyond 255 values. */
export function packColumns(values: readonly SqlValue[]): Uint8Array {
  if (values.length > MAX_COLUMNS) {
    throw new MalformedKey(`a packed key takes at most ${MAX_COLUMNS} values, not ${values.length}`);
  }
  const parts: Uint8Array[] = [Uint8Array.of(values.length)];
  for (const value of values) parts.push(...packed(value));
  return concat(parts);
}

function packed(value: SqlValue): Uint8Array[] {
  if (value === null) return [Uint8Array.of(NULL)];
  if (typeof value === "bigint") {
    const bytes = bigEndian(value);
    return [tag(INTEGER, bytes), bytes];
  }
  if (typeof value === "number") {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value);
    return [Uint8Array.of(REAL), bytes];
  }
  const payload = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  const length = bigEndian(BigInt(payload.length));
  return [tag(typeof value === "string" ? TEXT : BLOB, length), length, payload];
}

function tag(type: number, lengthOf: Uint8Array): Uint8Array {
  return Uint8Array.of(type | (lengthOf.length << 3));
}

/** The fewest bytes that hold the value; none for 0, all eight for a negative one. */
function bigEndian(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? new Uint8Array(0) : bytes.subarray(first);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The values of a packed key. Throws `MalformedKey` when the blob is cut off, too long, or has an unknown tag. */
export function unpackColumns(bytes: Uint8Array): SqlValue[] {
  const reader = new Reader(bytes);
  const count = reader.take(1)[0] ?? 0;
  const values = Array.from({ length: count }, () => unpacked(reader));
  if (!reader.atEnd) throw new MalformedKey("a packed key has bytes behind its last value");
  return values;
}

function unpacked(reader: Reader): SqlValue {
  const byte = reader.take(1)[0] ?? 0;
  const [type, length] = [byte & 7, byte >> 3];
  switch (type) {
    case INTEGER:
      return reader.integer(length);
    case REAL:
      return Buffer.from(reader.take(8)).readDoubleBE();
    case TEXT:
      return Buffer.from(reader.take(Number(reader.integer(length)))).toString("utf8");
    case BLOB:
      return Uint8Array.from(reader.take(Number(reader.integer(length))));
    case NULL:
      return null;
    default:
      throw new MalformedKey(`a packed key has a value of the unknown type ${type}`);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    if (length < 0 || this.#at + length > this.#bytes.length) {
      throw new MalformedKey("a packed key ends in the middle of a value");
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Fewer than eight bytes are never negative. */
  integer(length: number): bigint {
    if (length > 8) throw new MalformedKey(`a packed key has an integer of ${length} bytes`);
    let value = 0n;
    for (const byte of this.take(length)) value = (value << 8n) | BigInt(byte);
    return BigInt.asIntN(64, value);
  }
}
