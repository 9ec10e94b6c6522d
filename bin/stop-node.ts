/** @module Stops nodes: all of a process together, or one of a cluster after it handed over what it leads. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";

/** Sockets of a draining node close over this time, so that their clients do not return all at once. */
const SPREAD_MS = 5000;
/** How long a last pass of the archivers may take. What a node handed over, the next leaders archive. */
const LAST_PASS_MS = 1000;
/** A draining node serves at least this long after it said that it is not ready, so that load balancers notice. */
const NOTICE_MS = 1000;

/** Stops all nodes at the same time; none takes over what another one lets go. Requests under way finish first. */
export async function stopAll(brokers: readonly ServiceBroker[]): Promise<void> {
  await Promise.all(brokers.map((broker) => broker.broadcastLocal("fleet.stopping", {})));
  await Promise.all(brokers.filter(serves).map((broker) => closeGateway(broker, 0)));
  await Promise.all(brokers.filter(serves).map((broker) => archive(broker)));
  await Promise.all(brokers.map((broker) => broker.stop()));
}

/** Hands over what the node leads, sends its clients elsewhere, and stops it. */
export async function drainAndStop(broker: ServiceBroker): Promise<void> {
  if (serves(broker)) {
    const { nodeID } = broker;
    await broker.call("gateway.leave", {}, { nodeID });
    await Promise.all([broker.call("raft.topology.drain", {}, { nodeID }), delay(NOTICE_MS)]);
    await closeGateway(broker, SPREAD_MS);
  }
  await stopAll([broker]);
}

/** Whether the node got so far that clients may have found it. */
function serves(broker: ServiceBroker): boolean {
  return broker.started && Boolean(broker.getLocalService("gateway"));
}

/** What is not archived in this time stays in the log, and the next leaders archive it. */
async function archive(broker: ServiceBroker): Promise<void> {
  await broker.call("raft.topology.flush", { limit_ms: LAST_PASS_MS }, { nodeID: broker.nodeID });
}

async function closeGateway(broker: ServiceBroker, spreadMs: number): Promise<void> {
  await broker.call("gateway.close", { spread_ms: spreadMs }, { nodeID: broker.nodeID });
}
