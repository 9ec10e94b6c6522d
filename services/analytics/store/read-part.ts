/** @module Reads what a node has of a run: SQL joins and orders, and hands over a message at a time. */
import type { DatabaseSync } from "node:sqlite";
import { ColumnBuilder, type EventColumns } from "../columns.ts";
import type { ExperimentRow, MessageEventRow, SystemMetricRow, TopologySnapshotRow } from "../contract.ts";
import type { RunPart } from "../run-records.ts";
import { eventRow, experimentRow, metricRow, snapshotRow } from "./rows.ts";

/** Stands between node ids in one text of SQL; no id has it, for `record` takes none with control characters. */
export const SEPARATOR = "\u001f";

/** Columns of a message of which the send was recorded, or else of its acknowledgements. */
export const ORIGINATOR = `coalesce(max(CASE event_type WHEN 'sent' THEN originating_node END), min(originating_node))`;

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
  const messages = db
    .prepare(
      `SELECT message_id, ${ORIGINATOR} AS originator,
         max(CASE event_type WHEN 'sent' THEN event_timestamp END) AS sent_at,
         group_concat(target_node, char(31)) AS targets,
         group_concat(CASE event_type WHEN 'acked' THEN event_timestamp - :base END) AS acked,
         group_concat(CASE event_type WHEN 'acked' THEN ifnull(receipt_timestamp - :base, '') END) AS received
       FROM message_events INDEXED BY message_events_of_experiment
       WHERE experiment_id = :experiment GROUP BY message_id`,
    )
    // A number would be bound as a real one, and the differences come with a decimal point.
    .iterate({ base: BigInt(base), experiment: experimentId });
  const builder = new ColumnBuilder();
  // Most messages are acknowledged by the same nodes.
  const targetLists = new Map<string, readonly number[]>();
  for (const { acked, message_id, originator, received, sent_at, targets } of messages) {
    const sentAt = sent_at === null ? Number.NaN : Number(sent_at);
    builder.message(String(message_id), builder.node(String(originator)), sentAt);
    if (targets === null) continue;
    const key = String(targets);
    let list = targetLists.get(key);
    if (!list) {
      list = key.split(SEPARATOR).map((id) => builder.node(id));
      targetLists.set(key, list);
    }
    const ackedAt = numbers(String(acked), list.length, base);
    const receivedAt = numbers(String(received), list.length, base);
    for (const [i, target] of list.entries()) builder.ack(target, ackedAt[i]!, receivedAt[i]!);
  }
  return builder.build();
}

const COMMA = 44;
const MINUS = 45;
const ZERO = 48;

/** `count` integers between commas, `base` added to each; NaN for an empty one. The text is SQLite's own. */
function numbers(text: string, count: number, base: number): Float64Array {
  const values = new Float64Array(count).fill(Number.NaN);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = at;
    const negative = text.charCodeAt(at) === MINUS;
    if (negative) at += 1;
    let value = 0;
    for (let code = text.charCodeAt(at); at < text.length && code !== COMMA; code = text.charCodeAt(++at)) {
      value = value * 10 + code - ZERO;
    }
    if (at > start) values[i] = base + (negative ? -value : value);
    at += 1;
  }
  return values;
}
