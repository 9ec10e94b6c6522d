/** @module Events of runs, as fast-check makes them: many senders, joiners, repeats, acknowledgements of lost sends. */
import fc from "fast-check";
import type { ExperimentRow, MessageEvent } from "../../services/analytics/contract.ts";

/** Microseconds since 1970. */
export const T0 = 1_767_225_600_000_000;

export function sent(message: string, originator: string, at: number, experiment = "run"): MessageEvent {
  return {
    message_id: message,
    experiment_id: experiment,
    originating_node: originator,
    target_node: null,
    event_type: "sent",
    region: "dev",
    transaction_size_hint: 100,
    event_timestamp: at,
    receipt_timestamp: null,
  };
}

export function acked(
  message: string,
  originator: string,
  target: string,
  at: number,
  received: number | null = null,
  experiment = "run",
): MessageEvent {
  return {
    ...sent(message, originator, at, experiment),
    target_node: target,
    event_type: "acked",
    receipt_timestamp: received,
  };
}

export function experiment(given: Partial<ExperimentRow> = {}): ExperimentRow {
  return {
    id: "run",
    status: "running",
    owner_node: "n1",
    transport: "gossip",
    message_count: 10,
    interval_ms: 1000,
    payload_bytes: 0,
    sent_count: 0,
    failed_count: 0,
    expected_nodes: ["n1", "n2", "n3"],
    run_count: 1,
    started_at: T0,
    ended_at: null,
    error: null,
    ...given,
  };
}

const NODES = ["n1", "n2", "n3", "dev-node4", "é, \"'"] as const;
const node = fc.constantFrom(...NODES);
const within = (us: number) => fc.integer({ min: 0, max: us }).map((us) => T0 + us);

/** A message belongs to one sender; everything else about the events may happen, the same acknowledgement twice too. */
const message = fc
  .record({
    sequence: fc.integer({ min: 1, max: 12 }),
    originator: node,
    sentAt: fc.option(within(5_000_000)),
    acks: fc.array(
      fc.record({ target: node, at: within(30_000_000), received: fc.option(within(30_000_000)) }),
      { maxLength: 8 },
    ),
  })
  .map(({ acks, originator, sentAt, sequence }) => {
    const id = `${originator}_${sequence}`;
    const send = sentAt === null ? [] : [sent(id, originator, sentAt)];
    return [...send, ...acks.map(({ at, received, target }) => acked(id, originator, target, at, received))];
  });

export const runEvents = fc.array(message, { maxLength: 14 }).map((messages) => messages.flat());

/** The first of each unique key: what a store keeps of events in this order. */
export function once(events: readonly MessageEvent[]): MessageEvent[] {
  const key = ({ event_type, message_id, target_node }: MessageEvent) =>
    JSON.stringify([message_id, event_type, target_node]);
  return [...new Map(events.toReversed().map((event) => [key(event), event])).values()].reverse();
}
