/** @module Starts the peers that this machine has. */
import { jetStreamPeer, jetStreamsPeer } from "./jetstream.ts";
import { type Peer, PeerMissing } from "./peer.ts";
import { postgresPeer } from "./postgres.ts";
import { rabbitPeer } from "./rabbitmq.ts";
import { redisPeer } from "./redis.ts";
import { sqlitePeer } from "./sqlite.ts";

/**
 * Returns the peers, JetStream's on the given servers. `starting` is told of each one; `missing` gets a sentence for
 * each one that is not installed. Throws when one is installed and does not start.
 */
export async function startPeers(
  servers: readonly string[],
  missing: (sentence: string) => void,
  starting: (peer: string) => void,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  try {
    const all: readonly (readonly [string, () => Promise<Peer>])[] = [
      ["JetStream, one stream", () => jetStreamPeer(servers)],
      ["JetStream, 64 streams", () => jetStreamsPeer(servers)],
      ["RabbitMQ", rabbitPeer],
      ["Redis", redisPeer],
      ["Postgres", postgresPeer],
      ["SQLite", sqlitePeer],
    ];
    for (const [name, start] of all) {
      starting(name);
      try {
        peers.push(await start());
      } catch (error) {
        if (!(error instanceof PeerMissing)) throw error;
        missing(`skipped: ${error.message}`);
      }
    }
  } catch (error) {
    await stopPeers(peers);
    throw error;
  }
  return peers;
}

export async function stopPeers(peers: readonly Peer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.stop()));
}
