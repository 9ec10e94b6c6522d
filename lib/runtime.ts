/** @module What a node's services share beside the bus: its configuration, live fan-out and metrics. */
import type { ServiceBroker } from "moleculer";
import type { Registry } from "prom-client";
import type { Config } from "./config.ts";
import type { Fanout } from "./fanout/fanout.ts";

export interface Runtime {
  readonly config: Config;
  readonly fanout: Fanout;
  /** Prometheus metrics of this node; names begin with `fleet_`. */
  readonly metrics: Registry;
  /** Whether the node knows that the logs are those of its configuration; before, it proposes and asks nothing. */
  readonly admission: { open: boolean };
  /** Ends this node for good once it is drained. */
  readonly retire: () => void;
  /** Ends the process with one sentence and exit code 1: the data or the set-up is such that going on would harm. */
  readonly halt: (error: Error) => void;
}

const runtimes = new WeakMap<ServiceBroker, Runtime>();

/** Gives a broker its runtime; the middleware of `moleculer.config.ts` does so before any service starts. */
export function attachRuntime(broker: ServiceBroker, runtime: Runtime): void {
  runtimes.set(broker, runtime);
}

/** The runtime of the broker's node. Throws when the broker was not made from `moleculer.config.ts`. */
export function runtimeOf(broker: ServiceBroker): Runtime {
  const runtime = runtimes.get(broker);
  if (!runtime)
    throw new Error(`node ${broker.nodeID} has no runtime: create its broker with moleculer.config.ts`);
  return runtime;
}
