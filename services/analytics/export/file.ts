/** @module Files that an export is saved as. */
import type { Readable } from "node:stream";
import { checkRunId } from "../run-id.ts";

export type ExportFormat = "json" | "csv";

/** What the gateway sends as an attachment. */
export interface ExportFile {
  readonly filename: string;
  readonly content_type: string;
  readonly text: string;
}

/** The same, with a text that comes in pieces: it is never in memory as a whole, and crosses no bus. */
export interface ExportStream extends Omit<ExportFile, "text"> {
  readonly text: Readable;
}

const CONTENT_TYPES: Readonly<Record<ExportFormat, string>> = {
  json: "application/json; charset=utf-8",
  csv: "text/csv; charset=utf-8; header=present",
};

/** `experiment_{id}`. Throws `CorrosionError` (`invalid_request`) when no run may have the id. */
export function experimentFile(id: string, format: ExportFormat, text: string): ExportFile {
  return named(`experiment_${checkRunId(id)}`, format, text);
}

export function comparisonFile(format: ExportFormat, text: string): ExportFile {
  return named("experiment_comparison", format, text);
}

function named(name: string, format: ExportFormat, text: string): ExportFile {
  return { filename: `${name}.${format}`, content_type: CONTENT_TYPES[format], text };
}
