/** @module Copies of a group's state on their way from node to node, in parts that the bus can carry. */
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { ServiceBroker } from "moleculer";
import pLimit from "p-limit";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import { decodeSnapshot, encodeSnapshot, UnusableSnapshot } from "../../lib/conversation/snapshot.ts";
import type { GroupState } from "../../lib/conversation/state.ts";
import type { CopyPart, GetCopy } from "./contract.ts";

/** Copies that a node keeps while they are fetched. */
const KEPT = 8;
/** For how long after a part was asked for the next one may be: whoever fetched it has gone otherwise. */
const KEPT_MS = 10_000;
/** Copies that a node fetches at a time: some nodes may do so together before any of them has to wait. */
export const FETCHES = 4;
/** How soon a node that is busy is asked again, and for how long. */
const BUSY_MS = 100;
const BUSY_LIMIT_MS = 10_000;
/** Base64 makes four bytes of three. */
const PART_BYTES = (MAX_CALL_BYTES * 3) / 4;
const PART_TIMEOUT_MS = 5000;

/** What this node gives to others. */
export class Copies {
  readonly #kept = new LRUCache<string, Uint8Array>({ max: KEPT, ttl: KEPT_MS, updateAgeOnGet: true });

  /** A part of the state's copy; the first part, asked for without a token, fixes what the others are of. */
  part(state: GroupState, token: string | undefined, offset: number): CopyPart {
    // A copy that is being fetched must not make room for another one.
    if (token === undefined && !this.#hasRoom()) return "busy";
    const bytes = token === undefined ? encodeSnapshot(state) : this.#kept.get(token);
    if (!bytes) return null;
    const named = token ?? randomUUID();
    if (offset + PART_BYTES < bytes.length) this.#kept.set(named, bytes);
    else this.#kept.delete(named);
    const base64 = Buffer.from(bytes.subarray(offset, offset + PART_BYTES)).toString("base64");
    return { token: named, total: bytes.length, base64 };
  }

  #hasRoom(): boolean {
    this.#kept.purgeStale();
    return this.#kept.size < KEPT;
  }
}

/** What this node takes from others. */
export class CopyFetcher {
  readonly #broker: ServiceBroker;
  readonly #limit = pLimit(FETCHES);
  readonly #stop = new AbortController();

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  /**
   * A copy of the group's state from the first of these nodes that has one; null when none has, or when this stops.
   * `nodes` is asked once it is the group's turn.
   */
  fetch(group: number, nodes: () => readonly string[]): Promise<GroupState | null> {
    return this.#limit(() => this.#fetch(group, nodes()));
  }

  /** What waits for its turn, or for a node that is busy, ends without a copy: a node that stops waits for it. */
  stop(): void {
    this.#stop.abort();
  }

  async #fetch(group: number, nodes: readonly string[]): Promise<GroupState | null> {
    const { signal } = this.#stop;
    for (const node of nodes) {
      if (signal.aborted) return null;
      try {
        const bytes = await fetchBytes(this.#broker, group, node, signal);
        if (bytes) return decodeSnapshot(bytes);
      } catch (error) {
        if (signal.aborted) return null;
        // A node that runs another version, or has just gone; the next one may do.
        const problem = error instanceof UnusableSnapshot ? error.message : String(error);
        this.#broker.logger.warn("a copy of a group could not be fetched", { group, node, problem });
      }
    }
    return null;
  }
}

async function fetchBytes(
  broker: ServiceBroker,
  group: number,
  node: string,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  const busyUntil = performance.now() + BUSY_LIMIT_MS;
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
    if (part === "busy") {
      if (performance.now() > busyUntil) throw new Error("it is busy with the copies that others fetch");
      await setTimeout(BUSY_MS, undefined, { signal });
      continue;
    }
    token = part.token;
    const bytes = Buffer.from(part.base64, "base64");
    parts.push(bytes);
    got += bytes.length;
    if (got >= part.total || bytes.length === 0) return Buffer.concat(parts);
  }
}
