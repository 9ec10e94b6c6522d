/** @module The client of this node's own agent, wherever that is now. */
import type { ServiceBroker } from "moleculer";
import { runtimeOf } from "../../lib/runtime.ts";
import { CorrosionClient } from "./client/http.ts";
import type { AgentStatus } from "./contract.ts";
import { CorrosionError } from "./failures.ts";

const STATUS_TIMEOUT_MS = 2000;

export class AgentAccess {
  readonly #broker: ServiceBroker;
  #client: { readonly url: string; readonly client: CorrosionClient } | null = null;

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  /** Asks the node's agent actor where its agent is. Throws `agent_unavailable` when that does not answer. */
  async client(): Promise<CorrosionClient> {
    const { nodeID } = this.#broker;
    const url = await this.#broker
      .call<AgentStatus, object>("corrosion.agent.status", {}, { nodeID, timeout: STATUS_TIMEOUT_MS })
      .then((status) => status.api_url)
      .catch((error: unknown) => {
        const message = `node ${nodeID} does not know where its Corrosion agent is: corrosion.agent does not answer`;
        throw new CorrosionError("agent_unavailable", message, {}, { cause: error });
      });
    if (this.#client?.url !== url) {
      const token = runtimeOf(this.#broker).config.console.agent.apiToken;
      this.#client = { url, client: new CorrosionClient({ url, token }) };
    }
    return this.#client.client;
  }
}
