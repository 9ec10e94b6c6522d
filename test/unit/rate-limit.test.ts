/** @module The rate limit of one gateway: each client address on its own, and a time to wait for who is refused. */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { Counter, Registry } from "prom-client";
import { FleetError } from "../../lib/errors.ts";
import { RateLimit } from "../../services/gateway/rate-limit.ts";

describe("The rate limit", () => {
  const from = (remoteAddress: string) => ({ socket: { remoteAddress } }) as IncomingMessage;

  function limit(requestsPerMinute: number) {
    const refused = new Counter({ name: "refused", help: "refused", registers: [new Registry()] });
    const count = async () => (await refused.get()).values[0]?.value ?? 0;
    return { limit: new RateLimit({ requestsPerMinute, redis: null, namespace: "test", refused }), count };
  }

  it("lets as many requests through as it says, refuses the next one, and counts what it refused", async () => {
    const { limit: three, count } = limit(3);
    for (let i = 0; i < 3; i++) await three.take(from("10.0.0.1"));
    const refusal = await three.take(from("10.0.0.1")).catch((error: unknown) => error);
    assert.ok(refusal instanceof FleetError);
    assert.equal(refusal.type, "rate_limited");
    assert.equal(refusal.code, 429);
    const { retry_after_ms: wait } = refusal.data as { retry_after_ms: number };
    assert.ok(wait > 50_000 && wait <= 60_000, String(wait));
    assert.equal(await count(), 1);
  });

  it("counts each address for itself, and an IPv4 address once however it is written", async () => {
    const { limit: one } = limit(1);
    await one.take(from("10.0.0.1"));
    await one.take(from("10.0.0.2"));
    await one.take(from("::1"));
    await assert.rejects(one.take(from("::ffff:10.0.0.1")), { type: "rate_limited" });
    await assert.rejects(one.take(from("::1")), { type: "rate_limited" });
  });
});
