/** @module Reports of what one node recorded that SQL answers by itself; the figures are those of the pure maths. */
import type { DatabaseSync } from "node:sqlite";
import { isoMicros } from "../../../lib/clock.ts";
import type { MessageTiming, SummaryBody, TimingBody } from "../bodies.ts";
import type { ExperimentPart } from "../contract.ts";
import { inMs, meanMs } from "../maths.ts";
import { summaryBody } from "../reports.ts";
import { readExperiment, SENT_AT, SEPARATOR } from "./read-part.ts";
import { experimentRow } from "./rows.ts";

/** Messages that the same nodes acknowledged are counted together: a run has few such groups. */
export function readSummary(db: DatabaseSync, experimentId: string): SummaryBody {
  const alike = db
    .prepare(
      `SELECT originating_node, targets, sent_at IS NOT NULL AS sends, count(*) AS messages FROM (
         SELECT originating_node, ${SENT_AT}, group_concat(target_node, char(31)) AS targets
         FROM message_events INDEXED BY message_events_of_experiment
         WHERE experiment_id = ? GROUP BY message_id
       ) GROUP BY 1, 2, 3`,
    )
    .iterate(experimentId);
  const nodes = new Set<string>();
  let [sends, acks, acksOfSends] = [0, 0, 0];
  for (const group of alike) {
    const messages = Number(group.messages);
    const originator = String(group.originating_node);
    const targets = group.targets === null ? [] : String(group.targets).split(SEPARATOR);
    sends += messages * Number(group.sends);
    acks += messages * targets.length;
    acksOfSends += messages * Number(group.sends) * targets.filter((target) => target !== originator).length;
    for (const node of [originator, ...targets]) nodes.add(node);
  }
  const count = (table: "system_metrics" | "topology_snapshots") =>
    Number(db.prepare(`SELECT count(*) AS n FROM ${table} WHERE experiment_id = ?`).get(experimentId)?.n);
  return summaryBody(
    {
      sends,
      acks,
      acksOfSends,
      nodes,
      metrics: count("system_metrics"),
      snapshots: count("topology_snapshots"),
    },
    readExperiment(db, experimentId),
  );
}

/** What the statement of `readTiming` selects; the last three are null of a message that nobody acknowledged. */
type TimingRow = readonly [
  messageId: string,
  sentAt: number,
  acks: number,
  least: number | null,
  greatest: number | null,
  sum: number | null,
];

/** A row per message whose send was recorded, in the order of the sends. */
export function readTiming(db: DatabaseSync, experimentId: string): TimingBody {
  const messages = db.prepare(
    `SELECT s.message_id, s.event_timestamp, count(a.message_id),
         min(max(0, a.event_timestamp - s.event_timestamp)),
         max(max(0, a.event_timestamp - s.event_timestamp)),
         sum(max(0, a.event_timestamp - s.event_timestamp))
       FROM message_events AS s INDEXED BY message_events_of_experiment
       LEFT JOIN message_events AS a INDEXED BY message_events_of_experiment
         ON a.experiment_id = s.experiment_id AND a.message_id = s.message_id
         AND a.target_node <> s.originating_node AND a.event_type = 'acked'
       WHERE s.experiment_id = ? AND s.event_type = 'sent' GROUP BY s.message_id`,
  );
  messages.setReturnArrays(true);
  // With arrays a row is what the statement selects, in its order.
  const rows = messages.iterate(experimentId) as unknown as Iterable<TimingRow>;
  const timing_stats: MessageTiming[] = [];
  for (const [message_id, sentAt, ack_count, least, greatest, sum] of rows) {
    timing_stats.push({
      message_id,
      send_time: isoMicros(sentAt),
      ack_count,
      min_latency_ms: inMs(least),
      max_latency_ms: inMs(greatest),
      avg_latency_ms: meanMs(sum ?? 0, ack_count),
    });
  }
  // Texts of times are in the order of the times.
  timing_stats.sort((a, b) => {
    if (a.send_time !== b.send_time) return a.send_time < b.send_time ? -1 : 1;
    return a.message_id < b.message_id ? -1 : 1;
  });
  return { timing_stats, count: timing_stats.length };
}

/** What this node knows of one run, or of each. */
export function readExperiments(db: DatabaseSync, nodeId: string, id: string | null): ExperimentPart[] {
  const [ofId, where, values] =
    id === null ? ["", "", []] : ["WHERE id = ?", "WHERE experiment_id = ?", [id]];
  const known = db
    .prepare(`SELECT * FROM experiments ${ofId}`)
    .all(...values)
    .map(experimentRow);
  const counted = db
    .prepare(
      `SELECT experiment_id, originating_node, sum(event_type = 'sent') AS sends, sum(event_type = 'acked') AS acks,
         min(event_timestamp) AS first, max(event_timestamp) AS last
       FROM message_events INDEXED BY message_events_of_experiment ${where}
       GROUP BY experiment_id, originating_node`,
    )
    .all(...values);
  const counts = Map.groupBy(counted, ({ experiment_id }) => String(experiment_id));
  const ids = new Set([...known.map((row) => row.id), ...counts.keys()]);
  return [...ids].map((experiment_id) => ({
    node_id: nodeId,
    experiment_id,
    experiment: known.find((row) => row.id === experiment_id) ?? null,
    counts: (counts.get(experiment_id) ?? []).map((row) => ({
      originating_node: String(row.originating_node),
      sends: Number(row.sends),
      acks: Number(row.acks),
      first: Number(row.first),
      last: Number(row.last),
    })),
  }));
}
