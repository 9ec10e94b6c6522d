/** @module What is told of an item: the body of GET /api/acks and of the event `ack_events`. */
import { isoMicros } from "../../../lib/clock.ts";
import { regionOf } from "../../../lib/regions.ts";
import type { Acknowledgement, AckStatus } from "../contract.ts";
import { type Ack, type Item, latencyMs, stateOf } from "./items.ts";

/** `nodeId` is the node that sent it; `item` null when there is none to tell of. */
export function ackStatus(nodeId: string, item: Item | null, now: number): AckStatus {
  if (item === null) {
    return {
      node_id: nodeId,
      latest_message: null,
      acknowledgments: [],
      ack_count: 0,
      regions: [],
      expected: [],
      state: null,
      transport: null,
      deadline_at: null,
    };
  }
  const acknowledgments = [...item.acks.values()].map((ack) => shown(item, ack));
  return {
    node_id: nodeId,
    latest_message: { pk: item.pk, timestamp: isoMicros(item.sentAt), node_id: nodeId },
    acknowledgments,
    ack_count: acknowledgments.length,
    regions: [...new Set(acknowledgments.map(({ region }) => region))].sort(),
    expected: item.expected,
    state: stateOf(item, now),
    transport: item.transport,
    deadline_at: isoMicros(item.deadlineAt),
  };
}

function shown(item: Item, ack: Ack): Acknowledgement {
  return {
    node_id: ack.nodeId,
    region: regionOf(ack.nodeId),
    timestamp: isoMicros(ack.arrivedAt),
    receipt_timestamp: ack.receiptTimestamp,
    latency_ms: latencyMs(item, ack),
    late: ack.late,
  };
}
