/** @module Stops nodes: all of a process together, or one of a cluster after it handed over what it leads. */
import type { ServiceBroker } from "moleculer";

/** Sockets of a draining node close over this time, so that their clients do not return all at once. */
const SPREAD_MS = 5000;

/** Stops all nodes at the same time; none takes over what another one lets go. Requests under way finish first. */
export async function stopAll(brokers: readonly ServiceBroker[]): Promise<void> {
  await Promise.all(brokers.map((broker) => broker.broadcastLocal("fleet.stopping", {})));
  await Promise.all(brokers.filter((broker) => broker.started).map((broker) => closeGateway(broker, 0)));
  await Promise.all(brokers.map((broker) => broker.stop()));
}

/** Hands over what the node leads, sends its clients elsewhere, and stops it. */
export async function drainAndStop(broker: ServiceBroker): Promise<void> {
  if (broker.started) {
    await broker.call("raft.topology.drain", {}, { nodeID: broker.nodeID });
    await closeGateway(broker, SPREAD_MS);
  }
  await stopAll([broker]);
}

async function closeGateway(broker: ServiceBroker, spreadMs: number): Promise<void> {
  if (!broker.getLocalService("gateway")) return;
  await broker.call("gateway.drain", { spread_ms: spreadMs }, { nodeID: broker.nodeID });
}
