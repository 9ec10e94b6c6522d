/** @module What the SQLite engine and its writer thread say to each other. */

/** What the writer is started with. */
export interface WriterData {
  readonly file: string;
}

/** Appends of many groups, as columns, so that one message costs one transfer however many there are. */
export interface AppendBatch {
  readonly kind: "append";
  readonly ids: readonly number[];
  readonly groups: readonly number[];
  readonly expectedLasts: readonly number[];
  readonly messageIds: readonly string[];
  /** Length of each entry; the entries stand one after the other in `data`. */
  readonly lengths: readonly number[];
  readonly data: Uint8Array;
}

export type Order =
  | { readonly kind: "provision"; readonly id: number; readonly groups: number }
  | { readonly kind: "truncate"; readonly id: number; readonly group: number; readonly before: number }
  | { readonly kind: "probe"; readonly id: number };

export type ToWriter = AppendBatch | Order | { readonly kind: "close" };

/** Why the writer cannot do something: the file is damaged, or it just cannot be written now. */
export interface WriterFailure {
  readonly corrupt: boolean;
  readonly message: string;
}

export type FromWriter =
  | { readonly kind: "ready" }
  /** The file could not be opened; the writer has ended. */
  | { readonly kind: "unopened"; readonly failure: WriterFailure }
  /** Outcome of each append after its commit: the index, or 0 when it was fenced. */
  | {
      readonly kind: "settled";
      readonly ids: readonly number[];
      readonly indexes: readonly number[];
      /** False where the entry had been committed by an earlier append with the same message id. */
      readonly fresh: readonly boolean[];
    }
  /** These appends were certainly not written. */
  | {
      readonly kind: "refused";
      readonly ids: readonly number[];
      readonly reason: string;
      /** Whether it was for want of space. */
      readonly full: boolean;
    }
  /** An order was carried out; `value` is the stored number of groups for `provision`, else 0. */
  | { readonly kind: "done"; readonly id: number; readonly value: number }
  | { readonly kind: "failed"; readonly id: number; readonly reason: string }
  /** The writer met what it cannot go on from and has ended; appends without an answer are in doubt. */
  | { readonly kind: "dying"; readonly failure: WriterFailure };
