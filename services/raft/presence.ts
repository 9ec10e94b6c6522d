/** @module Who is gone, sooner than heartbeats tell; and whether this node itself was away and knows nothing. */
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "../../lib/runtime.ts";
import { liveNodes } from "./cluster-view.ts";

/** Pulses in a row without a node's connection until it counts as lost: more than a reconnection takes. */
const GONE_AFTER = 3;
/** A pulse this late means that the process stood still, and missed the heartbeats of the others. */
const ASLEEP_MS = 2000;

export class Presence {
  readonly #broker: ServiceBroker;
  readonly #recoveryMs: number;
  #beatAt = performance.now();
  /** Until then this node does not trust its view of the others. */
  #blindUntil = 0;
  /** How often in a row a node was not there. */
  readonly #absences = new Map<string, number>();

  /** A node that was away trusts its view again after `recoveryMs`, when heartbeats have come. */
  constructor(broker: ServiceBroker, recoveryMs: number) {
    this.#broker = broker;
    this.#recoveryMs = recoveryMs;
  }

  /** Whether this node's view of the others is worth nothing. */
  get blind(): boolean {
    return performance.now() < this.#blindUntil;
  }

  /** Is called more often than `ASLEEP_MS`, as long as the process runs. */
  beat(): void {
    const now = performance.now();
    // A node that was suspended has heard from nobody, and would take everybody's groups when it wakes.
    if (now - this.#beatAt > ASLEEP_MS) this.#blindUntil = now + this.#recoveryMs;
    this.#beatAt = now;
  }

  /** A node whose connection to the bus is gone, several times in a row, is lost: its heartbeats need not be awaited. */
  async missTheGone(): Promise<void> {
    const { fanout } = runtimeOf(this.#broker);
    const others = liveNodes(this.#broker).filter((id) => id !== this.#broker.nodeID);
    for (const id of this.#absences.keys()) if (!others.includes(id)) this.#absences.delete(id);
    await Promise.all(
      others.map(async (id) => {
        const present = await fanout.isPresent(id);
        const absences = present === false ? (this.#absences.get(id) ?? 0) + 1 : 0;
        this.#absences.set(id, absences);
        if (absences >= GONE_AFTER && fanout.connected) this.#broker.registry.nodes.disconnected(id, true);
      }),
    );
  }
}
