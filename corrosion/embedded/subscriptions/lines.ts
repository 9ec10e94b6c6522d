/** @module The NDJSON lines of subscriptions and updates, each with its line feed. */
import { cellsText, realText } from "../json/cells.ts";
import type { SqlValue } from "../values.ts";

export type ChangeType = "insert" | "update" | "delete";

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
