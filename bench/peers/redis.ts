/** @module Peer: a Redis stream, one XADD a message, `appendfsync always`. One copy. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../test/helpers/program.ts";
import { until } from "../../test/helpers/until.ts";
import { MESSAGE_BYTES } from "../clients.ts";
import { programPath, startServer } from "../system.ts";
import { type Peer, PeerMissing } from "./peer.ts";

const KEY = "bench";

export async function redisPeer(): Promise<Peer> {
  const program = await programPath("redis-server");
  if (!program) throw new PeerMissing("redis-server is not on PATH");
  const folder = await mkdtemp(join(tmpdir(), "bench-redis-"));
  const port = await freePort();
  const settings = { bind: "127.0.0.1", port, dir: folder, appendonly: "yes", appendfsync: "always" };
  const server = startServer(program, [
    ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    "--save",
    "",
  ]);
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: () => 50 });
  redis.on("error", () => {}); // not up yet; `until` says so if it stays that way
  const stop = async () => {
    redis.disconnect();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until("redis-server answers", async () => (await redis.ping()) === "PONG");
  } catch (error) {
    await stop();
    throw new Error(`redis-server did not start: ${server.output}`, { cause: error });
  }
  const body = "x".repeat(MESSAGE_BYTES);
  return {
    name: "Redis",
    what: "one XADD a message, appendfsync always, one copy",
    depths: [1, 512],
    send: async () => void (await redis.xadd(KEY, "*", "body", body)),
    clear: async () => void (await redis.del(KEY)),
    stop,
  };
}
