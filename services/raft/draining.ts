/** @module Draining: a node leaves placement, and waits until the others have taken over what it leads. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { isDraining, placeableNodes, tellOthers } from "./cluster-view.ts";

/** How often a draining node looks whether it still leads something. */
const POLL_MS = 20;

export class Draining {
  readonly #broker: ServiceBroker;
  readonly #logger: ServiceBroker["logger"];
  readonly #leads: () => boolean;
  #since = 0;

  /** `leads`: whether this node still leads a group. */
  constructor(broker: ServiceBroker, logger: ServiceBroker["logger"], leads: () => boolean) {
    this.#broker = broker;
    this.#logger = logger;
    this.#leads = leads;
  }

  /**
   * The next nodes in rank take over what this one leads, group by group. Resolves with true once it leads nothing,
   * nobody is there to take over, or it has drained for `limitMs`; with false when `end` came first.
   */
  async begin(limitMs: number): Promise<boolean> {
    if (!this.#on) this.#since = performance.now();
    tellOthers(this.#broker, { draining: true });
    while (this.#on && this.#leads()) {
      if (placeableNodes(this.#broker).length === 0) break;
      if (performance.now() - this.#since > limitMs) {
        this.#logger.warn("not all groups were handed over in time, the node does not wait for them", {
          limitMs,
        });
        break;
      }
      await delay(POLL_MS);
    }
    return this.#on;
  }

  /** Returns to placement. */
  end(): void {
    tellOthers(this.#broker, { draining: false });
  }

  get #on(): boolean {
    return isDraining(this.#broker, this.#broker.nodeID);
  }
}
