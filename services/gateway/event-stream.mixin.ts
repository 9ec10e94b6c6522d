/** @module `/api/stream` for the gateway: this node's events, from the bus to the pages that listen. */
import type { Context, Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import type { GatewayResponse, IncomingRequest } from "moleculer-web";
import { runtimeOf } from "../../lib/runtime.ts";
import { trustedOrigin } from "./access.ts";
import { headersFor } from "./answer.ts";
import { EventStreams } from "./event-stream.ts";
import { parseQuery, queryOf } from "./query.ts";
import { parseTopics, STREAMED_EVENTS } from "./topics.ts";

export interface EventStreamSettings extends ServiceSettingSchema {
  readonly eventStream: {
    readonly bufferBytes: number;
    readonly maxStreams: number;
    readonly commentMs: number;
    readonly retryMs: number;
    /** How long the state of a topic may take to be told. */
    readonly stateMs: number;
  };
}

const SETTINGS: EventStreamSettings = {
  eventStream: {
    bufferBytes: 1024 * 1024,
    maxStreams: 256,
    commentMs: 15_000,
    retryMs: 1000,
    stateMs: 2000,
  },
};

interface Streaming extends Service {
  readonly streams: EventStreams;
}

/** Stands before the web server's mixin in `mixins`: streams end before it waits for its connections to end. */
export const eventStreamMixin: Partial<ServiceSchema> = {
  settings: SETTINGS,

  events: Object.fromEntries(
    STREAMED_EVENTS.map((event) => [
      event,
      function publish(this: Streaming, ctx: Context) {
        this.streams.publish({ event, sender: ctx.nodeID, payload: ctx.params });
      },
    ]),
  ),

  methods: {
    /** Answers with the topics of the query. Throws what `parseQuery`, `parseTopics` and `EventStreams.open` throw. */
    openStream(this: Streaming, request: IncomingRequest, response: GatewayResponse): void {
      const topics = parseTopics(parseQuery(queryOf(request.originalUrl)).text("topics"));
      const origin = trustedOrigin(request.headers, runtimeOf(this.broker).config.console);
      this.streams.open(request, response, topics, headersFor(origin));
    },

    endStreams(this: Streaming): void {
      this.streams.close();
    },
  },

  created() {
    const { broker, logger } = this;
    const { nodeID } = broker;
    const { stateMs, ...settings } = (this.settings as EventStreamSettings).eventStream;
    this.streams = new EventStreams({
      ...settings,
      nodeId: nodeID,
      ask: (action) => broker.call(action, {}, { nodeID, timeout: stateMs }),
      onProblem: (message, fields) => logger.info(message, fields),
    });
  },

  stopped() {
    this.endStreams();
  },
};
