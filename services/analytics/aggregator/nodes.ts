/** @module Calls to the aggregators and stores of single nodes: always to the one that is meant, never for long. */
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "../../../lib/cluster-nodes.ts";
import { regionOf } from "../../../lib/regions.ts";
import type {
  AggregationStatus,
  Claim,
  ClaimAnswer,
  CurrentRun,
  Deleted,
  EventKey,
  EventPage,
  ExperimentPart,
  ExperimentRow,
} from "../contract.ts";
import type { ClaimKey } from "./claims.ts";

const SERVICE = "analytics.aggregator";
/** What a node knows from its memory. */
const ASK_MS = 2000;
/** What a node reads from its file. */
const READ_MS = 5000;

export interface KnownNode {
  readonly id: string;
  /** Whether it can be asked at present. */
  readonly available: boolean;
}

/** Nodes that experiments run on, this one included, sorted by id. */
export function analyticsNodes(broker: ServiceBroker): KnownNode[] {
  const own = { id: broker.nodeID, available: true };
  return [...nodesWith(broker, SERVICE).filter(({ id }) => id !== own.id), own].sort((a, b) =>
    a.id < b.id ? -1 : 1,
  );
}

/** Ids of those that can be asked at present. */
export function presentNodes(broker: ServiceBroker): string[] {
  return analyticsNodes(broker).flatMap(({ available, id }) => (available ? [id] : []));
}

/** The other nodes that can be reached at present. */
export function activeNodes(broker: ServiceBroker): AggregationStatus["active_nodes"] {
  const urls = new Map(broker.registry.nodes.toArray().map(({ id, metadata }) => [id, metadata?.url]));
  return presentNodes(broker)
    .filter((id) => id !== broker.nodeID)
    .map((id) => ({
      node_id: id,
      region: regionOf(id),
      phoenix_port: portOf(urls.get(id)),
      is_local: false,
    }));
}

function portOf(url: unknown): number | null {
  return typeof url === "string" && URL.canParse(url) ? Number(new URL(url).port) : null;
}

/** One node's aggregator and store, over the bus or in the same process. Each call throws when it does not answer. */
export class NodeCalls {
  readonly id: string;
  readonly #broker: ServiceBroker;

  constructor(broker: ServiceBroker, id: string) {
    this.#broker = broker;
    this.id = id;
  }

  claim(wanted: Claim): Promise<ClaimAnswer> {
    return this.#call(`${SERVICE}.claim`, wanted, ASK_MS);
  }

  release({ experiment_id, owner_node }: ClaimKey): Promise<void> {
    return this.#call(`${SERVICE}.release`, { experiment_id, owner_node }, ASK_MS);
  }

  current(): Promise<CurrentRun | null> {
    return this.#call(`${SERVICE}.current`, {}, ASK_MS);
  }

  /** Ends the run if the node leads it. Returns the run as it ended; null: it leads no such run. */
  finish(experiment_id: string): Promise<ExperimentRow | null> {
    return this.#call(`${SERVICE}.finish`, { experiment_id }, ASK_MS);
  }

  experiments(id?: string): Promise<ExperimentPart[]> {
    return this.#call("analytics.store.experiments", id === undefined ? {} : { id }, READ_MS);
  }

  events(experiment_id: string, after: EventKey | null): Promise<EventPage> {
    const params = after === null ? { experiment_id } : { experiment_id, after };
    return this.#call("analytics.store.events", params, READ_MS);
  }

  delete(experiment_id: string | null): Promise<Deleted> {
    return this.#call("analytics.store.delete", experiment_id === null ? {} : { experiment_id }, READ_MS);
  }

  #call<T>(action: string, params: object, timeout: number): Promise<T> {
    return this.#broker.call<T, object>(action, params, { nodeID: this.id, timeout });
  }
}

export interface Answers<T> {
  readonly answers: readonly { readonly node: string; readonly value: T }[];
  readonly reporting: readonly string[];
  /** Nodes that cannot be asked, or did not answer. */
  readonly missing: readonly string[];
}

/** Asks every node at once. Who does not answer is missing, with a line in the log. */
export async function askAll<T>(
  broker: ServiceBroker,
  nodes: readonly KnownNode[],
  ask: (node: NodeCalls) => Promise<T>,
): Promise<Answers<T>> {
  const results = await Promise.all(
    nodes.map(async ({ available, id }) => {
      if (!available) return { id, answer: null };
      try {
        return { id, answer: { node: id, value: await ask(new NodeCalls(broker, id)) } };
      } catch (error) {
        broker.logger.info("a node does not answer for its part", { node: id, error: String(error) });
        return { id, answer: null };
      }
    }),
  );
  return {
    answers: results.flatMap(({ answer }) => answer ?? []),
    reporting: results.flatMap(({ answer, id }) => (answer ? [id] : [])),
    missing: results.flatMap(({ answer, id }) => (answer ? [] : [id])),
  };
}
