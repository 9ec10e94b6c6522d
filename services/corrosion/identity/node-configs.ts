/** @module Rows of `node_configs`: which actor a node is, and where its agent joins. */
import { actorIdOf } from "../../../lib/actor-ids.ts";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import type { IdentityMap, NodeConfigRow } from "../contract.ts";

const COLUMNS = "node_id, corrosion_actor_id, bootstrap_hosts, updated_at, updated_by";

/** Each touches only what it is about: another writer's columns stay as they are. */
const REPORT_ACTOR = `INSERT INTO node_configs (node_id, corrosion_actor_id, updated_at, updated_by) VALUES (?, ?, ?, ?)
ON CONFLICT (node_id) DO UPDATE SET corrosion_actor_id = excluded.corrosion_actor_id,
updated_at = excluded.updated_at, updated_by = excluded.updated_by`;
const REPORT_HOSTS = `INSERT INTO node_configs (node_id, bootstrap_hosts, updated_at, updated_by) VALUES (?, ?, ?, ?)
ON CONFLICT (node_id) DO UPDATE SET bootstrap_hosts = excluded.bootstrap_hosts,
updated_at = excluded.updated_at, updated_by = excluded.updated_by`;

/** What a write says beside its value: when, and which node did it. */
export interface Written {
  readonly at: string;
  readonly by: string;
}

/** All rows, by node id. Throws `AgentError`. */
export async function readNodeConfigs(client: CorrosionClient): Promise<NodeConfigRow[]> {
  const { rows } = await client.query(`SELECT ${COLUMNS} FROM node_configs ORDER BY node_id`);
  return rows.map(([nodeId, actorId, hosts, updatedAt, updatedBy]) => ({
    node_id: String(nodeId),
    corrosion_actor_id: actorId == null ? null : String(actorId),
    bootstrap_hosts: String(hosts),
    updated_at: String(updatedAt),
    updated_by: String(updatedBy),
  }));
}

/** Writes the node's actor id if the row says something else. Returns whether it wrote. Throws `AgentError`. */
export async function reportActor(
  client: CorrosionClient,
  nodeId: string,
  actorId: string,
  { at, by }: Written,
): Promise<boolean> {
  const row = await ownRow(client, nodeId, "corrosion_actor_id");
  if (row !== null && actorIdOf(row) === actorId) return false;
  await client.transact([[REPORT_ACTOR, [nodeId, actorId, at, by]]]);
  return true;
}

/** Writes the node's bootstrap hosts if the row says something else. Returns whether it wrote. Throws `AgentError`. */
export async function reportHosts(
  client: CorrosionClient,
  nodeId: string,
  hosts: readonly string[],
  { at, by }: Written,
): Promise<boolean> {
  const text = JSON.stringify(hosts);
  if ((await ownRow(client, nodeId, "bootstrap_hosts")) === text) return false;
  await client.transact([[REPORT_HOSTS, [nodeId, text, at, by]]]);
  return true;
}

/** Which node each actor is. Of two nodes that claim one actor the one that said so last is it. */
export function identityMap(rows: readonly NodeConfigRow[]): IdentityMap {
  const byAge = [...rows].sort((a, b) => (a.updated_at < b.updated_at ? -1 : 1));
  return Object.fromEntries(
    byAge.flatMap(({ corrosion_actor_id, node_id }) => {
      const id = actorIdOf(corrosion_actor_id);
      return id === null ? [] : [[id, node_id]];
    }),
  );
}

async function ownRow(
  client: CorrosionClient,
  nodeId: string,
  column: "corrosion_actor_id" | "bootstrap_hosts",
): Promise<string | null> {
  const { rows } = await client.query([`SELECT ${column} FROM node_configs WHERE node_id = ?`, [nodeId]]);
  const value = rows[0]?.[0];
  return typeof value === "string" ? value : null;
}
