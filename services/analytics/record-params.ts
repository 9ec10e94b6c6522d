/** @module What `analytics.store.record` takes: shapes of the rows, for the validator. */
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { Recorded } from "./contract.ts";

/** Ids of nodes and messages: no control characters, which reports put between them. */
const id = { type: "string", min: 1, max: 255, pattern: /^\P{Cc}+$/u } as const;
const runId = { type: "string", pattern: /^(?!\.)[A-Za-z0-9._-]{1,64}$/ } as const;
/** Microseconds and counts: what SQLite and JSON both hold exactly. */
const integer = { type: "number", integer: true, min: 0, max: Number.MAX_SAFE_INTEGER } as const;
const orNull = <Rule extends object>(rule: Rule) => ({ ...rule, nullable: true });

const event = {
  message_id: id,
  experiment_id: runId,
  originating_node: id,
  target_node: orNull(id),
  event_type: { type: "enum", values: ["sent", "acked"] },
  region: orNull({ type: "string", max: 255 }),
  transaction_size_hint: orNull(integer),
  event_timestamp: integer,
  receipt_timestamp: orNull(integer),
} as const;

const metric = {
  experiment_id: runId,
  node_id: id,
  cpu_percent: { type: "number" },
  memory_mb: { type: "number" },
  runtime_handles: integer,
  corrosion_connections: integer,
  message_queue_length: integer,
  event_loop_lag_ms: { type: "number" },
  inserted_at: integer,
} as const;

const snapshot = {
  experiment_id: runId,
  node_id: id,
  bootstrap_peers: { type: "array", items: "string" },
  transaction_size_bytes: orNull(integer),
  transaction_frequency_ms: orNull(integer),
  inserted_at: integer,
  updated_at: integer,
} as const;

const experiment = {
  id: runId,
  status: {
    type: "enum",
    values: ["running", "finalizing", "completed", "stopped", "failed", "interrupted"],
  },
  owner_node: id,
  transport: { type: "enum", values: ["gossip", "pubsub"] },
  message_count: integer,
  interval_ms: integer,
  payload_bytes: integer,
  sent_count: integer,
  failed_count: integer,
  expected_nodes: { type: "array", items: id },
  run_count: integer,
  started_at: integer,
  ended_at: orNull(integer),
  error: orNull({ type: "string" }),
} as const;

const rows = (props: object) => ({ type: "array", optional: true, items: { type: "object", props } });

export const recordParams = {
  events: rows(event),
  metrics: rows(metric),
  snapshots: rows(snapshot),
  experiments: rows(experiment),
};

/** Throws `invalid_request` when an event names no target and is an acknowledgement, or the other way round. */
export function checkTargets({ events = [] }: Recorded): void {
  for (const { event_type, message_id, target_node } of events) {
    if ((event_type === "acked") === (target_node !== null)) continue;
    const rule = event_type === "acked" ? "needs its target_node" : "has no target_node";
    throw new CorrosionError("invalid_request", `The ${event_type} event of ${message_id} ${rule}.`);
  }
}
