/** @module The tracker of a node: which of its messages wait for whom, and who acknowledged them. */
import type { Context, Service } from "moleculer";
import { microsOf, originClock } from "../../lib/clock.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { regionOf } from "../../lib/regions.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { AckCounted, Acknowledge, Acknowledged, AckStatus, Track } from "./contract.ts";
import { KnownNodes } from "./known-nodes.ts";
import { record } from "./recording.ts";
import { type Item, Items, LIMITS, latencyMs } from "./tracker/items.ts";
import { ackStatus } from "./tracker/status.ts";

type TrackerService = Service & {
  items: Items;
  known: KnownNodes;
  /** Runs when the latest item's time is over; null while there is nothing to wait for. */
  deadline: NodeJS.Timeout | null;
};

const pk = { type: "string", min: 1, max: 512 };
const nodeId = { type: "string", min: 1, max: 256 };

export default defineService<TrackerService>({
  name: "acks.tracker",

  actions: {
    /** `Track` -> `AckStatus` of the item. */
    track: {
      params: {
        pk,
        transport: { type: "enum", values: ["gossip", "pubsub"] },
        expected: { type: "array", items: "string" },
        sent_at_us: { type: "number", integer: true },
        experiment_id: { type: "string", nullable: true },
      },
      handler(ctx: Context<Track>): AckStatus {
        const { expected, experiment_id, sent_at_us, transport } = ctx.params;
        const tracked = {
          pk: ctx.params.pk,
          transport,
          expected,
          sentAt: sent_at_us,
          experimentId: experiment_id,
        };
        const item = this.items.track(tracked, originClock());
        changed(this);
        return ackStatus(this.broker.nodeID, item, originClock());
      },
    },

    /** `{pk}`: it was never sent. Returns whether it was tracked. */
    untrack: {
      params: { pk },
      handler(ctx: Context<{ pk: string }>): boolean {
        const known = this.items.untrack(ctx.params.pk);
        if (known) changed(this);
        return known;
      },
    },

    /** `{node_id}` -> whether there is such a node, whose acknowledgements count. Fails when nobody can tell now. */
    knows: {
      params: { node_id: nodeId },
      handler(ctx: Context<{ node_id: string }>): Promise<boolean> {
        return this.known.has(ctx.params.node_id);
      },
    },

    /** `Acknowledge` -> `Acknowledged`. Who may acknowledge is decided before. */
    acknowledge: {
      params: {
        pk,
        node_id: nodeId,
        receipt_timestamp: { type: "string", nullable: true },
        arrived_at_us: { type: "number", integer: true, optional: true },
        transport: { type: "enum", values: ["gossip", "pubsub"], optional: true },
      },
      handler(ctx: Context<Acknowledge>): Acknowledged {
        return acknowledge(this, ctx.params);
      },
    },

    /** `{pk?}` -> `AckStatus`, without `pk` of the latest item. Throws `not_found`. */
    status: {
      params: { pk: { ...pk, optional: true } },
      handler(ctx: Context<{ pk?: string }>): AckStatus {
        const { pk } = ctx.params;
        const item = pk === undefined ? this.items.latest : this.items.get(pk);
        if (pk !== undefined && item === null) {
          throw new CorrosionError("not_found", `No message ${pk} is tracked on this node.`);
        }
        return ackStatus(this.broker.nodeID, item, originClock());
      },
    },

    /** From now on no item is the latest: `AckStatus`. What is under way is counted all the same. */
    reset: {
      params: {},
      handler(): AckStatus {
        this.items.reset();
        changed(this);
        return ackStatus(this.broker.nodeID, null, originClock());
      },
    },
  },

  created() {
    const { deadlineMs } = runtimeOf(this.broker).config.console.ack;
    this.items = new Items({ ...LIMITS, deadlineUs: deadlineMs * 1000 });
    this.known = new KnownNodes(this.broker);
    this.deadline = null;
  },

  stopped() {
    if (this.deadline) clearTimeout(this.deadline);
  },
});

function acknowledge(service: TrackerService, given: Acknowledge): Acknowledged {
  const { broker, items } = service;
  const { node_id, pk, receipt_timestamp, transport = null } = given;
  const arrival = { pk, nodeId: node_id, receiptTimestamp: receipt_timestamp, transport };
  const result = items.acknowledge(arrival, given.arrived_at_us ?? originClock());
  if (result.outcome !== "counted") return result;
  const item = items.get(pk);
  if (item === null) return result;
  tell(service, "ack_counted", { node_id: broker.nodeID, pk, ack_node_id: node_id } satisfies AckCounted);
  if (item.pk === items.latest?.pk) changed(service);
  recordAck(service, item, node_id);
  return result;
}

function recordAck({ broker }: TrackerService, item: Item, ackNodeId: string): void {
  const ack = item.acks.get(ackNodeId);
  if (item.experimentId === null || !ack) return;
  broker.logger.debug("acknowledged", { pk: item.pk, node: ackNodeId, ms: latencyMs(item, ack) });
  // It never rejects.
  void record(broker, [
    {
      message_id: item.pk,
      experiment_id: item.experimentId,
      originating_node: broker.nodeID,
      target_node: ackNodeId,
      event_type: "acked",
      region: regionOf(ackNodeId),
      transaction_size_hint: null,
      event_timestamp: ack.arrivedAt,
      receipt_timestamp: ack.receiptTimestamp === null ? null : recordable(ack.receiptTimestamp),
    },
  ]);
}

/** What a receiver with a clock before 1970 says is left out; its acknowledgement is not. */
function recordable(timestamp: string): number | null {
  const micros = microsOf(timestamp);
  return micros !== null && micros >= 0 ? micros : null;
}

/** Tells where the latest item stands, now and when its time is over. */
function changed(service: TrackerService): void {
  const { broker, items } = service;
  const { latest } = items;
  const now = originClock();
  tell(service, "ack_events", ackStatus(broker.nodeID, latest, now));
  if (service.deadline) clearTimeout(service.deadline);
  service.deadline = null;
  if (latest === null || latest.deadlineAt <= now) return;
  // A timer counts in whole milliseconds of its own and may end up to one early, when nothing has changed yet.
  const waitMs = Math.ceil((latest.deadlineAt - now) / 1000) + 1;
  service.deadline = setTimeout(() => changed(service), waitMs);
}

function tell({ broker, logger }: TrackerService, event: string, payload: object): void {
  broker.broadcastLocal(event, payload)?.catch((error: unknown) => {
    logger.error("an actor failed on an event of the tracker", { event, error: String(error) });
  });
}
