/** @module Values as JSON text: reals always look real, 64-bit integers are bare, blobs are arrays of bytes. */
import type { SqlValue } from "../values.ts";

/** From here on a real is written with an exponent. */
const EXPONENT_FROM = 1e16;
const EXPONENT_BELOW = 1e-5;

/** A real as text: `1.0`, `0.1`, `1e16`; `null` for what JSON cannot say. */
export function realText(value: number): string {
  if (!Number.isFinite(value)) return "null";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const size = Math.abs(value);
  if (size >= EXPONENT_FROM || size < EXPONENT_BELOW) return value.toExponential().replace("e+", "e");
  if (Number.isInteger(value)) return `${value}.0`;
  // Below 1e-6 JavaScript would use an exponent, above it never does in this range.
  return String(value);
}

/** One value as JSON text. */
export function cellText(value: SqlValue): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return value.toString();
    case "number":
      return realText(value);
    default:
      return `[${value.join(",")}]`;
  }
}

/** A row's values as the text of a JSON array. */
export function cellsText(values: readonly SqlValue[]): string {
  let text = "[";
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ",";
    text += cellText(values[i] as SqlValue);
  }
  return `${text}]`;
}

/** JSON text of a tree that may hold bigints, written bare. Undefined properties are left out. */
export function jsonText(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** The same over several lines, two spaces a level, members by name, as the CLI prints it. */
export function prettyJsonText(value: unknown, indent = ""): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((item) => inner + prettyJsonText(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (typeof value === "object" && value !== null) {
    const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    const members = sorted.map(
      ([name, member]) => `${inner}${JSON.stringify(name)}: ${prettyJsonText(member, inner)}`,
    );
    return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
  }
  return jsonText(value);
}
