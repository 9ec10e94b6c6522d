/** @module What a scripted node answers of experiments: runs of three nodes, in the states that a test asks for. */
import type { Context } from "moleculer";
import type { ExperimentJson, ReportBodies } from "../../services/analytics/bodies.ts";
import type { AggregationStatus } from "../../services/analytics/contract.ts";
import { histogram, latencyStats } from "../../services/analytics/maths.ts";
import type { Actions } from "../helpers/console.ts";

export const AT = "2026-01-02T03:04:05.678901Z";
const INTERVAL_MS = 500;
const MESSAGES = 20;

export const experiment = (more: Partial<ExperimentJson> = {}): ExperimentJson => ({
  id: "r1",
  status: "completed",
  owner_node: "dev-node1",
  transport: "gossip",
  message_count: MESSAGES,
  interval_ms: INTERVAL_MS,
  payload_bytes: 0,
  sent_count: MESSAGES,
  failed_count: 0,
  expected_nodes: ["dev-node1", "dev-node2", "dev-node3"],
  run_count: 1,
  started_at: AT,
  ended_at: "2026-01-02T03:04:18.678901Z",
  error: null,
  ...more,
});

export const STATUS: AggregationStatus = {
  active_nodes: ["dev-node2", "dev-node3"].map((node_id, at) => ({
    node_id,
    region: node_id,
    phoenix_port: 4002 + at,
    is_local: false,
  })),
  node_count: 2,
  local_node_id: "dev-node1",
  experiment: null,
};

export const entry = (id: string, more: object = {}) => ({
  experiment_id: id,
  message_count: 60,
  send_count: MESSAGES,
  ack_count: 40,
  time_range: { start: AT, end: AT },
  status: "completed",
  transport: "gossip",
  started_at: AT,
  ended_at: "2026-01-02T03:04:18.678901Z",
  run_count: 1,
  ...more,
});

/** Who reported, and who did not. */
export const report = (missing: readonly string[] = []) => ({
  node_id: "dev-node1",
  timestamp: AT,
  nodes_reporting: ["dev-node1"],
  nodes_missing: missing,
});

/** Round trips of a node in ms, one a message: from quick to slow, so that every colour of the distribution is there. */
const ROUND_TRIPS: Readonly<Record<string, (message: number) => number>> = {
  "dev-node2": (message) => 20 + ((message * 37) % 330),
  "dev-node3": (message) => 240 + ((message * 53) % 760),
};

export interface Measured {
  readonly row: ExperimentJson | null;
  /** Nodes that have acknowledged every message so far. */
  readonly from: readonly string[];
  /** How many messages were sent so far. */
  readonly messages: number;
}

export const DONE: Measured = { row: experiment(), from: ["dev-node2", "dev-node3"], messages: MESSAGES };

/** Every report of a run of which so much is known. */
export function reportsOf({ row, from, messages }: Measured): Omit<ReportBodies, "events" | "topology"> {
  const places = Array.from({ length: messages }, (_, at) => at);
  const tripsOf = (node: string) => places.map((place) => ROUND_TRIPS[node]!(place));
  const statsOf = (trips: readonly number[]) =>
    latencyStats(Float64Array.from(trips, (ms) => ms * 1000).sort());
  const all = from.flatMap(tripsOf);
  const sends = { send_count: messages, ack_count: all.length };
  const rate = messages === 0 ? null : (100 * from.length) / 2;
  const line = (node_id: string, points: readonly (readonly [number, number])[]) => ({
    node_id,
    points,
    point_count: points.length,
  });
  return {
    summary: {
      ...sends,
      topology_snapshots_count: 3,
      message_count: messages + all.length,
      system_metrics_count: 6,
      ack_rate: rate,
      remote_node_count: 2,
      experiment: row,
    },
    timing: {
      timing_stats: places.map((place) => {
        const { min_ms, max_ms, avg_ms } = statsOf(from.map((node) => ROUND_TRIPS[node]!(place)));
        return {
          message_id: `dev-node1_${1767323045678 + place * INTERVAL_MS}`,
          send_time: new Date(Date.parse(AT) + place * INTERVAL_MS).toISOString(),
          ack_count: from.length,
          min_latency_ms: min_ms,
          max_latency_ms: max_ms,
          avg_latency_ms: avg_ms,
        };
      }),
      count: messages,
    },
    metrics: {
      system_metrics: ["dev-node1", "dev-node2", "dev-node3"].flatMap((node_id, at) =>
        [0, 1].map((id) => ({
          id,
          experiment_id: "r1",
          node_id,
          cpu_percent: 8.5 + at,
          memory_mb: 471,
          runtime_handles: 360,
          erlang_processes: 360,
          corrosion_connections: 1,
          message_queue_length: 0,
          event_loop_lag_ms: 1.5,
          inserted_at: AT,
        })),
      ),
      count: 6,
    },
    performance: {
      summary: { ...sends, ack_rate: rate, remote_node_count: 2, first_send_at: AT },
      latency: statsOf(all),
      per_node_performance: from.map((node_id) => {
        const { median_ms, sample_count, ...stats } = statsOf(tripsOf(node_id));
        return { node_id, ack_count: sample_count, p50_ms: median_ms, ...stats };
      }),
      latency_histogram: histogram(Float64Array.from(all, (ms) => ms * 1000).sort()),
      rtt_time_series: from.map((node) =>
        line(
          node,
          tripsOf(node).map((ms, at) => [at * INTERVAL_MS, ms]),
        ),
      ),
      receipt_staircase: from.map((node) =>
        line(
          node,
          places.map((at) => [at + 1, at * INTERVAL_MS + (at % 3) * 60 * (node === "dev-node3" ? 2 : 1)]),
        ),
      ),
      receipt_summary: {
        message_count: messages,
        receipt_count: all.length,
        average_receipts: messages === 0 ? null : from.length,
        node_count: from.length,
      },
      message_flows: [],
    },
  };
}

/** The answer to a report that was asked for; of this run, whichever it is. */
export function answered(ctx: Context, measured: Measured, missing: readonly string[] = []): object {
  // The gateway has seen to it that the kind is one of them; the page asks for these alone.
  const { kind } = ctx.params as { kind: keyof ReturnType<typeof reportsOf> };
  return { experiment_id: "r1", ...reportsOf(measured)[kind], ...report(missing) };
}

/** A node with two runs that are over; nothing is on. */
export const WELL: Actions = {
  "analytics.aggregator.status": () => STATUS,
  "analytics.aggregator.list": () => ({ experiments: [entry("r1"), entry("r2")], count: 2, ...report() }),
  "analytics.aggregator.get": (ctx: Context) => answered(ctx, DONE),
};
