/** @module What the main process and a reader's process say to each other; a reader does one job at a time. */
import type { SqlValue, Statement } from "../values.ts";

/** `lines`: NDJSON as the route `queries` sends it. `values`: the rows themselves. */
export type ReaderMode = "lines" | "values";

export type ReaderRequest =
  | { readonly kind: "run"; readonly mode: ReaderMode; readonly statement: Statement }
  /** A chunk was taken: one more may come. */
  | { readonly kind: "credit" }
  | { readonly kind: "cancel" };

/** Chunks that may be on their way. */
export const CREDIT = 8;

export type ReaderReport =
  /** The connection is open. */
  | { readonly kind: "ready" }
  | { readonly kind: "unusable"; readonly message: string }
  /** Nothing was run; the status is that of the answer. */
  | { readonly kind: "refused"; readonly status: 400 | 500; readonly message: string }
  /** `head` are the lines that come before any row. */
  | { readonly kind: "begun"; readonly head: Uint8Array | null }
  | { readonly kind: "lines"; readonly bytes: Uint8Array }
  | { readonly kind: "values"; readonly rows: readonly (readonly SqlValue[])[] }
  /** The job is over; a message when it failed. */
  | { readonly kind: "over"; readonly message: string | null };
