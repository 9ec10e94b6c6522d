/** @module What the corrosion room offers on the bus. Every call but the coordinator's is for the caller's own node. */

/** ISO 8601 UTC with microseconds. */
export type Timestamp = string;

/* The agent: `corrosion.agent` (status, start, stop, restart, logs) */

export type AgentState =
  | "stopped"
  | "starting"
  | "running"
  | "unhealthy"
  | "restarting"
  | "stopping"
  | "crashed"
  | "external";

/** `corrosion.agent.status`, and the payload of the local event `agent_state`. */
export interface AgentStatus {
  readonly node_id: string;
  readonly state: AgentState;
  /** `binary` and `embedded` are children of this node; nobody here controls an `external` one. */
  readonly kind: "binary" | "embedded" | "external";
  readonly managed: boolean;
  readonly pid: number | null;
  /** What runs, e.g. the binary's path, or `embedded development agent`. */
  readonly program: string;
  /** Base URL of its HTTP API. */
  readonly api_url: string;
  readonly admin_path: string | null;
  readonly gossip_addr: string | null;
  readonly config_path: string | null;
  readonly restart_id: string | null;
  readonly restarts: number;
  /** Since when it is in this state. */
  readonly since: Timestamp;
  /** Why it is in this state, when that is not plain; one sentence. */
  readonly reason: string | null;
}

/** `corrosion.agent.restart`; answers at once, `restart_id` stands in the events. */
export interface RestartStarted {
  readonly restart_id: string;
  /** Whether a restart that was under way already is the one that this request got. */
  readonly joined: boolean;
}

/** `corrosion.agent.restart` with `{wait: true}` answers when it is over. */
export interface RestartOutcome extends RestartStarted {
  readonly ok: boolean;
  readonly phase: RestartPhase | null;
  readonly reason: string | null;
}

export type RestartPhase = "stopping" | "starting" | "health" | "settling";

/** `corrosion.agent.logs` with `{limit?}`, oldest first, at most 500. */
export interface AgentLogs {
  readonly lines: readonly {
    readonly at: Timestamp;
    readonly stream: "stdout" | "stderr" | "agent";
    readonly line: string;
  }[];
}

/** The bus events `corrosion.restarting`, `.ready` and `.restart_failed`; local handlers drop foreign ones. */
export interface Restarting {
  readonly node_id: string;
  readonly restart_id: string;
  readonly timestamp: Timestamp;
}
export type Ready = Restarting;
export interface RestartFailed extends Restarting {
  readonly phase: RestartPhase;
  readonly reason: string;
}

/* The subscriber: `corrosion.subscriber` (status, restart) */

export type SubscriberState =
  | "initializing"
  | "connecting"
  | "connected"
  | "disconnected"
  | "paused_for_restart"
  | "error";

export interface SubscriberStatus {
  readonly node_id: string;
  readonly state: SubscriberState;
  readonly query_id: string | null;
  readonly change_id: number | null;
  /** Rows of `node_messages` that it knows. */
  readonly rows: number;
  readonly reconnects: number;
  readonly since: Timestamp;
  readonly reason: string | null;
}

/** A row of `node_messages`. */
export interface MessageRow {
  readonly pk: string;
  readonly node_id: string;
  readonly message: string;
  readonly sequence: number;
  readonly timestamp: string;
  readonly originating_endpoint: string;
  readonly region: string;
}

/** The local event `message_updates`. */
export type MessageUpdate = { readonly node_id: string } & (
  | { readonly type: "columns_received"; readonly columns: readonly string[] }
  | { readonly type: "initial_row"; readonly row: MessageRow }
  | { readonly type: "subscription_ready" }
  | { readonly type: "new_message"; readonly row: MessageRow; readonly catch_up?: true }
  | {
      readonly type: "message_change";
      readonly change: "INSERT" | "UPDATE" | "DELETE";
      readonly row: MessageRow;
    }
  | { readonly type: "subscription_connected"; readonly watch_id: string }
  | { readonly type: "subscription_error"; readonly reason: string }
  | { readonly type: "subscription_closed"; readonly reason: string }
  | { readonly type: "subscription_paused_for_restart" }
);

/* Configuration: `corrosion.config` (get, applyBootstrap, rollback, restoreCanonical, job) */

