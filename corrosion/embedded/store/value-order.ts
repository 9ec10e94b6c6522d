/** @module Which of two values is the greater one when versions are equal, and when two keys are the same key. */
import type { SqlValue } from "../values.ts";

/**
 * Negative, zero or positive: INTEGER is above REAL, above TEXT, above BLOB, above NULL, whatever they hold; inside a
 * type the number or the bytes decide (contract corrosion, section 8).
 */
export function compareValues(a: SqlValue, b: SqlValue): number {
  const byType = rank(a) - rank(b);
  if (byType !== 0) return byType;
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a === b || a === null || b === null) return 0;
  return a < b ? -1 : 1;
}

function rank(value: SqlValue): number {
  if (typeof value === "bigint") return 4;
  if (typeof value === "number") return 3;
  if (typeof value === "string") return 2;
  return value === null ? 0 : 1;
}

/** A text that two keys share exactly when SQLite holds them for equal: 1 and 1.0 are one key. */
export function keyText(values: readonly SqlValue[]): string {
  return values.map(identity).join(",");
}

function identity(value: SqlValue): string {
  if (value === null) return "n";
  if (typeof value === "bigint") return `i${value}`;
  if (typeof value === "number") return Number.isInteger(value) ? `i${BigInt(value)}` : `r${value}`;
  if (typeof value === "string") return `t${value.length}:${value}`;
  return `b${Buffer.from(value).toString("hex")}`;
}
