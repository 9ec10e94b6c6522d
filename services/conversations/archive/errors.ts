/** @module What can go wrong with the archive, in the two kinds that its callers treat differently. */
import pg from "pg";

/** The archive cannot be used now; what was asked may be asked again. A write may or may not have happened. */
export class ArchiveUnavailable extends Error {
  override name = "ArchiveUnavailable";
}

/** Where in the archive a row is wrong; what is not known is null. */
export interface RowPlace {
  readonly table: string;
  readonly session: string | null;
  readonly seq: number | null;
}

/** A row cannot be stored, or what is stored is not what it must be: asking again does not help, a person must look. */
export class ArchiveDataError extends Error {
  override name = "ArchiveDataError";
  readonly table: string;
  readonly session: string | null;
  readonly seq: number | null;

  constructor(place: RowPlace, problem: string, options?: ErrorOptions) {
    const session = place.session === null ? "" : `, session ${place.session}`;
    const seq = place.seq === null ? "" : `, seq ${place.seq}`;
    super(`archive table ${place.table}${session}${seq}: ${problem}`, options);
    this.table = place.table;
    this.session = place.session;
    this.seq = place.seq;
  }
}

/** Classes of SQLSTATE that judge the data: data exception, constraint violation, a limit of the program. */
const DATA_CLASSES = new Set(["22", "23", "54"]);

/** Whether Postgres refused the data itself, not the moment. */
export function isDataError(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && DATA_CLASSES.has(error.code?.slice(0, 2) ?? "");
}

/**
 * What a failed call is to its caller. Everything that is not about data is worth another try: a lost connection, a
 * timeout, a full disk, a missing table or right that somebody will put in order.
 */
export function asArchiveError(error: unknown): unknown {
  if (error instanceof ArchiveUnavailable || error instanceof ArchiveDataError) return error;
  if (isDataError(error)) {
    const place = { table: error.table ?? "(unknown)", session: null, seq: null };
    return new ArchiveDataError(place, describe(error), { cause: error });
  }
  if (error instanceof TypeError || error instanceof RangeError) return error; // a defect of this program
  return new ArchiveUnavailable(`the archive is not available: ${describe(error)}`, { cause: error });
}

/** The message with SQLSTATE and detail, where there are any. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses gives one error each, without a message of their own.
  const text =
    error.message || (error instanceof AggregateError ? error.errors.map(describe).join("; ") : error.name);
  const { code, detail } = error as { code?: string; detail?: string };
  return `${text}${code ? ` (${code})` : ""}${detail ? `: ${detail}` : ""}`;
}
