/** @module The drill of a node: a message over the bus alone, acknowledged as those are that spread by gossip. */
import type { Context, Service, ServiceBroker } from "moleculer";
import { isoMicros, originClock, systemClock } from "../../lib/clock.ts";
import { busConnected } from "../../lib/cluster-nodes.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { regionOf } from "../../lib/regions.ts";
import { defineService } from "../../lib/service.ts";
import type { ExperimentControl } from "../analytics/contract.ts";
import type { Deliver, DrillRequest, SendDrill, SentDrill, Track } from "./contract.ts";
import { DRILL_CONTENT, drillId, readDrill } from "./drill/request.ts";
import { expectedNodes, ownAckEndpoint } from "./known-nodes.ts";
import { CurrentRun } from "./messages/current-run.ts";
import { checkContent, messageText } from "./messages/send.ts";
import { record } from "./recording.ts";

const EVENT = "pubsub_ack_test";
const TRANSPORT = "pubsub";

type DrillService = Service & { run: CurrentRun };

export default defineService<DrillService>({
  name: "acks.drill",

  actions: {
    /** `SendDrill` -> `SentDrill`. Throws `CorrosionError`, `bus_unavailable` where no bus would carry it. */
    send: {
      params: {
        content: { type: "string", optional: true },
        experiment_id: { type: "string", optional: true },
        index: { type: "number", integer: true, optional: true },
      },
      handler(ctx: Context<SendDrill>): Promise<SentDrill> {
        const { content = DRILL_CONTENT, experiment_id } = ctx.params;
        return send(this.broker, content, experiment_id ?? this.run.at(performance.now()));
      },
    },
  },

  events: {
    [EVENT](ctx: Context<never>) {
      const arrivedAt = systemClock();
      const request = readDrill(ctx.params);
      if (request === null) this.logger.warn("a drill that cannot be read is ignored", { node: ctx.nodeID });
      else if (request.originating_node_id !== this.broker.nodeID) acknowledge(this, request, arrivedAt);
    },

    experiment_control(ctx: Context<ExperimentControl>) {
      this.run.take(ctx.params, performance.now());
    },
  },

  created() {
    this.run = new CurrentRun();
  },
});

async function send(broker: ServiceBroker, content: string, experimentId: string | null): Promise<SentDrill> {
  const { nodeID } = broker;
  checkContent(content);
  const endpoint = ownAckEndpoint(broker);
  requireBus(broker);
  const [expected, sequence] = await Promise.all([
    expectedNodes(broker),
    broker.call<number, object>("messages.number", {}, { nodeID }),
  ]);
  const pk = drillId(nodeID, sequence);
  const region = regionOf(nodeID);
  const sentAt = originClock();
  const timestamp = isoMicros(systemClock());
  const message = messageText(content, nodeID, timestamp);
  const request: DrillRequest = {
    request_id: pk,
    originating_node_id: nodeID,
    originating_endpoint: endpoint,
    timestamp,
    message,
    region,
  };
  const track = {
    pk,
    transport: TRANSPORT,
    expected,
    sent_at_us: sentAt,
    experiment_id: experimentId,
  } as const;
  await broker.call<unknown, Track>("acks.tracker.track", track, { nodeID });
  try {
    requireBus(broker);
    await broker.broadcast(EVENT, request);
  } catch (cause) {
    await broker.call("acks.tracker.untrack", { pk }, { nodeID });
    if (cause instanceof CorrosionError) throw cause;
    const text = `The bus did not take the drill ${pk}, so nobody will acknowledge it.`;
    throw new CorrosionError("bus_unavailable", text, {}, { cause });
  }
  if (experimentId !== null) {
    await record(broker, [
      {
        message_id: pk,
        experiment_id: experimentId,
        originating_node: nodeID,
        target_node: null,
        event_type: "sent",
        region,
        transaction_size_hint: Buffer.byteLength(message),
        event_timestamp: sentAt,
        receipt_timestamp: null,
      },
    ]);
  }
  return { request_id: pk, pk, timestamp, node_id: nodeID, sequence };
}

function requireBus(broker: ServiceBroker): void {
  if (busConnected(broker)) return;
  const text = `Node ${broker.nodeID} is not connected to the bus, so a drill would reach nobody.`;
  throw new CorrosionError("bus_unavailable", text);
}

function acknowledge({ broker, logger }: DrillService, request: DrillRequest, arrivedAt: number): void {
  const { originating_endpoint, originating_node_id, request_id } = request;
  const delivery: Deliver = {
    transport: TRANSPORT,
    pk: request_id,
    originator: originating_node_id,
    endpoint: originating_endpoint,
    receipt_timestamp: isoMicros(arrivedAt),
  };
  broker
    .call<unknown, Deliver>("acks.sender.deliver", delivery, { nodeID: broker.nodeID })
    .catch((error: unknown) => {
      logger.warn("a drill is not acknowledged", { drill: request_id, error: String(error) });
    });
}
