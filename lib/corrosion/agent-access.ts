/** @module The client of this node's own agent, wherever that is now. */
import type { ServiceBroker } from "moleculer";
import type { CorrosionClient } from "./client/http.ts";
import { clientOf, ownAgent } from "./own-agent.ts";

export class AgentAccess {
  readonly #broker: ServiceBroker;

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  /** Asks the node's agent actor where its agent is. Throws `agent_unavailable` when that does not answer. */
  async client(): Promise<CorrosionClient> {
    return clientOf(this.#broker, await ownAgent(this.#broker));
  }
}
