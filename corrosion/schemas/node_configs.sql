CREATE TABLE node_configs (
  node_id TEXT NOT NULL PRIMARY KEY,
  corrosion_actor_id TEXT,
  bootstrap_hosts TEXT NOT NULL DEFAULT '[]',
  updated_at TEXT NOT NULL DEFAULT '',
  updated_by TEXT NOT NULL DEFAULT ''
);
