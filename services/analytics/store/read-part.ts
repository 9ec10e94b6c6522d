/** @module Reads what a node has of a run: SQL joins and orders, and hands over a message at a time. */
import type { DatabaseSync } from "node:sqlite";
import { ColumnBuilder, type EventColumns } from "../columns.ts";
import type { ExperimentRow, MessageEventRow, SystemMetricRow, TopologySnapshotRow } from "../contract.ts";
import type { RunPart } from "../run-records.ts";
import { eventRow, experimentRow, metricRow, snapshotRow } from "./rows.ts";

/** Stands between node ids in one text of SQL; no id has it, for `record` takes none with control characters. */
export const SEPARATOR = "\u001f";

/**
 * The time of a message's send, which alone has no target; null when none was recorded. As the one `max` of a statement
 * it makes SQLite take bare columns, such as the originator, from the row of the send.
 */
export const SENT_AT = "max(CASE WHEN target_node IS NULL THEN event_timestamp END) AS sent_at";

/** All that this node has of a run; with `rows` its events one by one too. */
export function localPart(db: DatabaseSync, nodeId: string, experimentId: string, rows: boolean): RunPart {
  return {
    node_id: nodeId,
    experiment: readExperiment(db, experimentId),
    events: readColumns(db, experimentId),
    rows: rows ? readEvents(db, experimentId) : null,
    metrics: readMetrics(db, experimentId),
    snapshots: readSnapshots(db, experimentId),
  };
}

export function readExperiment(db: DatabaseSync, experimentId: string): ExperimentRow | null {
  const raw = db.prepare("SELECT * FROM experiments WHERE id = ?").get(experimentId);
  return raw ? experimentRow(raw) : null;
}

export function readMetrics(db: DatabaseSync, experimentId: string): SystemMetricRow[] {
  const rows = db.prepare("SELECT * FROM system_metrics WHERE experiment_id = ? ORDER BY inserted_at, id");
  return rows.all(experimentId).map(metricRow);
}

export function readSnapshots(db: DatabaseSync, experimentId: string): TopologySnapshotRow[] {
  const rows = db.prepare(
    "SELECT * FROM topology_snapshots WHERE experiment_id = ? ORDER BY inserted_at, id",
  );
  return rows.all(experimentId).map(snapshotRow);
}

function readEvents(db: DatabaseSync, experimentId: string): MessageEventRow[] {
  const rows = db.prepare(
    "SELECT * FROM message_events WHERE experiment_id = ? ORDER BY event_timestamp, message_id, event_type, target_node",
  );
  return rows.all(experimentId).map(eventRow);
}

/** What the statement of `readColumns` selects; the last three are null of a message that nobody acknowledged. */
type RawMessage = readonly [
  messageId: string,
  originator: string,
  sentAt: number | null,
  targets: string | null,
  acked: string | null,
  received: string | null,
];

/**
 * The times of a message's acknowledgements come as one text: a row each would take three times as long for a million
 * of them. They are differences to some event of the run, because shorter numbers are read faster.
 */
function readColumns(db: DatabaseSync, experimentId: string): EventColumns {
  const base = Number(
    db
      .prepare("SELECT event_timestamp AS base FROM message_events WHERE experiment_id = ? LIMIT 1")
      .get(experimentId)?.base ?? 0,
  );
  const statement = db.prepare(
    `SELECT message_id, originating_node, ${SENT_AT},
         group_concat(target_node, char(31)) AS targets,
         group_concat(event_timestamp - :base) FILTER (WHERE target_node IS NOT NULL) AS acked,
         group_concat(ifnull(receipt_timestamp - :base, '')) FILTER (WHERE target_node IS NOT NULL) AS received
       FROM message_events INDEXED BY message_events_of_experiment
       WHERE experiment_id = :experiment GROUP BY message_id`,
  );
  statement.setReturnArrays(true);
  // A number would be bound as a real one, and the differences come with a decimal point.
  const rows = statement.iterate({
    base: BigInt(base),
    experiment: experimentId,
  }) as unknown as Iterable<RawMessage>;
  const builder = new ColumnBuilder();
  // Most messages are acknowledged by the same nodes.
  const targetLists = new Map<string, readonly number[]>();
  const acks = new AckTimes(base);
  for (const [messageId, originator, sent, targets, acked, received] of rows) {
    builder.message(messageId, builder.node(originator), sent ?? Number.NaN);
    if (targets === null) continue;
    let list = targetLists.get(targets);
    if (!list) {
      list = targets.split(SEPARATOR).map((id) => builder.node(id));
      targetLists.set(targets, list);
    }
    acks.read(acked ?? "", received ?? "", list.length);
    for (let i = 0; i < list.length; i++) builder.ack(list[i]!, acks.acked[i]!, acks.received[i]!);
  }
  return builder.build();
}

const COMMA = 44;
const MINUS = 45;
const ZERO = 48;

/** Times of one message's acknowledgements; their room is used again for the next message. */
class AckTimes {
  acked = new Float64Array(16);
  received = new Float64Array(16);
  readonly #base: number;

  constructor(base: number) {
    this.#base = base;
  }

  /** Both texts hold `count` integers between commas, as SQLite wrote them; the base is added to each. */
  read(acked: string, received: string, count: number): void {
    if (count > this.acked.length) {
      this.acked = new Float64Array(count * 2);
      this.received = new Float64Array(count * 2);
    }
    this.#integers(acked, this.acked, count);
    this.#integers(received, this.received, count);
  }

  /** NaN where there is none. */
  #integers(text: string, into: Float64Array, count: number): void {
    let at = 0;
    for (let i = 0; i < count; i++) {
      const start = at;
      const negative = text.charCodeAt(at) === MINUS;
      if (negative) at += 1;
      let value = 0;
      for (; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code === COMMA) break;
        value = value * 10 + code - ZERO;
      }
      into[i] = at > start ? this.#base + (negative ? -value : value) : Number.NaN;
      at += 1;
    }
  }
}
