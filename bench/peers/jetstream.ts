/** @module Peer: JetStream itself, one publish a message, to one stream with a copy on each of three servers. */
import { connect, RetentionPolicy, StorageType } from "nats";
import { MESSAGE_BYTES } from "../clients.ts";
import type { Peer } from "./peer.ts";

const STREAM = "BENCH";
const SUBJECT = "bench.raw";

/** `servers` are those of a cluster of three that syncs each write. */
export async function jetStreamPeer(servers: readonly string[]): Promise<Peer> {
  const connection = await connect({ servers: [...servers], name: "bench" });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({
    name: STREAM,
    subjects: [SUBJECT],
    num_replicas: 3,
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
  });
  const stream = connection.jetstream();
  const body = Buffer.alloc(MESSAGE_BYTES, "x");
  return {
    name: "JetStream",
    what: "one publish a message, R3, sync_interval always",
    depths: [1, 512],
    send: async () => void (await stream.publish(SUBJECT, body)),
    clear: async () => void (await manager.streams.purge(STREAM)),
    stop: () => connection.close(),
  };
}
