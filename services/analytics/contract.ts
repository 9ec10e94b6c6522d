/** @module What the analytics room offers on the bus: what was recorded of runs, and the runs themselves. */

import type { Timestamp } from "../../lib/clock.ts";
import type { Transport } from "../acks/contract.ts";
import type { ExperimentJson } from "./bodies.ts";

/*
 * `analytics.store` (record, flush, experiments, query, export, events, compared, part, chunk, delete, recordRun, runs, status): one SQLite file
 * a node. `record`, `flush` and `query` are of the own node; `part`, `chunk`, `experiments` and `delete` are asked by others too.
 */

export type EventType = "sent" | "acked";

/** A row of `message_events`; times are integer microseconds since 1970. */
export interface MessageEvent {
  readonly message_id: string;
  readonly experiment_id: string;
  readonly originating_node: string;
  /** Of `acked`: who acknowledged; null for `sent`. */
  readonly target_node: string | null;
  readonly event_type: EventType;
  readonly region: string | null;
  readonly transaction_size_hint: number | null;
  /** `sent`: the send; `acked`: the arrival on the originator's clock. */
  readonly event_timestamp: number;
  /** `acked`: when the receiver says that it received it, on its clock. */
  readonly receipt_timestamp: number | null;
}

/** As it is stored; `id` is of the node that stored it. */
export interface MessageEventRow extends MessageEvent {
  readonly id: number;
  readonly inserted_at: number;
}

/** A row of `system_metrics`. */
export interface SystemMetric {
  readonly experiment_id: string;
  readonly node_id: string;
  readonly cpu_percent: number;
  readonly memory_mb: number;
  readonly runtime_handles: number;
  readonly corrosion_connections: number;
  readonly message_queue_length: number;
  readonly event_loop_lag_ms: number;
  readonly inserted_at: number;
}

export interface SystemMetricRow extends SystemMetric {
  readonly id: number;
}

/** A row of `topology_snapshots`. */
export interface TopologySnapshot {
  readonly experiment_id: string;
  readonly node_id: string;
  readonly bootstrap_peers: readonly string[];
  readonly transaction_size_bytes: number | null;
  readonly transaction_frequency_ms: number | null;
  readonly inserted_at: number;
  readonly updated_at: number;
}

export interface TopologySnapshotRow extends TopologySnapshot {
  readonly id: number;
}

export type ExperimentStatus = "running" | "finalizing" | "completed" | "stopped" | "failed" | "interrupted";

/** A row of `experiments`. */
export interface ExperimentRow {
  readonly id: string;
  readonly status: ExperimentStatus;
  readonly owner_node: string;
  readonly transport: Transport;
  readonly message_count: number;
  readonly interval_ms: number;
  readonly payload_bytes: number;
  readonly sent_count: number;
  readonly failed_count: number;
  /** Node ids at the start, this one included. */
  readonly expected_nodes: readonly string[];
  readonly run_count: number;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly error: string | null;
}

/* `metrics.system` (start, stop, current) */

/** `metrics.system.current`. CPU, memory, handles and lag are of the process, which embedded nodes share. */
export interface CurrentMetrics {
  readonly node_id: string;
  /** The experiment that is sampled at present; null: none. */
  readonly experiment_id: string | null;
  /** Nodes with one pid are in one process. */
  readonly pid: number;
  /** The newest one, be it of a run that is over; null: there was none. */
  readonly sample: SystemMetric | null;
}

/* `analytics.aggregator` (start, stop, status, get, export, compare, list) and the bus event `experiment_control` */

export interface RunParameters {
  readonly experiment_id: string;
  /** 0 (manual) to 1000. */
  readonly message_count: number;
  /** 50 to 60000. */
  readonly interval_ms: number;
  readonly transport: Transport;
  readonly payload_bytes: number;
}

export interface ExperimentControl {
  readonly type: "start" | "tick" | "stop";
  readonly experiment_id: string;
  readonly owner_node: string;
  readonly parameters: RunParameters | null;
  /** Of `stop`. */
  readonly status?: ExperimentStatus;
  /** The run as its owner has it, so that the others can tell of it when the owner is gone. */
  readonly run: ExperimentRow;
}

/** `analytics.aggregator.start`: what a caller may leave out has the default in brackets. */
export interface StartRun {
  readonly experiment_id: string;
  /** [0] */
  readonly message_count?: number;
  /** [1000] */
  readonly interval_ms?: number;
  /** [gossip] */
  readonly transport?: Transport;
  /** 0 (no padding) to 8192. [0] */
  readonly payload_bytes?: number;
  /** Ends a run that is on. [false] */
  readonly replace?: boolean;
}

/** `analytics.aggregator.current`: the run that the node is in; null when there is none. */
export interface CurrentRun {
  readonly role: "leading" | "following";
  readonly run: ExperimentRow;
}

/** `analytics.aggregator.status` */
export interface AggregationStatus {
  /** The other nodes that can be reached at present. */
  readonly active_nodes: readonly {
    readonly node_id: string;
    readonly region: string;
    /** Where its pages are; null while it has none. */
    readonly phoenix_port: number | null;
    readonly is_local: false;
  }[];
  /** Of `active_nodes`. */
  readonly node_count: number;
  readonly local_node_id: string;
  /** The run that the node is in, times in text; null when it is in none. */
  readonly experiment: (ExperimentJson & { readonly role: CurrentRun["role"] }) | null;
}

