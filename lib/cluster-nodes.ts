/** @module What this node's registry shows of the others: which nodes there are, and which of them can be asked. */
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "./runtime.ts";

export interface RegistryNode {
  readonly id: string;
  /** Whether it is there at present; nodes that left stay listed for some minutes. */
  readonly available: boolean;
}

/**
 * Nodes that have the service, and nodes of the fleet that left, whose services nobody lists any more; this one
 * included, sorted by id.
 */
export function nodesWith(broker: ServiceBroker, service: string): RegistryNode[] {
  return broker.registry.nodes
    .toArray()
    .filter((node) => node.metadata?.fleet === true || node.services.some(({ name }) => name === service))
    .map(({ id, available }) => ({ id, available }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Whether the bus carries calls to other nodes at present. */
export function busConnected(broker: ServiceBroker): boolean {
  return broker.transit?.connected === true && runtimeOf(broker).fanout.connected;
}
