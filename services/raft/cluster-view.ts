/** @module What this node's registry shows of the others: who is alive and who leads. Views of nodes may differ. */
import type { ServiceBroker } from "moleculer";
import { leaderServiceName } from "./leader.service.ts";

/** Live nodes that hold replicas: those that run this service. */
export function liveNodes(broker: ServiceBroker): string[] {
  const nodes = new Set([broker.nodeID]);
  for (const item of broker.registry.services.list({ onlyAvailable: true })) {
    if (item.name === "raft.topology" && item.nodeID) nodes.add(item.nodeID);
  }
  return [...nodes].sort();
}

/** Other live nodes that lead by the registry, by group. */
export function otherLeaders(broker: ServiceBroker): Map<number, string> {
  const leaders = new Map<number, string>();
  for (const item of broker.registry.services.list({ onlyAvailable: true })) {
    const match = /^raft\.g(\d+)$/.exec(item.name);
    if (match && item.nodeID && item.nodeID !== broker.nodeID) leaders.set(Number(match[1]), item.nodeID);
  }
  return leaders;
}

/** Another node whose registered service leads the group. */
export function otherLeader(broker: ServiceBroker, group: number): string | null {
  const name = leaderServiceName(group);
  const found = broker.registry.services
    .list({ onlyAvailable: true })
    .find((item) => item.name === name && item.nodeID !== broker.nodeID);
  return found?.nodeID ?? null;
}