/** `analytics.aggregator.delete`: on which nodes, and which could not be reached and so still have it. */
export interface DeletedOn {
  readonly experiment_id?: string;
  readonly deleted_on: readonly string[];
  readonly unreachable: readonly string[];
}

/** `analytics.aggregator.health` */
export interface AnalyticsHealth {
  readonly status: "ok" | "error";
  readonly region: string;
  readonly database: "ok" | "error";
  /** Why the database cannot be used; null when it can. */
  readonly problem: string | null;
  /** Whether the node hears of messages at present; those that it misses now it acknowledges later, or never. */
  readonly receiving: boolean;
}

/** `analytics.aggregator.claim`: a node lets the owner begin a run, and no other one for ten seconds. */
export interface Claim {
  readonly experiment_id: string;
  readonly owner_node: string;
  /** A run that the owner-to-be has ended, of which the node may not have heard yet; null: none. */
  readonly replaces: string | null;
}
export interface ClaimAnswer {
  readonly granted: boolean;
  /** Of a refusal: the run, or the claim, that is in the way. */
  readonly holder: Pick<Claim, "experiment_id" | "owner_node"> | null;
}

/** The local event `analytics_events`. */
export type AnalyticsEvent = { readonly node_id: string; readonly experiment_id: string } & AnalyticsNews;

/** `node_count`: nodes that answered a collection. */
export type AnalyticsNews =
  | { readonly type: "cluster_update"; readonly node_count: number }
  | {
      readonly type: "message_progress";
      readonly sent_count: number;
      readonly failed_count: number;
      readonly total_count: number;
    }
  | { readonly type: "experiment_stopped"; readonly status: ExperimentStatus };

/** `analytics.aggregator.get` with `{experiment_id, kind, scope}`; bodies as corroport, section 6. */
export type ReportKind = "summary" | "timing" | "metrics" | "events" | "topology" | "performance";
export type Scope = "cluster" | "local";

/**
 * `analytics.store.record`, answered at once with `{accepted}`: written within 50 ms, and before the next read. What is
 * there already by its unique key stays as it is; an experiment replaces the row of its id.
 */
export interface Recorded {
  readonly events?: readonly MessageEvent[];
  readonly metrics?: readonly SystemMetric[];
  readonly snapshots?: readonly TopologySnapshot[];
  readonly experiments?: readonly ExperimentRow[];
}

/** `analytics.store.experiments` with `{id?}`: what this node knows of each run, for `mergeExperiments`. */
export interface ExperimentPart {
  readonly node_id: string;
  readonly experiment_id: string;
  readonly experiment: ExperimentRow | null;
  /** By originating node, so that copies of one node's records count once. */
  readonly counts: readonly {
    readonly originating_node: string;
    readonly sends: number;
    readonly acks: number;
    /** Of their events. */
    readonly first: number;
    readonly last: number;
  }[];
}

/**
 * `analytics.store.part` with `{experiment_id, rows?}`: all that this node has of a run, packed, for the node that
 * merges. What does not fit one message of the bus is fetched with `analytics.store.chunk` and `{token, index}`.
 * `gatherPart` of parts.ts does both.
 */
export interface PartChunk {
  readonly token: string;
  readonly index: number;
  readonly chunks: number;
  /** Base64. */
  readonly data: string;
}

/** `analytics.store.query`: a body as corroport, section 6. Without `parts` it is of this node's own records alone. */
export interface Query {
  readonly experiment_id: string;
  readonly kind: ReportKind;
  /** Of every other node that answered, as `gatherPart` gives them. */
  readonly parts?: readonly Uint8Array[];
}

/** `analytics.store.export` -> `ExportFile` of export/file.ts, without raw events; parts as for `Query`. */
export interface ExportQuery {
  readonly experiment_id: string;
  readonly format: "json" | "csv";
  readonly include_system_metrics: boolean;
  /** Who is in it, and who is not though it should. */
  readonly nodes_reporting: readonly string[];
  readonly nodes_missing: readonly string[];
  readonly parts?: readonly Uint8Array[];
}

/** What is unique of an event of a run, and the order in which `analytics.store.events` gives them: a send first. */
export type EventKey = Pick<MessageEvent, "message_id" | "target_node">;

/** `analytics.store.events` with `{experiment_id, after?}`: this node's events of a run behind that one. */
export interface EventPage {
  readonly rows: readonly MessageEventRow[];
  /** What the next page is behind; null: there is none. */
  readonly next: EventKey | null;
}

/** `analytics.store.compared` -> `ComparedExperiment` of bodies.ts, a run's line in a comparison. */
export interface ComparedQuery {
  readonly experiment_id: string;
  readonly parts?: readonly Uint8Array[];
}

/** `analytics.store.delete` with `{experiment_id?}`; all of them without. */
export interface Deleted {
  readonly experiments: number;
  readonly rows: number;
}

/** `analytics.store.status` */
export interface StoreStatus {
  readonly ok: boolean;
  readonly problem: string | null;
}

/** When something was reported, and by whom; part of every report. */
export interface Reported {
  readonly node_id: string;
  readonly timestamp: Timestamp;
  readonly experiment_id: string;
  readonly nodes_reporting: readonly string[];
  readonly nodes_missing: readonly string[];
}
