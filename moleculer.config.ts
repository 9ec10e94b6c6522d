/** @module Broker options from the configuration, for every node; also what each node's services share. */
import type { BrokerOptions, Middleware, ServiceBroker } from "moleculer";
import { collectDefaultMetrics, Registry } from "prom-client";
import { natsBus } from "./lib/bus.ts";
import { createCacher } from "./lib/cacher.ts";
import type { Config } from "./lib/config.ts";
import { openEmitterFanout } from "./lib/fanout/emitter.ts";
import type { Fanout } from "./lib/fanout/fanout.ts";
import { openNatsFanout } from "./lib/fanout/nats.ts";
import { formatHostPort } from "./lib/host-port.ts";
import { loggerOptions } from "./lib/logging.ts";
import { attachRuntime, type Runtime } from "./lib/runtime.ts";
import { paramsValidator } from "./lib/validator.ts";
import { ackCommands } from "./services/acks/repl.ts";
import { consoleCommands } from "./services/corrosion/repl.ts";
import { fleetCommands } from "./services/raft/repl.ts";

/** Registry changes of one burst (256 groups at a start) go to the other nodes as one message. */
const REGISTRY_DEBOUNCE_MS = 100;

export interface BrokerEnvironment {
  /** Nodes with the same namespace find each other. */
  readonly namespace: string;
  /** See `Runtime`. */
  readonly halt: Runtime["halt"];
  readonly retire: Runtime["retire"];
}

/** Options of the broker of one node; its configuration is in the broker's metadata and runtime. */
export function brokerOptions(config: Config, environment: BrokerEnvironment): BrokerOptions {
  return {
    namespace: environment.namespace,
    nodeID: config.nodeId,
    transporter: config.natsUrl ? natsBus(config.natsUrl) : "Fake",
    // No action asks for caching yet.
    cacher: createCacher(config.redisUrl),
    logger: loggerOptions(config),
    metadata: {
      fleet: true,
      url: `http://${formatHostPort(config)}`,
      mode: config.mode,
      groups: config.groups,
    },
    heartbeatInterval: config.heartbeatMs / 1000,
    heartbeatTimeout: config.nodeTimeoutMs / 1000,
    requestTimeout: 0,
    retryPolicy: { enabled: false },
    validator: paramsValidator(),
    registry: { preferLocal: true },
    transit: {
      serviceChangedDebounceTime: REGISTRY_DEBOUNCE_MS,
      maxQueueSize: 500_000,
    } as BrokerOptions["transit"],
    internalServices: true,
    replOptions: {
      customCommands: [...fleetCommands, ...consoleCommands, ...ackCommands],
      delimiter: `${config.nodeId} $`,
    },
    middlewares: [runtimeMiddleware(config, environment)],
    skipProcessEventRegistration: true,
  };
}

/** Gives the broker its runtime before any service is created, and closes it after the last one stopped. */
function runtimeMiddleware(config: Config, { namespace, halt, retire }: BrokerEnvironment): Middleware {
  let fanout: Fanout | null = null;
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics, prefix: "fleet_" });

  return {
    name: "Runtime",
    created(broker: ServiceBroker) {
      attachRuntime(broker, {
        config,
        metrics,
        admission: { open: false },
        halt,
        retire,
        get fanout(): Fanout {
          if (!fanout) throw new Error(`node ${config.nodeId} has not connected its fan-out yet`);
          return fanout;
        },
      });
    },
    async starting(broker: ServiceBroker) {
      const onError = (error: unknown) => broker.logger.warn("live fan-out failed", { error: String(error) });
      fanout = config.natsUrl
        ? await openNatsFanout(config.natsUrl, config.nodeId, onError)
        : openEmitterFanout(namespace, onError);
    },
    async stopped() {
      await fanout?.close();
    },
  };
}
