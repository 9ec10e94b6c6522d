/** @module Peer: JetStream itself, one publish a message, a copy on each of three servers. */
import { connect, RetentionPolicy, StorageType } from "nats";
import { MESSAGE_BYTES } from "../clients.ts";
import type { Peer } from "./peer.ts";

/** One stream, as somebody would use JetStream without Fleetport. `servers` sync each write. */
export async function jetStreamPeer(servers: readonly string[]): Promise<Peer> {
  return {
    ...(await publisher(servers, "BENCH_ONE", 1)),
    name: "JetStream",
    what: "one publish a message, R3, sync_interval always",
    depths: [1, 512],
  };
}

const STREAMS = 64;

/** One publish in flight to each of many streams: as many entries of groups as these servers can commit at all. */
export async function jetStreamsPeer(servers: readonly string[]): Promise<Peer> {
  return {
    ...(await publisher(servers, "BENCH_MANY", STREAMS)),
    name: "JetStream, 64 streams",
    what: "one publish in flight each",
    depths: [STREAMS],
  };
}

async function publisher(
  servers: readonly string[],
  name: string,
  streams: number,
): Promise<Pick<Peer, "send" | "clear" | "stop">> {
  const connection = await connect({ servers: [...servers], name: "bench" });
  const manager = await connection.jetstreamManager();
  const names = Array.from({ length: streams }, (_, i) => `${name}_${i}`);
  for (const stream of names) {
    await manager.streams.add({
      name: stream,
      subjects: [`bench.${stream}`],
      num_replicas: 3,
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
    });
  }
  const jetstream = connection.jetstream();
  const body = Buffer.alloc(MESSAGE_BYTES, "x");
  const idle = names.map((stream) => `bench.${stream}`);
  return {
    send: async () => {
      // With one stream all publishes go there; with many, each to one that none is under way to.
      const subject = streams === 1 ? idle[0]! : idle.pop()!;
      await jetstream.publish(subject, body);
      if (streams > 1) idle.push(subject);
    },
    clear: async () => void (await Promise.all(names.map((stream) => manager.streams.purge(stream)))),
    stop: () => connection.close(),
  };
}
