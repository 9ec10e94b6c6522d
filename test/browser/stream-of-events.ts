/** @module What a busy cluster tells a page, event after event: the n-th of each kind. */
import type { AckStatus, Reception } from "../../services/acks/contract.ts";
import type { Membership, MessageRow } from "../../services/corrosion/contract.ts";

const NODES = Array.from({ length: 10 }, (_, i) => `dev-node${i + 1}`);

/** A time that is later for each: microseconds after a beginning. */
const timeOf = (n: number) => new Date(Date.UTC(2026, 0, 2) + n).toISOString().replace("Z", "000Z");

/** A new message, of one node after the other. */
export function messageAfter(n: number): { readonly type: "new_message"; readonly row: MessageRow } {
  const node = NODES[n % NODES.length]!;
  const row = {
    pk: `${node}_${n}`,
    node_id: node,
    message: `message ${n} of a busy cluster`,
    sequence: n,
    timestamp: timeOf(n),
    originating_endpoint: "127.0.0.1:5001",
    region: node,
  };
  return { type: "new_message", row };
}

/** The same message as it is received, by one of the nodes. */
export function receptionAfter(n: number): Reception {
  const { row } = messageAfter(n);
  return {
    node_id: NODES[(n + 1) % NODES.length]!,
    message_pk: row.pk,
    reception_count: 1 + (n % 3),
    first_seen: row.timestamp,
    last_seen: row.timestamp,
    ack_state: n % 2 === 0 ? "acked" : "pending",
    attempts: 1,
    last_error: null,
  };
}

/** A message every nine acknowledgements, of which one more comes each time. */
export function acksAfter(n: number): AckStatus {
  const others = NODES.slice(1);
  const acknowledgments = others.slice(0, (n % others.length) + 1).map((node_id, i) => ({
    node_id,
    region: node_id,
    timestamp: timeOf(n),
    receipt_timestamp: null,
    latency_ms: 10 + i + (n % 100) / 10,
    late: false,
  }));
  return {
    node_id: "dev-node1",
    latest_message: {
      pk: `dev-node1_${Math.floor(n / others.length)}`,
      timestamp: timeOf(n),
      node_id: "dev-node1",
    },
    acknowledgments,
    ack_count: acknowledgments.length,
    regions: others,
    expected: others,
    state: acknowledgments.length === others.length ? "complete" : "pending",
    transport: "gossip",
    deadline_at: timeOf(n + 30_000),
  };
}

/** Ten members of cluster `n`, of whom one after the other is suspected. */
export function membershipAfter(n: number): Membership {
  const members = NODES.map((node, i) => ({
    id: `00000000-0000-0000-0000-${String(i).padStart(12, "0")}`,
    node_id: node,
    region: node,
    address: `127.0.0.1:${8787 + i}`,
    state: n % NODES.length === i && n % 2 === 1 ? "Suspect" : "Alive",
    status: "active",
    incarnation: Math.floor((n + i) / NODES.length),
    cluster_id: n,
    ring: i % 3,
    rtts: [1 + (n % 7), 2],
    rtt_avg_ms: 1.5 + (n % 7),
    ts: null,
    last_seen_at: timeOf(n),
    last_sync_at: timeOf(n),
    self: i === 0,
  })) satisfies Membership["members"];
  return {
    members,
    error: null,
    regions: NODES,
    cache_status: { last_updated: timeOf(n), error: null, status: "ok", member_count: members.length },
  };
}
