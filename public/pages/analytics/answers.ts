/** @module What the node answers of experiments (contract corroport, section 6), beside the types of its rooms. */
import type { ReportBodies } from "../../../services/analytics/bodies.ts";
import type { Reported } from "../../../services/analytics/contract.ts";

/** A report of one run, of all nodes that answered. */
export type Report<Kind extends keyof ReportBodies> = ReportBodies[Kind] & Reported;

/** An experiment in the list of all. */
export interface ListEntry {
  readonly experiment_id: string;
  readonly send_count: number;
  readonly ack_count: number;
  readonly time_range: { readonly start: string; readonly end: string } | null;
  /** Null where no node has its row: only what nodes recorded is left. */
  readonly status: string | null;
  readonly transport: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
}

/** Newest first. */
export interface ExperimentList {
  readonly experiments: readonly ListEntry[];
  readonly count: number;
  readonly nodes_missing: readonly string[];
}

/** A run beside others. */
export interface ComparedRun {
  readonly experiment_id: string;
  readonly started_at: string | null;
  readonly duration_seconds: number | null;
  readonly node_count: number;
  readonly message_count: number;
  readonly ack_count: number;
  /** Percent. */
  readonly success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly p95_latency_ms: number | null;
}

export interface ComparisonAnswer {
  readonly experiments: readonly ComparedRun[];
  readonly nodes_missing: readonly string[];
}

const EXPERIMENTS = "/api/analytics/experiments";

/** Path of something of one run, e.g. `experimentPath("r1", "summary")`; without a part, of the run itself. */
export function experimentPath(id: string, part?: string): string {
  return `${EXPERIMENTS}/${encodeURIComponent(id)}${part === undefined ? "" : `/${part}`}`;
}

export function comparisonPath(ids: readonly string[], format: "json" | "csv"): string {
  return `${EXPERIMENTS}/compare?ids=${ids.map(encodeURIComponent).join(",")}&format=${format}`;
}

export const LIST_PATH = `${EXPERIMENTS}/list`;
export const ALL_PATH = EXPERIMENTS;
export const STATUS_PATH = "/api/analytics/aggregation/status";
