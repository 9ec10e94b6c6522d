/** @module A cell of a result as text: NULL, blobs and empty texts are told apart from texts that look like them. */
import type { ConsoleCell } from "../../../services/corrosion/contract.ts";

export type CellView =
  | { readonly kind: "null" }
  | { readonly kind: "empty" }
  | { readonly kind: "number"; readonly text: string }
  /** `whole` is what a person can read when they point at it. */
  | { readonly kind: "text"; readonly text: string; readonly whole: string | null }
  | { readonly kind: "blob"; readonly text: string; readonly bytes: number };

/** Longer ones are cut in the grid; the export has them whole. */
const SHOWN = 200;
const POINTED = 2000;
const BLOB_DIGITS = 32;

export function viewOf(cell: ConsoleCell): CellView {
  if (cell === null) return { kind: "null" };
  if (typeof cell === "number") return { kind: "number", text: String(cell) };
  if (typeof cell === "object") {
    const { blob } = cell;
    const more = blob.length > BLOB_DIGITS ? "…" : "";
    return { kind: "blob", text: `x'${blob.slice(0, BLOB_DIGITS)}${more}'`, bytes: blob.length / 2 };
  }
  if (cell === "") return { kind: "empty" };
  const text = cell.length > SHOWN ? `${cell.slice(0, SHOWN)}…` : cell;
  const whole = cell.length > 40 || cell.includes("\n") ? cell.slice(0, POINTED) : null;
  return { kind: "text", text: text.replaceAll(/\s*\n\s*/g, " ⏎ "), whole };
}
