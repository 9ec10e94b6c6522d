/** @module The console's ready-made queries. */
import type { QueryPreset } from "../contract.ts";

const MESSAGE = "pk, node_id, message, sequence, timestamp, originating_endpoint, region";

export const PRESETS: readonly QueryPreset[] = [
  {
    id: "corro_members_all",
    label: "Corrosion members",
    badge: "Cluster",
    description:
      "Every member that this agent has written down, itself left out. Written once a minute by a real agent.",
    sql: `SELECT lower(hex(actor_id)) AS actor_id, address, json_extract(foca_state, '$.state') AS state, rtt_min, updated_at, foca_state
FROM __corro_members
ORDER BY address`,
    params: [],
  },
  {
    id: "tracked_peers_all",
    label: "Tracked peers",
    badge: "Cluster",
    description: "Peers that cr-sqlite tracks. Newer agents have no such table and say so.",
    sql: "SELECT * FROM crsql_tracked_peers",
    params: [],
  },
  {
    id: "node_messages_all",
    label: "All messages",
    badge: "Messages",
    description: "Every message that this node's agent holds, newest first.",
    sql: `SELECT ${MESSAGE}
FROM node_messages
ORDER BY sequence DESC`,
    params: [],
  },
  {
    id: "node_messages_latest",
    label: "Latest message of each node",
    badge: "Messages",
    description: "The message with the highest sequence of each node, newest first.",
    sql: `SELECT ${MESSAGE}
FROM node_messages AS m
WHERE sequence = (SELECT max(sequence) FROM node_messages WHERE node_id = m.node_id)
ORDER BY sequence DESC`,
    params: [],
  },
  {
    id: "active_regions",
    label: "Active regions",
    badge: "Regions",
    description: "Regions that sent something in the last so many minutes, with how much and when last.",
    // Times are ISO 8601 with microseconds: only a text of the same form compares with them.
    sql: `SELECT region, count(*) AS messages, count(DISTINCT node_id) AS nodes, max(timestamp) AS last_message_at
FROM node_messages
WHERE timestamp >= strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-' || :minutes_ago || ' minutes')
GROUP BY region
ORDER BY messages DESC, region`,
    params: [{ name: "minutes_ago", type: "integer", min: 1, default: 60 }],
  },
  {
    id: "messages_by_region",
    label: "Messages of a region",
    badge: "Regions",
    description: "Every message from one region, newest first.",
    sql: `SELECT ${MESSAGE}
FROM node_messages
WHERE region = :region
ORDER BY sequence DESC`,
    params: [{ name: "region", type: "text" }],
  },
  {
    id: "cluster_info",
    label: "Cluster",
    badge: "Cluster",
    description: "This agent's id and version, how many members it knows, and how many versions it misses.",
    sql: `SELECT lower(hex(crsql_site_id())) AS actor_id,
  crsql_db_version() AS db_version,
  (SELECT count(*) FROM __corro_members) AS members,
  (SELECT count(*) FROM __corro_members WHERE json_extract(foca_state, '$.state') = 'Alive') AS alive,
  (SELECT count(*) FROM crsql_db_versions) AS origins,
  (SELECT coalesce(sum("end" - start + 1), 0) FROM __corro_bookkeeping_gaps) AS missing_versions`,
    params: [],
  },
  {
    id: "database_info",
    label: "Database",
    badge: "API",
    description: "What the agent's API says: its health, and the rows of each table.",
    sql: null,
    params: [],
  },
];
