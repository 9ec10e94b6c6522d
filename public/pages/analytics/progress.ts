/** @module How far a run is, from what the node said last and the events since. Pure. */
import type { AnalyticsEvent, ExperimentStatus } from "../../../services/analytics/contract.ts";

export interface Progress {
  readonly id: string;
  /** How often a run of this id was begun. */
  readonly run: number;
  readonly status: ExperimentStatus;
  readonly sent: number;
  readonly failed: number;
  /** 0: by hand, until it is stopped. */
  readonly total: number;
}

/** What an experiment's row says; as `summary` and `aggregation/status` have it. */
export interface ProgressRow {
  readonly id: string;
  readonly status: ExperimentStatus;
  readonly sent_count: number;
  readonly failed_count: number;
  readonly message_count: number;
  readonly run_count: number;
}

/** What a row says; an answer that is older than the events since does not turn the same run back. */
export function progressOf(row: ProgressRow, before: Progress | null): Progress {
  const { id, run_count: run, status, sent_count: sent, failed_count: failed, message_count: total } = row;
  if (before?.id !== id || before.run !== run) return { id, run, status, sent, failed, total };
  return {
    id,
    run,
    status: isOn(status) && !isOn(before.status) ? before.status : status,
    sent: Math.max(sent, before.sent),
    failed: Math.max(failed, before.failed),
    total,
  };
}

/** After an event; those of other runs, and late ones, change nothing, and counts of one run never go back. */
export function progressAfter(progress: Progress, event: AnalyticsEvent): Progress {
  if (event.experiment_id !== progress.id) return progress;
  switch (event.type) {
    case "message_progress":
      return {
        ...progress,
        sent: Math.max(progress.sent, event.sent_count),
        failed: Math.max(progress.failed, event.failed_count),
        total: event.total_count,
      };
    case "experiment_stopped":
      return { ...progress, status: event.status };
    case "cluster_update":
      return progress;
  }
}

/** From 0 to 1; null for a run that has no end of its own. */
export function fractionOf({ sent, failed, total }: Progress): number | null {
  return total === 0 ? null : Math.min(1, (sent + failed) / total);
}

export function isOn(status: ExperimentStatus): boolean {
  return status === "running" || status === "finalizing";
}
