/** @module Stops nodes: all of a process together, or one of a cluster after it handed over what it leads. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "../lib/runtime.ts";

/** Sockets of a draining node close over at most this time, so that their clients do not return all at once. */
const SPREAD_MS = 5000;
/** At most this is left of the time that a node has to stop, once it does not wait for its groups any more. */
const REST_MS = 5000;
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

/**
 * Hands over what the node leads, sends its clients elsewhere, and stops it. What cannot be handed over in time, others
 * take when the node is gone: its clients are told all the same.
 */
export async function drainAndStop(broker: ServiceBroker): Promise<void> {
  if (serves(broker)) {
    const { nodeID } = broker;
    const { spreadMs, handOverMs } = timesOf(runtimeOf(broker).config.drainTimeoutMs);
    await broker.call("gateway.leave", {}, { nodeID });
    const handedOver = broker.call("raft.topology.drain", { limit_ms: handOverMs }, { nodeID });
    await Promise.all([handedOver, delay(NOTICE_MS)]);
    await closeGateway(broker, spreadMs);
  }
  await stopAll([broker]);
}

/** How the time that a node has to stop is spent. */
function timesOf(drainTimeoutMs: number): { readonly spreadMs: number; readonly handOverMs: number } {
  const most = drainTimeoutMs / 4;
  const spreadMs = Math.min(SPREAD_MS, most);
  return { spreadMs, handOverMs: drainTimeoutMs - spreadMs - Math.min(REST_MS, most) };
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
