/** @module Ids of runs: what a caller may choose. They become names of files. */
import { CorrosionError } from "../../lib/corrosion/failures.ts";

/** 1 to 64 of `A-Z a-z 0-9 . _ -`, not a dot first (contract corroport, section 7). */
const RUN_ID = /^(?!\.)[A-Za-z0-9._-]{1,64}$/;

export const ID_RULE = "must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with no dot";

export function isRunId(value: unknown): value is string {
  return typeof value === "string" && RUN_ID.test(value);
}

/** The id as it is. Throws `CorrosionError` (`invalid_request`) when no run may have it. */
export function checkRunId(value: unknown): string {
  if (isRunId(value)) return value;
  throw new CorrosionError("invalid_request", `The experiment's id ${ID_RULE}.`, {
    fields: { experiment_id: ID_RULE },
  });
}
