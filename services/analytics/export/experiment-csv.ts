/** @module The export of one run as CSV: `section,key,field,value`, a row for each value of the JSON. Pure. */
import { type CsvValue, csvFile } from "../../../lib/csv.ts";
import type { MessageEventJson } from "../bodies.ts";
import type { ExperimentExport } from "./experiment.ts";

export const EXPERIMENT_HEADER = ["section", "key", "field", "value"] as const;

/**
 * `section` is where the value stands in the JSON down to the last list; `key` which element of that list it is
 * of: its own name, or its place from 0; `field` its name there. Raw events follow by `rawEventRows`.
 */
export function experimentCsv(data: ExperimentExport): string {
  return csvFile(EXPERIMENT_HEADER, experimentRows(data));
}

type Row = readonly [section: string, key: string, field: string, value: CsvValue];

function* experimentRows(data: ExperimentExport): Generator<Row> {
  yield* fields("metadata", "", data.metadata);
  yield* fields("experiment", "", data.experiment);
  yield* fields("topology", "", data.topology);
  const { latency, latency_histogram, message_flows, per_node_performance, rtt_time_series, summary } =
    data.performance;
  yield* fields("performance.summary", "", summary);
  yield* fields("performance.latency", "", latency);
  for (const { node_id, ...rest } of per_node_performance) {
    yield* fields("performance.per_node_performance", node_id, rest);
  }
  yield ["performance.latency_histogram", "", "bucket_width_ms", latency_histogram.bucket_width_ms];
  for (const { count, from_ms, to_ms } of latency_histogram.buckets) {
    yield ["performance.latency_histogram", `${from_ms}-${to_ms}`, "count", count];
  }
  for (const { node_id, point_count, points } of rtt_time_series) {
    yield ["performance.rtt_time_series", node_id, "point_count", point_count];
    for (const [x, y] of points) yield ["performance.rtt_time_series", node_id, String(x), y];
  }
  for (const { from_node, to_node, ...rest } of message_flows) {
    yield* fields("performance.message_flows", `${from_node} > ${to_node}`, rest);
  }
  for (const [i, metric] of data.system_metrics.entries()) yield* fields("system_metrics", String(i), metric);
}

/** The rows of raw events, of which `from` came before. */
export function* rawEventRows(events: readonly MessageEventJson[], from: number): Generator<Row> {
  for (const [i, event] of events.entries()) yield* fields("raw_events", String(from + i), event);
}

/** A list of values is one field; what has parts has a field for each, `part.name`. */
function* fields(section: string, key: string, value: object, prefix = ""): Generator<Row> {
  for (const [name, part] of Object.entries(value) as [string, unknown][]) {
    if (Array.isArray(part)) yield [section, key, prefix + name, part.join(" ")];
    else if (typeof part === "object" && part !== null)
      yield* fields(section, key, part, `${prefix}${name}.`);
    else yield [section, key, prefix + name, part as CsvValue];
  }
}
