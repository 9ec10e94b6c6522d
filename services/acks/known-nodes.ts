/** @module Which nodes there are, for those who expect acknowledgements of them, and believe theirs. */
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "../../lib/cluster-nodes.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type { Discovery, NodeConfigRow } from "../corrosion/contract.ts";

const DISCOVERY_MS = 1000;
const CONFIGS_MS = 5000;
/** How long a reading of `node_configs` is good enough: somebody unknown must not make the agent work. */
const CONFIGS_FRESH_MS = 1000;

/** Nodes whose acknowledgement is waited for: (DNS ∪ registry) - self, sorted. */
export async function expectedNodes(broker: ServiceBroker): Promise<string[]> {
  const present = nodesWith(broker, "corrosion.agent").filter(({ available }) => available);
  const found = [...present.map(({ id }) => id), ...(await discovered(broker))];
  return [...new Set(found)].filter((id) => id !== broker.nodeID).sort();
}

/** `host:port` where other nodes acknowledge, as this node's ack API advertises it. Throws `send_unavailable`. */
export function ownAckEndpoint({ metadata, nodeID }: ServiceBroker): string {
  const { ack_endpoint: endpoint } = metadata;
  if (typeof endpoint === "string") return endpoint;
  const text = `Node ${nodeID} has no ack API, so nobody could acknowledge what it sends.`;
  throw new CorrosionError("send_unavailable", text);
}

/** Never waits for the DNS; without discovery the registry alone says who there is. */
async function discovered(broker: ServiceBroker): Promise<string[]> {
  const { nodeID } = broker;
  try {
    const options = { nodeID, timeout: DISCOVERY_MS };
    const { nodes } = await broker.call<Discovery, object>("corrosion.discovery.get", {}, options);
    return nodes.map(({ node_id }) => node_id);
  } catch (error) {
    broker.logger.debug("discovery does not answer", { error: String(error) });
    return [];
  }
}

/** Who may acknowledge: registry ∪ DNS ∪ `node_configs`. */
export class KnownNodes {
  readonly #broker: ServiceBroker;
  #configs: { readonly ids: Promise<ReadonlySet<string>>; readonly readAt: number } | null = null;

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  /** Whether there is such a node. Rejects when only `node_configs` could tell and cannot be read now. */
  async has(nodeId: string): Promise<boolean> {
    if (nodesWith(this.#broker, "corrosion.agent").some(({ id }) => id === nodeId)) return true;
    if ((await discovered(this.#broker)).includes(nodeId)) return true;
    return (await this.#configured()).has(nodeId);
  }

  #configured(): Promise<ReadonlySet<string>> {
    const now = performance.now();
    if (this.#configs === null || now - this.#configs.readAt >= CONFIGS_FRESH_MS) {
      this.#configs = { ids: this.#readConfigs(), readAt: now };
    }
    return this.#configs.ids;
  }

  async #readConfigs(): Promise<ReadonlySet<string>> {
    const options = { nodeID: this.#broker.nodeID, timeout: CONFIGS_MS };
    const rows = await this.#broker.call<NodeConfigRow[], object>("corrosion.identity.configs", {}, options);
    return new Set(rows.map(({ node_id }) => node_id));
  }
}
