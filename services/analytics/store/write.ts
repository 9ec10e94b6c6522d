/** @module Writes what was recorded, a batch in one transaction; and removes runs. */
import type { DatabaseSync } from "node:sqlite";
import type { Deleted, ExperimentRow, MessageEvent, SystemMetric, TopologySnapshot } from "../contract.ts";

/** What is written together. */
export interface Batch {
  readonly events: readonly (MessageEvent & { readonly inserted_at: number })[];
  readonly metrics: readonly SystemMetric[];
  readonly snapshots: readonly TopologySnapshot[];
  readonly experiments: readonly ExperimentRow[];
}

/** Rows that one delete removes: whoever else asks waits for no more than that. */
const DELETED_AT_ONCE = 20_000;

const TABLES = ["message_events", "system_metrics", "topology_snapshots"] as const;

/** Runs `work` in a transaction. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // A commit that failed may have ended the transaction itself.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

export class Writer {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** All of it or nothing. An event whose unique key is there already changes nothing. */
  write(batch: Batch): void {
    transaction(this.#db, () => {
      this.#experiments(batch.experiments);
      this.#events(batch.events);
      this.#metrics(batch.metrics);
      this.#snapshots(batch.snapshots);
    });
  }

  /** Removes one slice of a run, or of all of them; `more` while there is something left. */
  remove(experimentId: string | null): Deleted & { readonly more: boolean } {
    return transaction(this.#db, () => {
      let left = DELETED_AT_ONCE;
      for (const table of TABLES) left -= this.#removeFrom(table, experimentId, left);
      const rows = DELETED_AT_ONCE - left;
      if (left === 0) return { experiments: 0, rows, more: true };
      return { experiments: this.#removeExperiments(experimentId), rows, more: false };
    });
  }

  #removeFrom(table: (typeof TABLES)[number], experimentId: string | null, limit: number): number {
    if (limit === 0) return 0;
    const [where, values] = experimentId === null ? ["", []] : ["WHERE experiment_id = ?", [experimentId]];
    return Number(
      this.#db
        .prepare(`DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ${where} LIMIT ?)`)
        .run(...values, limit).changes,
    );
  }

  #removeExperiments(experimentId: string | null): number {
    const done =
      experimentId === null
        ? this.#db.prepare("DELETE FROM experiments").run()
        : this.#db.prepare("DELETE FROM experiments WHERE id = ?").run(experimentId);
    return Number(done.changes);
  }

  #events(events: Batch["events"]): void {
    const insert = this.#db.prepare(
      `INSERT INTO message_events (message_id, experiment_id, originating_node, target_node, event_type, region,
         transaction_size_hint, event_timestamp, receipt_timestamp, inserted_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    for (const event of events) {
      insert.run(
        event.message_id,
        event.experiment_id,
        event.originating_node,
        event.target_node,
        event.event_type,
        event.region,
        event.transaction_size_hint,
        event.event_timestamp,
        event.receipt_timestamp,
        event.inserted_at,
      );
    }
  }

  #metrics(metrics: Batch["metrics"]): void {
    const insert = this.#db.prepare(
      `INSERT INTO system_metrics (experiment_id, node_id, cpu_percent, memory_mb, runtime_handles,
         corrosion_connections, message_queue_length, event_loop_lag_ms, inserted_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const metric of metrics) {
      insert.run(
        metric.experiment_id,
        metric.node_id,
        metric.cpu_percent,
        metric.memory_mb,
        metric.runtime_handles,
        metric.corrosion_connections,
        metric.message_queue_length,
        metric.event_loop_lag_ms,
        metric.inserted_at,
      );
    }
  }

  #snapshots(snapshots: Batch["snapshots"]): void {
    const insert = this.#db.prepare(
      `INSERT INTO topology_snapshots (experiment_id, node_id, bootstrap_peers, transaction_size_bytes,
         transaction_frequency_ms, inserted_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const snapshot of snapshots) {
      insert.run(
        snapshot.experiment_id,
        snapshot.node_id,
        JSON.stringify(snapshot.bootstrap_peers),
        snapshot.transaction_size_bytes,
        snapshot.transaction_frequency_ms,
        snapshot.inserted_at,
        snapshot.updated_at,
      );
    }
  }

  #experiments(experiments: Batch["experiments"]): void {
    const replace = this.#db.prepare(
      `INSERT OR REPLACE INTO experiments (id, status, owner_node, transport, message_count, interval_ms, payload_bytes,
         sent_count, failed_count, expected_nodes, run_count, started_at, ended_at, error)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const row of experiments) {
      replace.run(
        row.id,
        row.status,
        row.owner_node,
        row.transport,
        row.message_count,
        row.interval_ms,
        row.payload_bytes,
        row.sent_count,
        row.failed_count,
        JSON.stringify(row.expected_nodes),
        row.run_count,
        row.started_at,
        row.ended_at,
        row.error,
      );
    }
  }
}
