/** @module All that is done with a node's analytics file. */
import type { ConsoleRunRecord, NewConsoleRun } from "../../corrosion/contract.ts";
import type { ComparedExperiment, ReportBodies } from "../bodies.ts";
import type { Deleted, EventKey, EventPage, ExperimentPart, ReportKind } from "../contract.ts";
import { comparedOf } from "../export/comparison.ts";
import { type Exporter, type ExportOptions, exportOf } from "../export/experiment.ts";
import { experimentCsv } from "../export/experiment-csv.ts";
import { type ExportFile, type ExportFormat, experimentFile } from "../export/file.ts";
import { packPart, unpackPart } from "../parts.ts";
import { reportOf } from "../reports.ts";
import { mergeParts, type RunRecords } from "../run-records.ts";
import { ConsoleRuns } from "./console-runs.ts";
import { interruptUnfinished, openDatabase } from "./database.ts";
import { readEventPage } from "./read-events.ts";
import { localPart } from "./read-part.ts";
import { readExperiments, readSummary, readTiming } from "./read-reports.ts";
import { type Batch, Writer } from "./write.ts";

/** Each runs to its end and blocks whoever runs it: that is the store's own thread. All throw what SQLite throws. */
export interface StoreOperations {
  /** All or nothing. */
  write(batch: Batch): void;
  /** Marks runs that a former process of this node left unfinished; returns how many. */
  interrupt(): number;
  experiments(id: string | null): ExperimentPart[];
  /** A slice of what is to be removed; `more` while some is left. */
  remove(experimentId: string | null): Deleted & { readonly more: boolean };
  /** This node's part of a run, packed. */
  part(experimentId: string, rows: boolean): Uint8Array;
  /** Of this node's own records and the packed parts of `others`. */
  report<Kind extends ReportKind>(
    experimentId: string,
    kind: Kind,
    others: readonly Uint8Array[],
  ): ReportBodies[Kind];
  /** The file of a run without raw events; `others` as for `report`. */
  exported(
    experimentId: string,
    format: ExportFormat,
    exporter: Exporter,
    options: ExportOptions,
    others: readonly Uint8Array[],
  ): ExportFile;
  /** This node's events of a run behind `after`. */
  events(experimentId: string, after: EventKey | null): EventPage;
  /** A run's line in a comparison; `others` as for `report`. */
  compared(experimentId: string, others: readonly Uint8Array[]): ComparedExperiment;
  recordRun(run: NewConsoleRun): void;
  runs(limit: number): ConsoleRunRecord[];
  close(): void;
}

/** Opens the file of node `nodeId`. Throws when it cannot be used. */
export function openStore(path: string, nodeId: string): StoreOperations {
  const db = openDatabase(path);
  const writer = new Writer(db);
  const consoleRuns = new ConsoleRuns(db);
  const records = (experimentId: string, rows: boolean, others: readonly Uint8Array[]): RunRecords =>
    mergeParts([localPart(db, nodeId, experimentId, rows), ...others.map(unpackPart)]);

  function report(experimentId: string, kind: ReportKind, others: readonly Uint8Array[]) {
    const alone = others.length === 0;
    if (alone && kind === "summary") return readSummary(db, experimentId);
    if (alone && kind === "timing") return readTiming(db, experimentId);
    return reportOf(records(experimentId, kind === "events", others), kind);
  }

  function exported(...[id, format, exporter, options, others]: Parameters<StoreOperations["exported"]>) {
    const data = exportOf(id, records(id, false, others), exporter, options);
    return experimentFile(
      id,
      format,
      format === "json" ? JSON.stringify(data, null, 2) : experimentCsv(data),
    );
  }

  return {
    write: (batch) => writer.write(batch),
    interrupt: () => interruptUnfinished(db),
    experiments: (id) => readExperiments(db, nodeId, id),
    remove: (experimentId) => writer.remove(experimentId),
    part: (experimentId, rows) => packPart(localPart(db, nodeId, experimentId, rows)),
    // The kind decides which body it is.
    report: report as StoreOperations["report"],
    exported,
    events: (experimentId, after) => readEventPage(db, experimentId, after),
    compared: (id, others) => comparedOf(id, records(id, false, others)),
    recordRun: (run) => consoleRuns.add(run),
    runs: (limit) => consoleRuns.list(limit),
    close: () => db.close(),
  };
}
