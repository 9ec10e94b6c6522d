/** @module A cell of a result as text: NULL, blobs and empty texts are told apart from texts that look like them. */
import type { ConsoleCell } from "../../../services/corrosion/contract.ts";

export type CellView =
  | { readonly kind: "null" }
  | { readonly kind: "empty" }
  | { readonly kind: "number"; readonly text: string }
  /** `whole`: where there is more of it than the grid shows, or it has lines. */
  | { readonly kind: "text"; readonly text: string; readonly whole: string | null }
  /** `whole` has all its hexadecimal digits. */
  | { readonly kind: "blob"; readonly text: string; readonly bytes: number; readonly whole: string | null };

/** Longer ones are cut in the grid. */
const SHOWN = 200;
/** Characters that surely fit into a column. */
const FITTING = 48;
const BLOB_DIGITS = 32;

export function viewOf(cell: ConsoleCell): CellView {
  if (cell === null) return { kind: "null" };
  if (typeof cell === "number") return { kind: "number", text: String(cell) };
  if (typeof cell === "object") {
    const { blob } = cell;
    const more = blob.length > BLOB_DIGITS;
    const text = `x'${blob.slice(0, BLOB_DIGITS)}${more ? "…" : ""}'`;
    return { kind: "blob", text, bytes: blob.length / 2, whole: more ? blob : null };
  }
  if (cell === "") return { kind: "empty" };
  const text = cell.length > SHOWN ? `${cell.slice(0, SHOWN)}…` : cell;
  const whole = cell.length > FITTING || cell.includes("\n") ? cell : null;
  return { kind: "text", text: text.replaceAll(/\s*\n\s*/g, " ⏎ "), whole };
}
