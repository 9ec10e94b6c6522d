/** @module Phoenix-channel sockets for the gateway, on the HTTP server that moleculer-web opens. */
import type { Server } from "node:http";
import type { Service, ServiceSchema, ServiceSettingSchema } from "moleculer";
import { runtimeOf } from "../../lib/runtime.ts";
import type { RateLimit } from "./rate-limit.ts";
import { conversationsOn } from "./sockets/bus.ts";
import { FlushQueue } from "./sockets/connection.ts";
import { Feeds } from "./sockets/feeds.ts";
import { socketMetrics } from "./sockets/metrics.ts";
import { SocketServer } from "./sockets/server.ts";

export interface SocketsSettings extends ServiceSettingSchema {
  readonly sockets: {
    /** A client that is not heard of for so long is closed with 1001; the official one sends every 30 s. */
    readonly silenceMs: number;
    /** Channels that one socket may have. */
    readonly maxChannels: number;
  };
}

const SETTINGS: SocketsSettings = { sockets: { silenceMs: 120_000, maxChannels: 10_000 } };

/** What the service keeps as `this.sockets` from its start to its end. */
interface Sockets {
  readonly server: SocketServer;
  readonly feeds: Feeds;
}

/**
 * Must stand before moleculer-web's mixin in `mixins`: hooks of mixins run from the last to the first at the
 * start, and the other way round at the end. So sockets open after the server listens and close before it waits
 * for its connections to end.
 */
export const socketsMixin: Partial<ServiceSchema> = {
  settings: SETTINGS,

  methods: {
    /** Closes every socket with 1012, spread over `spreadMs`; no socket is opened any more. */
    async drainSockets(spreadMs: number): Promise<void> {
      const sockets: Sockets | undefined = this.sockets;
      await sockets?.server.stop(spreadMs);
      sockets?.feeds.stop();
    },
  },

  started() {
    const server: Server = this.server;
    if (!server.listening) {
      throw new Error(`service "${this.name}": list socketsMixin before moleculer-web in mixins`);
    }
    this.sockets = openSockets(this, server, { ...SETTINGS, ...this.settings }, this.rateLimit ?? null);
  },

  async stopped() {
    await this.drainSockets(0);
  },
};

function openSockets(
  service: Service,
  server: Server,
  { sockets }: SocketsSettings,
  rateLimit: RateLimit | null,
): Sockets {
  const { broker, logger } = service;
  const { config, fanout, metrics } = runtimeOf(broker);
  const conversations = conversationsOn(broker, config);
  const feeds = new Feeds({
    fanout,
    conversations,
    groups: config.groups,
    catchupIntervalMs: config.catchupIntervalMs,
    onError: (message, error) => logger.warn(message, { error: String(error) }),
  });
  const services = {
    conversations,
    feeds,
    logger,
    metrics: socketMetrics(metrics),
    flushes: new FlushQueue(),
    bufferBytes: config.wsBufferBytes,
    maxChannels: sockets.maxChannels,
  };
  return {
    feeds,
    server: new SocketServer({
      server,
      services,
      silenceMs: sockets.silenceMs,
      admit: (request) => rateLimit?.take(request),
    }),
  };
}
