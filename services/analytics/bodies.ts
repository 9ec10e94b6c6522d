/** @module Bodies of the reports of a run (contract corroport, section 6); who reported is added by who asked. */
import type { Timestamp } from "../../lib/clock.ts";
import type { Transport } from "../acks/contract.ts";
import type {
  ExperimentRow,
  ExperimentStatus,
  MessageEventRow,
  Reported,
  SystemMetricRow,
  TopologySnapshotRow,
} from "./contract.ts";
import type { Histogram, LatencyStats } from "./maths.ts";
import type { Line, MessageFlow, NodePerformance, ReceiptSummary } from "./series.ts";

/** The row with its times in text. */
type Timed<Row, Keys extends keyof Row> = Omit<Row, Keys> & {
  readonly [Key in Keys]: Timestamp | Extract<Row[Key], null>;
};

export type ExperimentJson = Timed<ExperimentRow, "started_at" | "ended_at">;
export type MessageEventJson = Timed<
  MessageEventRow,
  "event_timestamp" | "receipt_timestamp" | "inserted_at"
>;
export type SystemMetricJson = Timed<SystemMetricRow, "inserted_at"> & { readonly erlang_processes: number };
export type TopologySnapshotJson = Timed<TopologySnapshotRow, "inserted_at" | "updated_at">;

export interface SummaryBody {
  readonly topology_snapshots_count: number;
  /** Sends and acknowledgements. */
  readonly message_count: number;
  readonly send_count: number;
  readonly ack_count: number;
  readonly system_metrics_count: number;
  readonly ack_rate: number | null;
  readonly remote_node_count: number;
  readonly experiment: ExperimentJson | null;
}

/** Latencies are null while nobody acknowledged. */
export interface MessageTiming {
  readonly message_id: string;
  readonly send_time: Timestamp;
  readonly ack_count: number;
  readonly min_latency_ms: number | null;
  readonly max_latency_ms: number | null;
  readonly avg_latency_ms: number | null;
}

/** In the order in which the messages were sent. */
export interface TimingBody {
  readonly timing_stats: readonly MessageTiming[];
  readonly count: number;
}

export interface MetricsBody {
  readonly system_metrics: readonly SystemMetricJson[];
  readonly count: number;
}

export interface EventsBody {
  readonly message_events: readonly MessageEventJson[];
  readonly count: number;
}

export interface TopologyBody {
  readonly topology_snapshots: readonly TopologySnapshotJson[];
  readonly count: number;
}

/** What the charts draw. */
export interface PerformanceBody {
  readonly summary: {
    readonly send_count: number;
    readonly ack_count: number;
    readonly ack_rate: number | null;
    readonly remote_node_count: number;
    /** The run's first send; null before it. */
    readonly first_send_at: Timestamp | null;
  };
  readonly latency: LatencyStats;
  readonly per_node_performance: readonly NodePerformance[];
  readonly latency_histogram: Histogram;
  /** x ms since the first send, y the round trip in ms. */
  readonly rtt_time_series: readonly Line[];
  /** x the message's place in the run, from 1; y ms since this node's first receipt, on its own clock. */
  readonly receipt_staircase: readonly Line[];
  readonly receipt_summary: ReceiptSummary;
  readonly message_flows: readonly MessageFlow[];
}

/** Every report by its kind. */
export interface ReportBodies {
  readonly summary: SummaryBody;
  readonly timing: TimingBody;
  readonly metrics: MetricsBody;
  readonly events: EventsBody;
  readonly topology: TopologyBody;
  readonly performance: PerformanceBody;
}

/** `experiments/list`, the latest first. */
export interface ExperimentList extends Pick<Reported, "nodes_reporting" | "nodes_missing"> {
  readonly experiments: readonly ListEntry[];
  readonly count: number;
}

export interface ListEntry {
  readonly experiment_id: string;
  /** Events: sends and acknowledgements. */
  readonly message_count: number;
  readonly send_count: number;
  readonly ack_count: number;
  readonly time_range: { readonly start: Timestamp; readonly end: Timestamp } | null;
  /** Null where no node has its row: only what nodes recorded is left. */
  readonly status: ExperimentStatus | null;
  readonly transport: Transport | null;
  readonly started_at: Timestamp | null;
  readonly ended_at: Timestamp | null;
  readonly run_count: number | null;
}

/** What stands at the top of an export and of a comparison. */
export interface ExportMetadata {
  readonly exported_at: Timestamp;
  readonly exporter_version: string;
  readonly node_id: string;
  readonly region: string;
}

/** Of the export of one run: also whose records it holds. */
export interface RunExportMetadata extends ExportMetadata {
  readonly nodes_reporting: readonly string[];
  readonly nodes_missing: readonly string[];
}

/** One run of a comparison; a run that nobody knows has zeros and nulls. */
export interface ComparedExperiment {
  readonly experiment_id: string;
  readonly started_at: string | null;
  readonly duration_seconds: number | null;
  readonly node_count: number;
  /** Sends. */
  readonly message_count: number;
  readonly ack_count: number;
  /** The ack rate, in percent. */
  readonly success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly p95_latency_ms: number | null;
}

export interface Comparison {
  readonly metadata: ExportMetadata;
  readonly experiments: readonly ComparedExperiment[];
  readonly count: number;
}
