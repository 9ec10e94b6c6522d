/** @module The rows of `node_messages`, as a node's agent has them: written, listed, counted, pruned. */
import type { Cell } from "../../../lib/corrosion/client/events.ts";
import type { CorrosionClient, QueryResult } from "../../../lib/corrosion/client/http.ts";
import type { Statement } from "../../../lib/corrosion/client/statement.ts";
import { MESSAGE_COLUMNS } from "../../../lib/corrosion/message-columns.ts";
import type { MessageRow } from "../../corrosion/contract.ts";
import type { RegionCount } from "../contract.ts";

const COLUMNS = MESSAGE_COLUMNS.join(", ");
const PLACES = MESSAGE_COLUMNS.map(() => "?").join(", ");
/** Of two nodes' messages of one millisecond the order is theirs too, so that a page ends where the next begins. */
const NEWEST_FIRST = "ORDER BY sequence DESC, pk DESC LIMIT ?";
/** Own rows deleted by one statement. */
const PRUNE_BATCH = 500;

/** Where a page ends: behind a number, or behind one row. */
export type Before =
  | { readonly kind: "sequence"; readonly sequence: number }
  | { readonly kind: "row"; readonly sequence: number; readonly pk: string };

/** Reads `before`: digits are a sequence, anything that ends in `_` and digits is a pk; null for what is neither. */
export function parseBefore(text: string): Before | null {
  const digits = /(?:^|_)(\d+)$/.exec(text)?.[1];
  const sequence = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(sequence)) return null;
  return digits === text ? { kind: "sequence", sequence } : { kind: "row", sequence, pk: text };
}

/** A row that is there already is an error, never replaced. */
export function insertStatement(row: MessageRow): Statement {
  return [
    `INSERT INTO node_messages (${COLUMNS}) VALUES (${PLACES})`,
    MESSAGE_COLUMNS.map((column) => row[column]),
  ];
}

/** Newest first. Throws `AgentError`. */
export async function listRows(
  client: CorrosionClient,
  limit: number,
  before: Before | null,
): Promise<MessageRow[]> {
  const select = `SELECT ${COLUMNS} FROM node_messages`;
  if (before === null) return rowsOf(await client.query([`${select} ${NEWEST_FIRST}`, [limit]]));
  const { sequence } = before;
  if (before.kind === "sequence") {
    return rowsOf(await client.query([`${select} WHERE sequence < ? ${NEWEST_FIRST}`, [sequence, limit]]));
  }
  const where = "WHERE sequence <= ? AND (sequence < ? OR pk < ?)";
  return rowsOf(
    await client.query([`${select} ${where} ${NEWEST_FIRST}`, [sequence, sequence, before.pk, limit]]),
  );
}

/** The newest row of each node, newest first. Throws `AgentError`. */
export async function latestRows(client: CorrosionClient): Promise<MessageRow[]> {
  const columns = MESSAGE_COLUMNS.map((column) => `m.${column}`).join(", ");
  return rowsOf(
    await client.query(
      `SELECT ${columns} FROM node_messages m
JOIN (SELECT node_id, max(sequence) AS sequence FROM node_messages GROUP BY node_id) newest
ON m.node_id = newest.node_id AND m.sequence = newest.sequence
ORDER BY m.sequence DESC, m.pk DESC`,
    ),
  );
}

/** Newest first. Throws `AgentError`. */
export async function rowsOfRegion(
  client: CorrosionClient,
  region: string,
  limit: number,
): Promise<MessageRow[]> {
  return rowsOf(
    await client.query([
      `SELECT ${COLUMNS} FROM node_messages WHERE region = ? ${NEWEST_FIRST}`,
      [region, limit],
    ]),
  );
}

/** Regions with their messages, most first. Throws `AgentError`. */
export async function countRegions(client: CorrosionClient): Promise<RegionCount[]> {
  const { rows } = await client.query(
    `SELECT region, count(*), count(DISTINCT node_id), max(timestamp) FROM node_messages
GROUP BY region ORDER BY count(*) DESC, region`,
  );
  return rows.map(([region, messages, nodes, last]) => ({
    region: String(region),
    messages: Number(messages),
    nodes: Number(nodes),
    last_message_at: String(last),
  }));
}

/** Deletes the node's own rows but the newest `keep`. Returns how many went. Throws `AgentError`. */
export async function pruneRows(client: CorrosionClient, nodeId: string, keep: number): Promise<number> {
  let deleted = 0;
  for (;;) {
    const { rows } = await client.query([
      "SELECT pk FROM node_messages WHERE node_id = ? ORDER BY sequence DESC, pk DESC LIMIT ? OFFSET ?",
      [nodeId, PRUNE_BATCH, keep],
    ]);
    if (rows.length === 0) return deleted;
    const pks = rows.map(([pk]) => String(pk));
    const places = pks.map(() => "?").join(", ");
    const { results } = await client.transact([
      [`DELETE FROM node_messages WHERE node_id = ? AND pk IN (${places})`, [nodeId, ...pks]],
    ]);
    const gone = results.reduce((sum, { rowsAffected }) => sum + rowsAffected, 0);
    if (gone === 0) return deleted;
    deleted += gone;
  }
}

function rowsOf({ rows }: QueryResult): MessageRow[] {
  return rows.map(rowOf);
}

function rowOf([pk, nodeId, message, sequence, timestamp, endpoint, region]: readonly Cell[]): MessageRow {
  return {
    pk: String(pk),
    node_id: String(nodeId),
    message: String(message),
    sequence: Number(sequence),
    timestamp: String(timestamp),
    originating_endpoint: String(endpoint),
    region: String(region),
  };
}
