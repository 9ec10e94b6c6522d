/** @module What the node answers of experiments (contract corroport, section 6), beside the types of its rooms. */
import type { Comparison, ReportBodies } from "../../../services/analytics/bodies.ts";
import type { Reported } from "../../../services/analytics/contract.ts";

/** A report of one run, of all nodes that answered. */
export type Report<Kind extends keyof ReportBodies> = ReportBodies[Kind] & Reported;

export type ComparisonAnswer = Comparison & Pick<Reported, "nodes_missing">;

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
