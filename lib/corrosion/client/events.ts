/** @module What the lines of an agent's streams say. */
import { isObject, type Json, parseJson } from "./json.ts";

/** An integer beyond 2^53 is a bigint; a BLOB is a Uint8Array. */
export type Cell = null | number | bigint | string | Uint8Array;
export type ChangeKind = "insert" | "update" | "delete";

export type SubscriptionEvent =
  | { readonly kind: "columns"; readonly columns: readonly string[] }
  | { readonly kind: "row"; readonly rowId: number; readonly cells: readonly Cell[] }
  /** `changeId` is null in the answer to a query. */
  | { readonly kind: "eoq"; readonly seconds: number; readonly changeId: number | null }
  | {
      readonly kind: "change";
      readonly change: ChangeKind;
      readonly rowId: number;
      /** Of a delete: the last cells. */
      readonly cells: readonly Cell[];
      readonly changeId: number;
    }
  /** The last line of a stream that failed. */
  | { readonly kind: "error"; readonly message: string };

export type UpdateEvent =
  | { readonly kind: "notify"; readonly change: "update" | "delete"; readonly key: readonly Cell[] }
  | { readonly kind: "error"; readonly message: string };

/** The line is none that an agent of 1.0 sends; one sentence. */
export class BadLine extends Error {
  override name = "BadLine";
}

/** The line is as agents before 1.0 sent it. */
export class OldLine extends BadLine {
  override name = "OldLine";
}

const QUOTED = 120;

/** Reads a line of a query or a subscription. Throws `BadLine` and `OldLine`. */
export function parseEvent(line: string): SubscriptionEvent {
  const [name, value] = member(line);
  switch (name) {
    case "row": {
      const [rowId, cells] = list(value, 2, line);
      return { kind: "row", rowId: id(rowId, line), cells: cellsOf(cells, line) };
    }
    case "change": {
      if (Array.isArray(value) && value.length === 3) {
        throw new OldLine("the agent sends changes without a change id, as agents before 1.0 do");
      }
      const [change, rowId, cells, changeId] = list(value, 4, line);
      if (change !== "insert" && change !== "update" && change !== "delete") throw bad(line);
      return {
        kind: "change",
        change,
        rowId: id(rowId, line),
        cells: cellsOf(cells, line),
        changeId: id(changeId, line),
      };
    }
    case "columns":
      if (!Array.isArray(value) || !value.every((column) => typeof column === "string")) throw bad(line);
      return { kind: "columns", columns: value };
    case "eoq": {
      if (!isObject(value) || typeof value.time !== "number") throw bad(line);
      const { time, change_id } = value;
      return { kind: "eoq", seconds: time, changeId: change_id == null ? null : id(change_id, line) };
    }
    case "error":
      return errorEvent(value, line);
    default:
      throw bad(line);
  }
}

/** Reads a line of `/v1/updates/{table}`. Throws `BadLine`. */
export function parseUpdate(line: string): UpdateEvent {
  const [name, value] = member(line);
  if (name === "error") return errorEvent(value, line);
  if (name !== "notify") throw bad(line);
  const [change, key] = list(value, 2, line);
  if (change !== "update" && change !== "delete") throw bad(line);
  return { kind: "notify", change, key: cellsOf(key, line) };
}

function errorEvent(value: Json, line: string): { kind: "error"; message: string } {
  if (typeof value !== "string") throw bad(line);
  return { kind: "error", message: value };
}

/** The one member of the line's object. */
function member(line: string): [string, Json] {
  let parsed: Json;
  try {
    parsed = parseJson(line);
  } catch (error) {
    throw bad(line, error);
  }
  const entries = isObject(parsed) ? Object.entries(parsed) : [];
  const [first] = entries;
  if (first === undefined || entries.length !== 1) throw bad(line);
  return first;
}

function list(value: Json, length: number, line: string): readonly Json[] {
  if (!Array.isArray(value) || value.length !== length) throw bad(line);
  return value;
}

function id(value: Json | undefined, line: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw bad(line);
  return value;
}

function cellsOf(value: Json | undefined, line: string): Cell[] {
  if (!Array.isArray(value)) throw bad(line);
  return value.map((cell) => cellOf(cell, line));
}

function cellOf(value: Json, line: string): Cell {
  if (typeof value === "boolean" || isObject(value)) throw bad(line);
  if (!Array.isArray(value)) return value as Exclude<Json, boolean | object>;
  if (!value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)) throw bad(line);
  return Uint8Array.from(value);
}

function bad(line: string, cause?: unknown): BadLine {
  return new BadLine(`the agent sent a line that makes no sense: ${line.slice(0, QUOTED)}`, { cause });
}
