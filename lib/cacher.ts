/** @module The cacher of a node: in RAM, or in the Redis that all nodes share; a Redis that fails never fails a call. */
import { Redis, type RedisOptions } from "ioredis";
import { Cachers, type ServiceBroker } from "moleculer";

/** What a command may take; after that the caller does without Redis. */
const COMMAND_TIMEOUT_MS = 100;
/** A connection on which nothing came back for so long is given up: then callers do not even wait any more. */
const SILENCE_MS = 150;
const CONNECT_TIMEOUT_MS = 1000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

/** The cacher for a broker; `redisUrl` is null where nodes share none. */
export function createCacher(redisUrl: string | null): Cachers.MemoryLRU | Cachers.Redis<Redis> {
  return redisUrl === null ? new Cachers.MemoryLRU() : new SharedCacher(redisUrl);
}

/** The node's connection to Redis, for what else all nodes share; null when it has none. Never wait for it long. */
export function redisOf(broker: ServiceBroker): Redis | null {
  return broker.cacher instanceof SharedCacher ? broker.cacher.client : null;
}

/**
 * Moleculer's Redis cacher, where a Redis that is gone, hangs or comes back costs an empty cache and at most
 * `COMMAND_TIMEOUT_MS`. It logs one warning when Redis goes and one line when it is back. Only `del` and `clean` still
 * reject: who withdraws what is cached must know that it failed.
 */
class SharedCacher extends Cachers.Redis<Redis> {
  #down = false;
  readonly #where: string;

  constructor(url: string) {
    const redis = connectionOptions(url);
    super({ redis });
    this.#where = `${redis.host}:${redis.port}`;
  }

  override init(broker: ServiceBroker): void {
    super.init(broker);
    // Moleculer logs each failed attempt to connect.
    this.client.removeAllListeners("error");
    this.client.on("error", (error) => this.#lost(error.message));
    this.client.on("close", () => this.#lost("the connection was closed"));
    this.client.on("ready", () => {
      if (this.#down) broker.logger.info("redis is back", { redis: this.#where });
      this.#down = false;
    });
  }

  #lost(reason: string): void {
    this.connected = false;
    if (this.#down) return;
    this.#down = true;
    this.broker.logger.warn(
      "redis does not answer: caches are empty and rate limits are per node until it does",
      {
        redis: this.#where,
        reason,
      },
    );
  }

  /** Does not say goodbye: a Redis that hangs would not hear it. */
  override async close(): Promise<void> {
    this.client.removeAllListeners("close");
    this.client.disconnect();
  }

  /** What Moleculer takes for "not cached"; anything else, null included, would be the action's answer. */
  get #missing(): null {
    return this.opts.missingResponse as null;
  }

  override get(key: string): Promise<Record<string, unknown> | null> {
    return super.get(key).catch(() => this.#missing);
  }

  override getWithTTL(key: string): Promise<Record<string, unknown> | null> {
    return super.getWithTTL(key).catch(() => ({ data: this.#missing, ttl: null }));
  }

  override set(key: string, data: unknown, ttl?: number): Promise<void> {
    return super.set(key, data, ttl).catch(() => undefined);
  }
}

/** What the URL says, and never to wait. A client that is not connected reads the URL, so that nobody else has to. */
function connectionOptions(url: string): RedisOptions {
  const { options } = new Redis(url, { lazyConnect: true });
  return {
    ...options,
    lazyConnect: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    // What was not answered was given up: sent again, it would count twice.
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times) => Math.min(times * FIRST_RETRY_MS, LAST_RETRY_MS),
  };
}
