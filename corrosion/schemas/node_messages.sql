CREATE TABLE node_messages (
  pk TEXT NOT NULL PRIMARY KEY DEFAULT '',
  node_id TEXT NOT NULL DEFAULT 'no_id',
  message TEXT NOT NULL DEFAULT '',
  sequence INTEGER NOT NULL DEFAULT 0,
  timestamp TEXT NOT NULL DEFAULT '0',
  originating_endpoint TEXT NOT NULL DEFAULT '127.0.0.1:5001',
  region TEXT NOT NULL DEFAULT 'unknown'
);

CREATE INDEX node_messages_sequence ON node_messages (sequence DESC);
