/** @module Starts the peers that this machine has. */
import { jetStreamPeer, jetStreamsPeer } from "./jetstream.ts";
import { type Peer, PeerMissing } from "./peer.ts";
import { postgresPeer } from "./postgres.ts";
import { rabbitPeer } from "./rabbitmq.ts";
import { redisPeer } from "./redis.ts";
import { sqlitePeer } from "./sqlite.ts";

/**
 * Returns the peers, JetStream's on the given servers; `missing` is called with a sentence for each one that is not
 * installed. Throws when one is installed and does not start.
 */
export async function startPeers(
  servers: readonly string[],
  missing: (sentence: string) => void,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  try {
    const all = [
      () => jetStreamPeer(servers),
      () => jetStreamsPeer(servers),
      rabbitPeer,
      redisPeer,
      postgresPeer,
      sqlitePeer,
    ];
    for (const start of all) {
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
