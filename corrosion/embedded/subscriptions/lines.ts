/** @module The NDJSON lines of subscriptions and updates, each with its line feed. */
import type { SqlValue } from "../values.ts";

export type ChangeType = "insert" | "update" | "delete";

/** Cells as they stand in events, as JSON text. */
export function cellsText(values: readonly SqlValue[]): string {
  return `[${values.map(cellText).join(",")}]`;
}

function cellText(value: SqlValue): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return realText(value);
  if (typeof value === "string") return JSON.stringify(value);
  return `[${value.join(",")}]`;
}

/** A real always looks real: with a point from 1e-5 to 1e16, with an exponent outside. Infinities are null. */
function realText(value: number): string {
  if (!Number.isFinite(value)) return "null";
  if (Object.is(value, -0)) return "-0.0";
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude >= 1e16 || magnitude < 1e-5)) {
    return value.toExponential().replace("e+", "e");
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

export function columnsLine(columns: readonly string[]): string {
  return `{"columns":${JSON.stringify(columns)}}\n`;
}

/** `cells` is text of `cellsText`. */
export function rowLine(row: number, cells: string): string {
  return `{"row":[${row},${cells}]}\n`;
}

export function eoqLine(seconds: number, changeId: number): string {
  return `{"eoq":{"time":${realText(seconds)},"change_id":${changeId}}}\n`;
}

export function changeLine(type: ChangeType, row: number, cells: string, changeId: number): string {
  return `{"change":["${type}",${row},${cells},${changeId}]}\n`;
}

export function notifyLine(type: "update" | "delete", key: readonly SqlValue[]): string {
  return `{"notify":["${type}",${cellsText(key)}]}\n`;
}

export function errorLine(message: string): string {
  return `${JSON.stringify({ error: message })}\n`;
}
