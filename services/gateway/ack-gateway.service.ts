/** @module The ack API of a node: where other nodes acknowledge its messages. It has a port of its own, and knows only actions. */
import type { Server } from "node:http";
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import type { ApiSettingsSchema, GatewayResponse, IncomingRequest } from "moleculer-web";
import { isoMicros, originClock, systemClock } from "../../lib/clock.ts";
import { FleetError } from "../../lib/errors.ts";
import { formatHostPort } from "../../lib/host-port.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import type { Acknowledge, Acknowledged, AckStatus } from "../acks/contract.ts";
import { sameSecret } from "./access.ts";
import { ackAnswer, answer, BadAck, GOSSIP, PUBSUB, readAck, refusal, type Way } from "./ack/request.ts";
import { type Answer, send } from "./answer.ts";
import { RequestRefused } from "./http-errors.ts";
import { jsonReader } from "./json-body.ts";
import { QUIET, TABLE, webServerMixin } from "./web-server.mixin.ts";

/** An acknowledgement is a few hundred bytes. */
const readBody = jsonReader(16 * 1024);
/** More than all nodes of a cluster open together. */
const MAX_CONNECTIONS = 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const TRACKER_MS = 4000;
/** The tracker may have to ask the agent who there is. */
const KNOWN_MS = 7000;

type Respond = (gateway: Service, request: IncomingRequest, response: GatewayResponse) => Promise<Answer>;

const alias = (respond: Respond) =>
  function here(this: Service, request: IncomingRequest, response: GatewayResponse): void {
    respond(this, request, response)
      .catch((error: unknown) => failure(this, error))
      .then((given) => send(response, given))
      .catch((error: unknown) => this.logger.error("no answer could be sent", { error: String(error) }));
  };

const api = {
  ...TABLE,
  aliases: {
    "POST /api/acknowledge": alias((...given) => acknowledge(GOSSIP, ...given)),
    "POST /api/acknowledge_pubsub": alias((...given) => acknowledge(PUBSUB, ...given)),
    "GET /api/acknowledge/health": alias(({ broker }) => health(broker)),
  },
};

const settings: ApiSettingsSchema = {
  $secureSettings: ["routes"],
  ...QUIET,
  routes: [api],
};

const ackGateway: ServiceSchema = {
  name: "acks.gateway",

  mixins: [
    webServerMixin({
      name: "ack API",
      address: ({ console }) => console.ack,
      variables: { host: "HOST", port: "API_PORT" },
      announce(broker, address) {
        broker.metadata.ack_endpoint = formatHostPort(address);
      },
    }),
  ],

  settings,

  actions: {
    listAliases: false,
    addRoute: false,
    removeRoute: false,
  },

  created() {
    const server: Server = this.server;
    server.maxConnections = MAX_CONNECTIONS;
    server.requestTimeout = REQUEST_TIMEOUT_MS;
  },

  methods: {
    send404(_request: IncomingRequest, response: GatewayResponse): void {
      send(response, answer(404, { errors: { detail: "Not Found" } }));
    },

    errorHandler(this: Service, _request: IncomingRequest, response: GatewayResponse, error: unknown) {
      send(response, failure(this, error));
    },
  },
};

export default ackGateway;

/** One acknowledgement. The order of the checks tells a stranger least. */
async function acknowledge(
  way: Way,
  gateway: Service,
  request: IncomingRequest,
  response: GatewayResponse,
): Promise<Answer> {
  const arrived = originClock();
  const { broker } = gateway;
  const { nodeID } = broker;
  const { token } = runtimeOf(broker).config.console.ack;
  const given = request.headers["x-fleetport-token"];
  if (token !== null && !sameSecret(typeof given === "string" ? given : "", token)) {
    return refusal(401, "the header x-fleetport-token must hold the cluster's ACK_TOKEN");
  }
  // A page can post to a loopback address without asking first; nodes send no Origin.
  if (request.headers.origin !== undefined) return refusal(403, "pages of a browser cannot acknowledge");
  const ack = readAck(way, await readBody(request, response));
  if (ack.ackNodeId === nodeID) return refusal(403, "a node does not acknowledge its own messages");
  const known = await broker.call<boolean, object>(
    "acks.tracker.knows",
    { node_id: ack.ackNodeId },
    { nodeID, timeout: KNOWN_MS },
  );
  if (!known) return refusal(403, "ack_node_id is no node of this cluster");
  const params: Acknowledge = {
    pk: ack.pk,
    node_id: ack.ackNodeId,
    receipt_timestamp: ack.receiptTimestamp,
    arrived_at_us: arrived,
    transport: way.transport,
  };
  const options = { nodeID, timeout: TRACKER_MS };
  const result = await broker.call<Acknowledged, Acknowledge>("acks.tracker.acknowledge", params, options);
  return ackAnswer(way, ack, result);
}

async function health(broker: ServiceBroker): Promise<Answer> {
  const options = { nodeID: broker.nodeID, timeout: TRACKER_MS };
  const status = await broker.call<AckStatus, object>("acks.tracker.status", {}, options);
  return answer(200, {
    status: "healthy",
    node_id: broker.nodeID,
    timestamp: isoMicros(systemClock()),
    ack_tracker_status: {
      latest_message: status.latest_message,
      acknowledgments: status.acknowledgments.map(({ node_id, timestamp }) => ({ node_id, timestamp })),
      ack_count: status.ack_count,
      regions: status.regions,
    },
  });
}

/** What is not the caller's fault is worth trying again, so it is a 500. */
function failure(gateway: Service, error: unknown): Answer {
  if (error instanceof BadAck) return refusal(400, error.message);
  if (error instanceof RequestRefused) return refusal(400, error.message);
  if (error instanceof FleetError && error.type === "content_too_large") return refusal(413, error.message);
  const reason = error instanceof Error ? error.message : String(error);
  gateway.logger.warn("an acknowledgement was not taken", { reason });
  return refusal(500, "the acknowledgement was not taken; try again", { reason });
}