export type JobState = "validating" | "backing_up" | "writing" | "restarting" | "ready" | "error";

/** `corrosion.config.job`, and the payload of the local event `config_job`. */
export interface ConfigJob {
  readonly node_id: string;
  readonly job_id: string;
  readonly kind: "bootstrap" | "rollback" | "restore_canonical";
  readonly state: JobState;
  readonly message: string;
  readonly hosts: readonly string[];
  readonly backup_id: string | null;
  readonly started_at: Timestamp;
  readonly timestamp: Timestamp;
}

/** `corrosion.config.get`: read from the file at each call, never from memory. */
export interface NodeConfiguration {
  readonly node_id: string;
  readonly path: string;
  readonly hosts: readonly string[];
  /** The whole text, bearer tokens redacted; null when the file cannot be read. */
  readonly toml: string | null;
  readonly backups: readonly { readonly id: string; readonly created_at: Timestamp }[];
  readonly canonical: boolean;
  /** Whether it may be edited here, and if not, why. */
  readonly editable: boolean;
  readonly reason: string | null;
  /** Why the file cannot be used, one sentence; null when it can. */
  readonly problem: string | null;
}

/** `corrosion.config.applyBootstrap` with `{hosts, wait?}` and the like: at once the job, with `wait` when it is over. */
export type ApplyResult = ConfigJob;

/* Cluster update: `corrosion.coordinator` (reserve, release, update, status), on any node */

export type UpdateState =
  | "running"
  | "succeeded"
  | "rolling_back"
  | "rolled_back"
  | "rollback_failed"
  | "interrupted";
export type UpdateNodeState =
  | "pending"
  | "applying"
  | "restarting"
  | "ready"
  | "failed"
  | "rolled_back"
  | "skipped";

/** `corrosion.coordinator.status`, and the bus event `cluster_config_coordination`. */
export interface ClusterUpdate {
  readonly update_id: string;
  readonly initiator: string;
  readonly hosts: readonly string[];
  readonly state: UpdateState;
  readonly nodes: readonly {
    readonly node_id: string;
    readonly status: UpdateNodeState;
    readonly message: string | null;
    readonly timestamp: Timestamp;
  }[];
}

/* Members: `corrosion.members` (get, refresh, view, disagreements, corrosion) */

export type FetchStatus = "initializing" | "fetching" | "ok" | "error";

export interface Member {
  /** Hyphenated lower-case UUID. */
  readonly id: string;
  /** By `node_configs`; null when no row names this actor. */
  readonly node_id: string | null;
  readonly region: string;
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
  readonly state: "Alive" | "Suspect" | "Down" | null;
  /** From what is known of it: last sync, ts, address (contract corroport, 3.4). */
  readonly status: "active" | "connected" | "reachable" | "unknown";
  readonly incarnation: number | null;
  readonly cluster_id: number | null;
  readonly ring: number | null;
  readonly rtts: readonly number[];
  readonly rtt_avg_ms: number | null;
  /** NTP64 as a decimal string, and the time that it means. */
  readonly ts: string | null;
  readonly last_seen_at: Timestamp | null;
  readonly last_sync_at: Timestamp | null;
  readonly self: boolean;
}

/** `corrosion.members.get`, and the local event `cluster_membership`. */
export interface Membership {
  readonly members: readonly Member[];
  readonly error: string | null;
  readonly regions: readonly string[];
  readonly cache_status: {
    readonly last_updated: Timestamp | null;
    readonly error: string | null;
    readonly status: FetchStatus;
    readonly member_count: number;
  };
}

/** `corrosion.members.corrosion`: `__corro_members` and its neighbours as this node's database has them. */
export interface CorrosionTables {
  readonly members: readonly CorrosionMemberRow[];
  /** Null where `crsql_tracked_peers` does not exist. */
  readonly tracked_peers: readonly Readonly<Record<string, unknown>>[] | null;
  readonly actor_id: string | null;
}

export interface CorrosionMemberRow {
  readonly id: string;
  readonly node_id: string | null;
  readonly address: string;
  readonly state: "Alive" | "Suspect" | "Down" | null;
  readonly incarnation: number | null;
  readonly rtt_min: number | null;
  readonly updated_at: string | null;
  /** The row's `foca_state` as it is, when it cannot be read. */
  readonly raw: string | null;
}

