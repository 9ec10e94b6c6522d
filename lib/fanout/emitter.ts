/** @module Fan-out between nodes of one process: an emitter, shared by all of one namespace. */
import { EventEmitter } from "node:events";
import type { Fanout } from "./fanout.ts";

/** Nodes of one process meet here, as Moleculer's in-memory transporter does it. */
const buses = new Map<string, EventEmitter>();

/**
 * The fan-out of one embedded node. Delivery is asynchronous, as over a network: a publisher never runs a
 * subscriber's code. A handler that throws is reported to `onError` and does not stop the others.
 */
export function openEmitterFanout(namespace: string, onError: (error: unknown) => void): Fanout {
  const bus = buses.get(namespace) ?? new EventEmitter().setMaxListeners(0);
  buses.set(namespace, bus);
  const own = new Set<() => void>();

  return {
    connected: true,
    publish(subject, payload) {
      if (bus.listenerCount(subject) > 0) setImmediate(() => bus.emit(subject, payload));
    },
    async subscribe(subject, handler) {
      const listener = (payload: unknown) => {
        try {
          handler(payload);
        } catch (error) {
          onError(error);
        }
      };
      const unsubscribe = () => {
        bus.off(subject, listener);
        own.delete(unsubscribe);
      };
      bus.on(subject, listener);
      own.add(unsubscribe);
      return { unsubscribe };
    },
    // Nodes of one process come and go with it.
    async isPresent() {
      return true;
    },
    async close() {
      for (const unsubscribe of own) unsubscribe();
    },
  };
}
