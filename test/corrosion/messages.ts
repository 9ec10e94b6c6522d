/** @module Rows of `node_messages` that only this run writes, and takes away again. */
import { randomUUID } from "node:crypto";
import type { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import type { Statement } from "../../lib/corrosion/client/statement.ts";
import type { MessageRow } from "../../services/corrosion/contract.ts";

/** Begins every key of this run, so that rows of an agent that others use are told apart. */
const RUN = `suite-${randomUUID().slice(0, 8)}`;
let sequence = Date.now();

export function newMessage(fields: Partial<MessageRow> = {}): MessageRow {
  sequence += 1;
  return {
    pk: `${RUN}_${sequence}`,
    node_id: RUN,
    message: "hello",
    sequence,
    timestamp: "2026-01-02T03:04:05.678901Z",
    originating_endpoint: "127.0.0.1:5001",
    region: RUN,
    ...fields,
  };
}

export function isOurs({ pk }: { readonly pk: string }): boolean {
  return pk.startsWith(RUN);
}

export function insert(row: MessageRow): Statement {
  return [
    "INSERT INTO node_messages (pk, node_id, message, sequence, timestamp, originating_endpoint, region) VALUES (?, ?, ?, ?, ?, ?, ?)",
    [row.pk, row.node_id, row.message, row.sequence, row.timestamp, row.originating_endpoint, row.region],
  ];
}

export function update(pk: string, message: string): Statement {
  return ["UPDATE node_messages SET message = ? WHERE pk = ?", [message, pk]];
}

export function remove(pk: string): Statement {
  return ["DELETE FROM node_messages WHERE pk = ?", [pk]];
}

/** Takes all rows of this run away. */
export async function removeOurs(client: CorrosionClient): Promise<void> {
  await client.transact([["DELETE FROM node_messages WHERE pk LIKE ?", [`${RUN}%`]]]);
}