/** `corrosion.members.view`: what this node thinks of every actor, for the matrix. */
export interface MemberView {
  readonly node_id: string;
  readonly actor_id: string | null;
  readonly at: Timestamp | null;
  readonly error: string | null;
  readonly subjects: readonly { readonly id: string; readonly state: "Alive" | "Suspect" | "Down" }[];
}

/** `corrosion.members.disagreements`: who thinks what of whom. */
export interface Disagreements {
  readonly observers: readonly {
    readonly node_id: string;
    readonly actor_id: string | null;
    readonly at: Timestamp | null;
    readonly answered: boolean;
    readonly reason: string | null;
  }[];
  readonly subjects: readonly {
    readonly id: string;
    readonly node_id: string | null;
    /** One an observer, in their order. */
    readonly states: readonly ("Alive" | "Suspect" | "Down" | "absent" | "no answer" | "self")[];
    readonly disagreement: boolean;
  }[];
  readonly disagreement: boolean;
}

/* Discovery: `corrosion.discovery` (get, refresh) */

export interface DiscoveredNode {
  readonly node_id: string;
  readonly region: string;
  readonly machine: string | null;
}

export interface Discovery {
  readonly nodes: readonly DiscoveredNode[];
  readonly error: string | null;
  readonly status: FetchStatus;
  readonly last_updated: Timestamp | null;
  readonly age_ms: number | null;
  readonly source: "dns" | "development";
}

/* Identity: `corrosion.identity` (get, map, report, configs, reportHosts) */

export interface Identity {
  readonly node_id: string;
  readonly actor_id: string | null;
  /** When `node_configs` was last written; null when it never had to be. */
  readonly reported_at: Timestamp | null;
  readonly error: string | null;
}

/** `corrosion.identity.map`: actor id (hyphenated) to node id, by `node_configs`. */
export type IdentityMap = Readonly<Record<string, string>>;

/** `corrosion.identity.configs`: rows of `node_configs`. */
export interface NodeConfigRow {
  readonly node_id: string;
  readonly corrosion_actor_id: string | null;
  readonly bootstrap_hosts: string;
  readonly updated_at: string;
  readonly updated_by: string;
}

/* The console's query service: `corrosion.query` (presets, run, history, cancel) */

export interface QueryPreset {
  readonly id: string;
  readonly label: string;
  readonly badge: string;
  readonly description: string;
  /** Null for presets that the node answers itself (`database_info`). */
  readonly sql: string | null;
  readonly params: readonly {
    readonly name: string;
    readonly type: "integer" | "text";
    readonly min?: number;
    readonly default?: number | string;
  }[];
}

/** Cells: integers beyond 2^53 are strings; a blob is `{blob: hex}`. */
export type ConsoleCell = null | number | string | { readonly blob: string };

export interface QueryRun {
  readonly preset?: string;
  readonly sql?: string;
  readonly params?: Readonly<Record<string, number | string>> | readonly (null | boolean | number | string)[];
  readonly mode?: "read" | "write";
  /** Rows at most; 1 to 5000, default 500. */
  readonly limit?: number;
  /** With it a caller may `corrosion.query.cancel` the run. */
  readonly run_id?: string;
}

export interface QueryResult {
  readonly run_id: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ConsoleCell[])[];
  readonly row_count: number;
  /** Only in mode `write`. */
  readonly rows_affected?: number;
  readonly truncated: boolean;
  readonly elapsed_ms: number;
}

export interface ConsoleRunRecord {
  readonly id: number;
  readonly at: Timestamp;
  readonly preset: string | null;
  readonly sql: string;
  readonly params: unknown;
  readonly mode: "read" | "write";
  readonly row_count: number | null;
  readonly elapsed_ms: number | null;
  readonly error: string | null;
}

/** `analytics.store.recordRun`; `analytics.store.runs` with `{limit}` gives them back as `ConsoleRunRecord[]`. */
export type NewConsoleRun = Omit<ConsoleRunRecord, "id" | "at"> & {
  /** Microseconds since 1970. */
  readonly at: number;
};

/* The node: `corrosion.node` (facts, ping, flow) */

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
