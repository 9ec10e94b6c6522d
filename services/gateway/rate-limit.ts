/** @module The rate limit: how many requests a minute one client address may send, over all gateways. */
import type { IncomingMessage } from "node:http";
import type { Redis } from "ioredis";
import type { Counter } from "prom-client";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { FleetError } from "../../lib/errors.ts";

const WINDOW_S = 60;

export interface RateLimitOptions {
  readonly requestsPerMinute: number;
  /** Where all gateways count together; without it, and while it does not answer, each one counts alone. */
  readonly redis: Redis | null;
  /** Gateways with the same one count together. */
  readonly namespace: string;
  /** Counts what is refused. */
  readonly refused: Counter;
}

export class RateLimit {
  readonly #limiter: RateLimiterMemory | RateLimiterRedis;
  readonly #refused: Counter;

  constructor({ requestsPerMinute, redis, namespace, refused }: RateLimitOptions) {
    const options = { points: requestsPerMinute, duration: WINDOW_S, keyPrefix: `fleet-rate-${namespace}` };
    const alone = new RateLimiterMemory(options);
    this.#refused = refused;
    this.#limiter = redis
      ? new RateLimiterRedis({
          ...options,
          storeClient: redis,
          rejectIfRedisNotReady: true,
          insuranceLimiter: alone,
          // Who was refused stays refused to the end of the window; Redis need not say it each time.
          inMemoryBlockOnConsumed: requestsPerMinute + 1,
        })
      : alone;
  }

  /** Counts a request. Throws `rate_limited`, with the time after which the client may go on, when it is one too many. */
  async take(request: IncomingMessage): Promise<void> {
    try {
      await this.#limiter.consume(addressOf(request));
    } catch (thrown) {
      if (!(thrown instanceof RateLimiterRes)) throw thrown;
      this.#refused.inc();
      throw new FleetError(
        "rate_limited",
        "this address has sent too many requests in the last minute: wait",
        {
          retry_after_ms: Math.max(1, thrown.msBeforeNext),
        },
      );
    }
  }
}

/** The other end of the connection; what a proxy says about its clients is not believed. */
function addressOf(request: IncomingMessage): string {
  const address = request.socket.remoteAddress ?? "gone";
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
