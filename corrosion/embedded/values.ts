/** @module Values as SQLite holds them, read with big integers: a bigint is an INTEGER, a number a REAL. */

export type SqlValue = null | bigint | number | string | Uint8Array;

/** A statement of a client, its parameters already read from JSON. */
export interface Statement {
  readonly sql: string;
  readonly params: Params;
}

export type Params =
  | { readonly kind: "none" }
  | { readonly kind: "positional"; readonly values: readonly SqlValue[] }
  /** Keys keep their prefix (`:`, `@`, `$`). */
  | { readonly kind: "named"; readonly values: ReadonlyMap<string, SqlValue> };
