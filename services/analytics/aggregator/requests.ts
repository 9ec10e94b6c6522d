/** @module What reports may be asked for with: the shapes of the actions' params. */
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { ReportKind, Scope } from "../contract.ts";
import { checkRunId } from "../run-id.ts";

const KINDS: readonly ReportKind[] = ["summary", "timing", "metrics", "events", "topology", "performance"];
const FORMATS = ["json", "csv"] as const;
/** Experiments that one comparison takes. */
const MAX_COMPARED = 20;

export const SCOPE = { type: "enum", values: ["cluster", "local"], optional: true, default: "cluster" };
const FORMAT = { type: "enum", values: [...FORMATS], optional: true, default: "json" };
const FLAG = { type: "boolean", optional: true, default: true };

export interface GetRequest {
  readonly experiment_id: string;
  readonly kind: ReportKind;
  readonly scope: Scope;
}

export const GET_PARAMS = {
  experiment_id: { type: "string" },
  kind: { type: "enum", values: [...KINDS] },
  scope: SCOPE,
};

export interface ExportRequest {
  readonly experiment_id: string;
  readonly format: (typeof FORMATS)[number];
  readonly include_raw_events: boolean;
  readonly include_system_metrics: boolean;
  readonly scope: Scope;
}

export const EXPORT_PARAMS = {
  experiment_id: { type: "string" },
  format: FORMAT,
  include_raw_events: FLAG,
  include_system_metrics: FLAG,
  scope: SCOPE,
};

export interface CompareRequest {
  /** With commas. */
  readonly ids: string;
  readonly format: (typeof FORMATS)[number];
  readonly scope: Scope;
}

export const COMPARE_PARAMS = { ids: { type: "string" }, format: FORMAT, scope: SCOPE };

/** The ids of a comparison, each once. Throws `invalid_request` for none, too many, and those that are no ids. */
export function comparedIds(ids: string): readonly string[] {
  const list = [...new Set(ids.split(",").map((id) => id.trim()))].filter((id) => id !== "");
  if (list.length > 0 && list.length <= MAX_COMPARED) return list.map(checkRunId);
  const rule = `must be 1 to ${MAX_COMPARED} ids with commas between them`;
  throw new CorrosionError("invalid_request", `ids ${rule}.`, { fields: { ids: rule } });
}
