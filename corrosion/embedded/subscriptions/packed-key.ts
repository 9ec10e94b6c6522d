/** @module Keys as one blob (contract corrosion, section 8), and back to their values. */
import type { SqlValue } from "../values.ts";

const INTEGER = 1;
const REAL = 2;
const TEXT = 3;
const BLOB = 4;
const NULL = 5;

/** The packed form of a key's values, in key order. */
export function packKey(values: readonly SqlValue[]): Uint8Array {
  return Buffer.concat([Buffer.of(values.length), ...values.map(packValue)]);
}

function packValue(value: SqlValue): Buffer {
  if (value === null) return Buffer.of(NULL);
  if (typeof value === "bigint") {
    const bytes = integerBytes(value);
    return Buffer.concat([Buffer.of(INTEGER | (bytes.length << 3)), bytes]);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(9, REAL);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  const payload = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  const length = integerBytes(BigInt(payload.length));
  const type = typeof value === "string" ? TEXT : BLOB;
  return Buffer.concat([Buffer.of(type | (length.length << 3)), length, payload]);
}

/** As few bytes as it takes, big-endian; none for 0, eight for a negative number. */
function integerBytes(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return value === 0n ? bytes.subarray(8) : bytes.subarray(bytes.findIndex((byte) => byte !== 0));
}

/** The values of a packed key. Throws when the blob is none. */
export function unpackKey(packed: Uint8Array): SqlValue[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const values: SqlValue[] = [];
  let at = 1;
  for (let left = bytes.readUInt8(0); left > 0; left--) {
    const head = bytes.readUInt8(at++);
    const size = head >> 3;
    switch (head & 7) {
      case INTEGER:
        values.push(readInteger(bytes, at, size));
        at += size;
        break;
      case REAL:
        values.push(bytes.readDoubleBE(at));
        at += 8;
        break;
      case TEXT:
      case BLOB: {
        const length = Number(readInteger(bytes, at, size));
        at += size;
        const payload = bytes.subarray(at, at + length);
        if (payload.length < length) throw new Error("a packed key ends inside a value");
        values.push((head & 7) === TEXT ? payload.toString("utf8") : Uint8Array.from(payload));
        at += length;
        break;
      }
      case NULL:
        values.push(null);
        break;
      default:
        throw new Error(`a packed key holds a value of type ${head & 7}, which does not exist`);
    }
  }
  return values;
}

function readInteger(bytes: Buffer, at: number, size: number): bigint {
  const slice = bytes.subarray(at, at + size);
  if (slice.length < size) throw new Error("a packed key ends inside a value");
  return size === 0 ? 0n : BigInt.asIntN(64, BigInt(`0x${slice.toString("hex")}`));
}
