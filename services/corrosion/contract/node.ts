/** @module What `corrosion.node` offers on the bus: facts, ping, connections, flow. */
import type { Timestamp } from "../../../lib/clock.ts";
import type { AgentStatus } from "./agent.ts";
import type { NodeConfiguration } from "./config.ts";
import type { MessageUpdate } from "./subscriber.ts";

/** `corrosion.node.facts`. */
export interface NodeFacts {
  readonly node_id: string;
  readonly region: string;
  readonly environment: string;
  readonly mode: "embedded" | "distributed";
  readonly engines: {
    readonly log: string;
    readonly bus: "in-process" | "nats";
    /** Null: there is no archive. */
    readonly database: "embedded" | "external" | null;
    readonly cache: "memory" | "redis";
    /** Null while the agent's actor does not answer. */
    readonly agent: AgentStatus["kind"] | null;
  };
  readonly versions: { readonly fleetport: string; readonly node: string; readonly moleculer: string };
  readonly pid: number;
  readonly started_at: Timestamp;
  /** Of the process. */
  readonly uptime_s: number;
  /** Of the process, which several embedded nodes share. */
  readonly memory: {
    readonly rss_bytes: number;
    readonly heap_used_bytes: number;
    readonly heap_total_bytes: number;
  };
  readonly bus_connected: boolean;
  readonly ports: {
    readonly web: number;
    readonly ack: number;
    readonly corrosion_api: number;
    readonly corrosion_gossip: number;
  };
  readonly urls: { readonly web: string | null; readonly corrosion_api: string | null };
  /** `host:port` where other nodes acknowledge; null while it does not listen. */
  readonly ack_endpoint: string | null;
  /** Names of the node's services, without those of groups. */
  readonly services: readonly string[];
  /** Groups that it leads. */
  readonly leads: number;
  /** Groups of which it keeps a copy. */
  readonly follows: number;
  /** Variables of the environment, secrets replaced; null: not set. */
  readonly variables: Readonly<Record<string, string | null>>;
  /** Whether it has one, its own or somebody else's: not with CORROSION_MODE=off. */
  readonly has_agent: boolean;
  /** Null: it has none, or its actor did not answer. */
  readonly agent: AgentStatus | null;
  readonly configuration:
    | (Pick<NodeConfiguration, "path" | "hosts" | "canonical" | "editable" | "reason" | "problem"> & {
        /** How many there are. */
        readonly backups: number;
      })
    | null;
  /** Of the node's own folder. */
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly modified_at: Timestamp;
  }[];
  /** Why a part is null, a sentence each. */
  readonly problems: readonly string[];
}

/** `corrosion.node.ping`. */
export interface NodePing {
  readonly ok: boolean;
  readonly latency_ms: number;
  /** Why it is not ok; null when it is. */
  readonly error: string | null;
}

/** `corrosion.node.connections`. */
export interface AgentConnections {
  readonly node_id: string;
  /** To the agent's API, streams included. */
  readonly open: number;
}

/** `corrosion.node.flow` with `{after?}`: at most the newest 500. */
export interface MessageFlow {
  /** Number of the newest event. */
  readonly last: number;
  readonly entries: readonly {
    readonly n: number;
    readonly at: Timestamp;
    readonly update: MessageUpdate;
  }[];
}
