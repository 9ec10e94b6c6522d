/** @module Whether a node can take part in a run. */
import type { ServiceBroker } from "moleculer";
import { regionOf } from "../../../lib/regions.ts";
import type { SubscriberStatus } from "../../corrosion/contract.ts";
import type { AnalyticsHealth, StoreStatus } from "../contract.ts";

const ASK_MS = 2000;

/** A part that does not answer is not well, which is no error of this question. */
export async function healthOf(broker: ServiceBroker): Promise<AnalyticsHealth> {
  const here = { nodeID: broker.nodeID, timeout: ASK_MS };
  const [store, receiving] = await Promise.all([
    broker
      .call<StoreStatus, object>("analytics.store.status", {}, here)
      .catch((error: unknown): StoreStatus => ({ ok: false, problem: String(error) })),
    broker
      .call<SubscriberStatus, object>("corrosion.subscriber.status", {}, here)
      .then(({ state }) => state === "connected")
      .catch(() => false),
  ]);
  const database = store.ok ? "ok" : "error";
  const { problem } = store;
  return { status: database, region: regionOf(broker.nodeID), database, problem, receiving };
}
