/** @module Tables of a node's analytics file, as numbered migrations (contract corroport, section 5). */
import type { DatabaseSync } from "node:sqlite";

/**
 * Each brings the file from the version before to its place in the list; what was released is never edited.
 * The first one meets files that only have `console_runs`.
 */
const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE IF NOT EXISTS console_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  preset TEXT,
  sql TEXT NOT NULL,
  params TEXT NOT NULL,
  mode TEXT NOT NULL,
  row_count INTEGER,
  elapsed_ms REAL,
  error TEXT
);
CREATE TABLE meta (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
);
CREATE TABLE experiments (
  id TEXT PRIMARY KEY NOT NULL,
  status TEXT NOT NULL,
  owner_node TEXT NOT NULL,
  transport TEXT NOT NULL,
  message_count INTEGER,
  interval_ms INTEGER,
  payload_bytes INTEGER,
  sent_count INTEGER,
  failed_count INTEGER,
  expected_nodes TEXT,
  run_count INTEGER,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  error TEXT
);
CREATE TABLE message_events (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  experiment_id TEXT NOT NULL,
  originating_node TEXT NOT NULL,
  target_node TEXT,
  event_type TEXT NOT NULL,
  region TEXT,
  transaction_size_hint INTEGER,
  event_timestamp INTEGER NOT NULL,
  receipt_timestamp INTEGER,
  inserted_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX message_events_once ON message_events (message_id, event_type, coalesce(target_node, ''));
CREATE TABLE system_metrics (
  id INTEGER PRIMARY KEY,
  experiment_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  cpu_percent REAL,
  memory_mb REAL,
  runtime_handles INTEGER,
  corrosion_connections INTEGER,
  message_queue_length INTEGER,
  event_loop_lag_ms REAL,
  inserted_at INTEGER NOT NULL
);
CREATE INDEX system_metrics_of_experiment ON system_metrics (experiment_id);
CREATE TABLE topology_snapshots (
  id INTEGER PRIMARY KEY,
  experiment_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  bootstrap_peers TEXT NOT NULL,
  transaction_size_bytes INTEGER,
  transaction_frequency_ms INTEGER,
  inserted_at INTEGER,
  updated_at INTEGER
);
CREATE INDEX topology_snapshots_of_experiment ON topology_snapshots (experiment_id);
`,
  // Holds all that a report reads, in the order in which it reads: a send, then its acknowledgements.
  `
CREATE INDEX message_events_of_experiment ON message_events
  (experiment_id, message_id, target_node, event_type, event_timestamp, receipt_timestamp, originating_node);
`,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the file to this program's version, each step in a transaction of its own. Throws a sentence when the file
 * is of a newer program.
 */
export function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `the analytics file is of schema version ${version}, and this program knows ${SCHEMA_VERSION}: run the newer program, or move the file away`,
    );
  }
  MIGRATIONS.slice(version).forEach((sql, step) => {
    db.exec("BEGIN IMMEDIATE");
    try {
      // Two that start on one file at the same time migrate it once.
      const done = Number(db.prepare("PRAGMA user_version").get()?.user_version);
      if (done < version + step + 1) db.exec(`${sql}; PRAGMA user_version = ${version + step + 1};`);
      db.exec("COMMIT");
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  });
}
