/** @module Copies of a group's state on their way from node to node, in parts that the bus can carry. */
import { randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { ServiceBroker } from "moleculer";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import { decodeSnapshot, encodeSnapshot, UnusableSnapshot } from "../../lib/conversation/snapshot.ts";
import type { GroupState } from "../../lib/conversation/state.ts";
import type { CopyPart, GetCopy } from "./contract.ts";

/** Copies that a node keeps while they are fetched, and for how long after the last part was. */
const KEPT = 8;
const KEPT_MS = 30_000;
/** Base64 makes four bytes of three. */
const PART_BYTES = (MAX_CALL_BYTES * 3) / 4;
const PART_TIMEOUT_MS = 5000;

/** What this node gives to others. */
export class Copies {
  readonly #kept = new LRUCache<string, Uint8Array>({ max: KEPT, ttl: KEPT_MS, updateAgeOnGet: true });

  /** A part of the state's copy; the first part, asked for without a token, fixes what the others are of. */
  part(state: GroupState, token: string | undefined, offset: number): CopyPart {
    const bytes = token === undefined ? encodeSnapshot(state) : this.#kept.get(token);
    if (!bytes) return null;
    const named = token ?? randomUUID();
    if (offset + PART_BYTES < bytes.length) this.#kept.set(named, bytes);
    const base64 = Buffer.from(bytes.subarray(offset, offset + PART_BYTES)).toString("base64");
    return { token: named, total: bytes.length, base64 };
  }
}

/** A copy of the group's state from the first of these nodes that has one; null when none has. */
export async function fetchCopy(
  broker: ServiceBroker,
  group: number,
  nodes: readonly string[],
): Promise<GroupState | null> {
  for (const node of nodes) {
    try {
      const bytes = await fetchBytes(broker, group, node);
      if (bytes) return decodeSnapshot(bytes);
    } catch (error) {
      // A node that runs another version, or has just gone; the next one may do.
      const problem = error instanceof UnusableSnapshot ? error.message : String(error);
      broker.logger.warn("a copy of a group could not be fetched", { group, node, problem });
    }
  }
  return null;
}

async function fetchBytes(broker: ServiceBroker, group: number, node: string): Promise<Uint8Array | null> {
  const parts: Buffer[] = [];
  let got = 0;
  let token: string | undefined;
  for (;;) {
    const part = await broker.call<CopyPart, GetCopy>(
      "raft.topology.copy",
      { group, offset: got, ...(token !== undefined && { token }) },
      { nodeID: node, timeout: PART_TIMEOUT_MS },
    );
    if (!part) return null;
    token = part.token;
    const bytes = Buffer.from(part.base64, "base64");
    parts.push(bytes);
    got += bytes.length;
    if (got >= part.total || bytes.length === 0) return Buffer.concat(parts);
  }
}
