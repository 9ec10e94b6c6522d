/** @module A node that has nothing but the actors under test, and says where its agent is. */
import type { Context, ServiceBroker, ServiceSchema } from "moleculer";
import type { MessageUpdate } from "../../services/corrosion/contract.ts";
import { testBroker } from "../helpers/gateway.ts";

export interface TestNode {
  readonly broker: ServiceBroker;
  /** What the subscriber told, in order. */
  readonly updates: MessageUpdate[];
  call<T>(action: string, params?: object): Promise<T>;
  stop(): Promise<void>;
}

/** `env` is added to the node's configuration. */
export async function startNode(
  url: () => string | null,
  services: readonly ServiceSchema[],
  env: Readonly<Record<string, string>> = {},
): Promise<TestNode> {
  const token = process.env.CORROSION_API_TOKEN;
  const { broker } = testBroker({
    env: { FLEETPORT_ENV: "test", ...(token ? { CORROSION_API_TOKEN: token } : {}), ...env },
  });
  const updates: MessageUpdate[] = [];
  broker.createService({
    name: "corrosion.agent",
    actions: {
      status() {
        const api_url = url();
        if (api_url === null) throw new Error("the agent is not there yet");
        return { api_url };
      },
    },
  });
  broker.createService({
    name: "listener",
    events: { message_updates: (ctx: Context<MessageUpdate>) => void updates.push(ctx.params) },
  });
  for (const service of services) broker.createService(service);
  await broker.start();
  return {
    broker,
    updates,
    call: <T>(action: string, params: object = {}) =>
      broker.call<T, object>(action, params, { nodeID: broker.nodeID }),
    stop: () => broker.stop(),
  };
}
