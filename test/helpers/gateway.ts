/** @module A gateway over services that a test writes itself: for outcomes that the real ones cannot be made to give. */
import { type BrokerOptions, ServiceBroker, type ServiceSchema } from "moleculer";
import { Registry } from "prom-client";
import { createCacher } from "../../lib/cacher.ts";
import { readConfig } from "../../lib/config.ts";
import { openEmitterFanout } from "../../lib/fanout/emitter.ts";
import { attachRuntime } from "../../lib/runtime.ts";
import { paramsValidator } from "../../lib/validator.ts";
import gateway from "../../services/gateway/gateway.service.ts";

export interface TestGateway {
  readonly url: string;
  readonly port: number;
  readonly broker: ServiceBroker;
  readonly metrics: Registry;
  /** Sentences that the node would have ended with. */
  readonly halts: string[];
  /** Lines that it logged as errors, or as whatever `logLevel` says. */
  readonly errors: string[];
  stop(): Promise<void>;
}

export interface GatewayOptions {
  readonly services?: readonly ServiceSchema[];
  /** Default: one that the system chooses. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Least serious lines that are kept in `errors`; default `error`. */
  readonly logLevel?: "error" | "info";
  readonly nodeId?: string;
  /** Brokers with the same namespace are nodes of one fleet. Default: alone. */
  readonly namespace?: string;
  /** Seconds between two signs of life, and without one until a node counts as lost. Default Moleculer's. */
  readonly heartbeat?: { readonly interval: number; readonly timeout: number };
}

let nodes = 0;

/** A broker with a runtime but without any of Fleetport's services; `start` it after creating what it needs. */
export function testBroker(options: GatewayOptions = {}): Omit<TestGateway, "url" | "port" | "stop"> {
  nodes += 1;
  const halts: string[] = [];
  const errors: string[] = [];
  const nodeId = options.nodeId ?? `test-${nodes}`;
  const namespace = options.namespace ?? `gateway-test-${process.pid}-${nodes}`;
  const config = { ...readConfig({ ...options.env, FLEET_NODE_ID: nodeId }), port: options.port ?? 0 };
  const metrics = new Registry();
  const fanout = openEmitterFanout(namespace, () => {});
  const broker = new ServiceBroker({
    nodeID: nodeId,
    namespace,
    transporter: options.namespace ? "Fake" : null,
    ...(options.heartbeat && {
      heartbeatInterval: options.heartbeat.interval,
      heartbeatTimeout: options.heartbeat.timeout,
    }),
    logger: recorder(errors, options.logLevel ?? "error"),
    skipProcessEventRegistration: true,
    validator: paramsValidator(),
    internalServices: false,
    cacher: createCacher(config.redisUrl),
    middlewares: [
      {
        name: "Runtime",
        created: (made: ServiceBroker) =>
          attachRuntime(made, {
            config,
            fanout,
            metrics,
            admission: { open: true },
            halt: (error) => halts.push(error.message),
            retire: () => undefined,
          }),
      },
    ],
  });
  return { broker, metrics, halts, errors };
}

export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const node = testBroker(options);
  for (const service of options.services ?? []) node.broker.createService(service);
  node.broker.createService(gateway);
  await node.broker.start();
  const url = String(node.broker.metadata.url);
  return { ...node, port: Number(new URL(url).port), url, stop: () => node.broker.stop() };
}

/** Keeps what the node logs at this level and above, with its fields, and prints nothing. */
function recorder(lines: string[], level: "error" | "info"): BrokerOptions["logger"] {
  return {
    type: "Pino",
    options: {
      level,
      pino: {
        options: {
          hooks: {
            logMethod(args: unknown[], method: (...args: unknown[]) => void) {
              // Pino wants the fields first, Moleculer's services give them last.
              method.apply(this, typeof args[1] === "object" ? [args[1], args[0]] : args);
            },
          },
        },
        destination: { write: (line: string) => lines.push(line) },
      },
    },
  };
}
