/** @module What this node's registry shows of the others: which nodes there are, and which of them can be asked. */
import type { ServiceBroker } from "moleculer";

export interface RegistryNode {
  readonly id: string;
  /** Whether it is there at present; nodes that left stay listed for some minutes. */
  readonly available: boolean;
}

/** Nodes that have, or had when they were last heard of, the service, this one included; sorted by id. */
export function nodesWith(broker: ServiceBroker, service: string): RegistryNode[] {
  return broker.registry.nodes
    .toArray()
    .filter((node) => node.services?.some(({ name }) => name === service))
    .map(({ id, available }) => ({ id, available }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Whether the bus carries calls to other nodes at present. */
export function busConnected(broker: ServiceBroker): boolean {
  return broker.transit?.connected === true;
}
