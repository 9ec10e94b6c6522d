/** @module Fields of a message, checked: each returns the value as its type, or throws `NotOurs`. */
import type { ActorId, Range } from "../replication.ts";
import { parseAddress } from "./addresses.ts";

/** What arrived is none of our messages; the message says what is wrong with it. */
export class NotOurs extends Error {
  override name = "NotOurs";
}

const MAX_LIST = 1_000_000;

export function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new NotOurs("a value where an object must be");
  }
  return value as Readonly<Record<string, unknown>>;
}

export function list<T>(value: unknown, item: (value: unknown) => T): readonly T[] {
  if (!Array.isArray(value) || value.length > MAX_LIST) throw new NotOurs("no list, or a far too long one");
  return value.map((element: unknown) => item(element));
}

export function tuple(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw new NotOurs(`no list of ${length} elements`);
  return value;
}

export function text(value: unknown, longest: number): string {
  if (typeof value !== "string" || value.length > longest)
    throw new NotOurs("no text, or a far too long one");
  return value;
}

export function integer(value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new NotOurs(`no whole number from ${least} to ${most}`);
  }
  return value;
}

export function count(value: unknown): number {
  return integer(value, 0, Number.MAX_SAFE_INTEGER);
}

export function big(value: unknown, least: bigint, most: bigint): bigint {
  if (typeof value !== "string" || !/^-?\d{1,20}$/.test(value)) throw new NotOurs("no 64-bit integer");
  const number = BigInt(value);
  if (number < least || number > most) throw new NotOurs(`no integer from ${least} to ${most}`);
  return number;
}

export function actor(value: unknown): ActorId {
  if (typeof value !== "string" || !/^[0-9a-f]{32}$/.test(value)) throw new NotOurs("no actor id");
  return value;
}

export function address(value: unknown): string {
  const written = text(value, 300);
  try {
    parseAddress(written);
  } catch (cause) {
    throw new NotOurs("no address", { cause });
  }
  return written;
}

export function ascending(ranges: readonly Range[]): readonly Range[] {
  for (let i = 1; i < ranges.length; i++) {
    if (ranges[i]!.start <= ranges[i - 1]!.end) throw new NotOurs("ranges out of order");
  }
  return ranges;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function blob(value: unknown): Uint8Array {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw new NotOurs("no base64");
  // A copy of its own: a slice of Node's shared pool cannot be handed to another process cheaply.
  return Uint8Array.from(Buffer.from(value, "base64"));
}
