/** @module What the acks room offers on the bus: sent messages, their acknowledgements, receptions. Per node. */
import type { Timestamp } from "../../lib/clock.ts";
import type { MessageRow } from "../corrosion/contract.ts";

export type Transport = "gossip" | "pubsub";

/* `messages` (send, list, latest, regions, byRegion, prune) */

/** `messages.send` */
export interface SendMessage {
  /** 1 to 8 KiB. */
  readonly content: string;
  /** Of the run that sends it. */
  readonly experiment_id?: string;
  /** Index in the run, from 1. */
  readonly index?: number;
}
export interface SentMessage {
  readonly pk: string;
  /** Microseconds in text: the clock read before the insert. */
  readonly timestamp: Timestamp;
  readonly node_id: string;
  readonly sequence: number;
}

/**
 * `messages.list` with `{limit?, before?}`, sequence descending, and pk descending where two nodes sent in the same
 * millisecond. `before` is a sequence, or the pk of the last row that the caller has, which leaves out nothing.
 */
export interface MessageList {
  readonly messages: readonly MessageRow[];
  readonly count: number;
}

/** `messages.regions`, `messages.byRegion` with `{region, limit?}` answers `MessageList`. */
export interface RegionCount {
  readonly region: string;
  readonly messages: number;
  readonly nodes: number;
  readonly last_message_at: string;
}

/** `messages.prune`. */
export interface Pruned {
  readonly deleted: number;
}

/* `acks.tracker` (track, untrack, knows, acknowledge, status, reset) */

export type ItemState = "pending" | "complete" | "partial" | "unacked";

/** `acks.tracker.track`: freezes the expected nodes. */
export interface Track {
  readonly pk: string;
  readonly transport: Transport;
  readonly expected: readonly string[];
  /** Of the originator's clock, microseconds since 1970; read before the write goes out. */
  readonly sent_at_us: number;
  readonly experiment_id: string | null;
}

/** `acks.tracker.acknowledge` */
export interface Acknowledge {
  readonly pk: string;
  readonly node_id: string;
  /** As the receiver says; null when it says nothing. */
  readonly receipt_timestamp: Timestamp | null;
  /** When it arrived here, on the clock of `sent_at_us`; without it: now. */
  readonly arrived_at_us?: number;
  /** By which it came; one for an item of another transport is unknown. Without it: any. */
  readonly transport?: Transport;
}
export interface Acknowledged {
  /** `repeated`: this node's acknowledgement was there; `unknown`: no such item. */
  readonly outcome: "counted" | "repeated" | "unknown";
  readonly late: boolean;
}

export interface Acknowledgement {
  readonly node_id: string;
  readonly region: string;
  /** When it arrived here. */
  readonly timestamp: Timestamp;
  readonly receipt_timestamp: Timestamp | null;
  /** Arrival - send, of one clock. */
  readonly latency_ms: number;
  readonly late: boolean;
}

export interface TrackedMessage {
  readonly pk: string;
  readonly timestamp: Timestamp;
  readonly node_id: string;
}

/** The local event `ack_counted`: an item got its first acknowledgement of a node, be it the latest item or not. */
export interface AckCounted {
  readonly node_id: string;
  readonly pk: string;
  readonly ack_node_id: string;
}

/** `acks.tracker.status` with `{pk?}` (the latest item without), GET /api/acks and the local event `ack_events`. */
export interface AckStatus {
  readonly node_id: string;
  readonly latest_message: TrackedMessage | null;
  readonly acknowledgments: readonly Acknowledgement[];
  readonly ack_count: number;
  readonly regions: readonly string[];
  readonly expected: readonly string[];
  readonly state: ItemState | null;
  readonly transport: Transport | null;
  readonly deadline_at: Timestamp | null;
}

/* `acks.sender` (stats, all, duplicates, get, status, deliver) */

/** An entry of the dedupe store, and the payload of the local event `reception_updates`. */
export interface Reception {
  readonly node_id: string;
  readonly message_pk: string;
  readonly reception_count: number;
  readonly first_seen: Timestamp;
  readonly last_seen: Timestamp;
  readonly ack_state: "pending" | "acked" | "failed";
  readonly attempts: number;
  readonly last_error: string | null;
}

/** `acks.sender.status` */
export interface SenderStatus {
  readonly node_id: string;
  readonly queued: number;
  readonly sending: number;
  readonly entries: number;
  readonly acked: number;
  readonly failed: number;
  /** Refused because the queue was full. */
  readonly dropped: number;
}

/** `acks.sender.stats` */
export interface ReceptionStats extends SenderStatus {
  /** Of all entries together. */
  readonly receptions: number;
  /** Entries that were received more than once. */
  readonly duplicated: number;
  /** Receptions of the entry that has most; 0 without entries. */
  readonly most: number;
}

/**
 * `acks.sender.all` with `{min?, limit?, scope?}` and `acks.sender.duplicates` with `{min?}`: the latest received first,
 * at most `limit` of each node.
 */
export interface Receptions {
  readonly receptions: readonly Reception[];
  /** Of the receptions here. */
  readonly count: number;
  readonly scope: "local" | "cluster";
  readonly nodes_reporting: readonly string[];
  /** Nodes that did not answer. */
  readonly nodes_missing: readonly string[];
}

/**
 * `acks.sender.deliver`: one acknowledgement to its originator, under the sender's rules; both transports use it.
 * Resolves when it was accepted for delivery.
 */
export interface Deliver {
  readonly transport: Transport;
  readonly pk: string;
  readonly originator: string;
  /** `host:port` of its ack API, as the message says. */
  readonly endpoint: string;
  /** When it arrived on this node. */
  readonly receipt_timestamp: Timestamp;
}

/* `acks.diagnosis` (probe, report) */

/** `acks.diagnosis.probe`: one acknowledgement by hand, outside the sender's rules. */
export interface Probe {
  /** `host:port`; null: this node's own ack API. */
  readonly endpoint: string | null;
  readonly pk: string;
  /** Who is said to have received it; null: this node. */
  readonly ack_node_id: string | null;
}
export interface Probed {
  readonly endpoint: string;
  /** Null when there was no answer. */
  readonly status: number | null;
  /** The answer's body, or why there was none. */
  readonly answer: string;
  readonly elapsed_ms: number;
}

/** `acks.diagnosis.report`: what a message needs on its way there and back, in that order. */
export interface Diagnosis {
  readonly node_id: string;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

/* `acks.drill` (send) and its bus event `pubsub_ack_test` */

/** `acks.drill.send` */
export interface SendDrill extends Omit<SendMessage, "content"> {
  /** 1 to 8 KiB; without it a sentence. */
  readonly content?: string;
}
export interface SentDrill extends SentMessage {
  /** The `pk` of it. */
  readonly request_id: string;
}

export interface DrillRequest {
  readonly request_id: string;
  readonly originating_node_id: string;
  readonly originating_endpoint: string;
  readonly timestamp: Timestamp;
  readonly message: string;
  readonly region: string;
}
