/** @module What happens to messages of a run, for the node's analytics. */
import type { ServiceBroker } from "moleculer";
import type { MessageEvent } from "../analytics/contract.ts";

const RECORD_MS = 5000;

/**
 * Hands events of a run to this node's store. A store that does not take them costs the run these figures and nobody
 * anything else, so it never rejects.
 */
export async function record(broker: ServiceBroker, events: readonly MessageEvent[]): Promise<void> {
  const { nodeID } = broker;
  try {
    await broker.call("analytics.store.record", { events }, { nodeID, timeout: RECORD_MS });
  } catch (error) {
    const ids = events.map(({ message_id }) => message_id);
    broker.logger.warn("events of a run were not recorded", { messages: ids, error: String(error) });
  }
}
