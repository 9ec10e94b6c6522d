/** @module The log engine: what a group's replicated log must do, whichever engine keeps it. */

/** One record of a group's log. */
export interface LogEntry {
  /** Position in the log, 1-based and contiguous. */
  readonly index: number;
  /** The bytes given to `append`, at most `MAX_ENTRY_BYTES`. */
  readonly data: Uint8Array;
}

/** What the dashboard shows of one group's log. */
export interface EngineHealth {
  /** The NATS server that leads the stream; null for an engine without servers, or while there is none. */
  readonly leader: string | null;
  /** Copies of the log, the leader's included. */
  readonly replicas: readonly EngineReplica[];
  /** Copies that the engine was asked to keep. */
  readonly wanted: number;
  /** Bytes that the log takes on disk. */
  readonly bytes: number;
}

export interface EngineReplica {
  readonly name: string;
  /** Whether it confirmed everything that the leader has. */
  readonly current: boolean;
  /** Entries that it is behind by. */
  readonly lag: number;
}

/** What a node shows of its engine as a whole. */
export interface EngineStatus {
  readonly kind: "sqlite" | "jetstream";
  /** Whether the engine can be reached now. */
  readonly connected: boolean;
  /** One line for people: which file, or which servers with their versions. */
  readonly detail: string;
  /** Sentences that an operator must read (old servers, fewer replicas than wanted); empty when all is well. */
  readonly warnings: readonly string[];
}

export interface LogEngine {
  readonly kind: "sqlite" | "jetstream";

  /**
   * Creates the logs that are missing, in parallel, and brings the copies of each to what the servers allow.
   * Idempotent; any node may call it, the coordinator does so every 10 s.
   * Throws `GroupsMismatch` when the stored number of groups differs, `Unavailable` when the engine cannot be
   * reached; a second call goes on where the first one ended.
   */
  provision(groups: number): Promise<void>;

  /** Brings `status` up to date with what other nodes have provisioned since. Throws `Unavailable`. */
  inspect(): Promise<void>;

  /** Opens one group's log. Throws `Unavailable` when it was not provisioned yet. */
  open(group: number): Promise<GroupLog>;

  /** Commits nothing, but proves that a write could be (used by readiness). Throws `Unavailable`. */
  probe(): Promise<void>;

  status(): EngineStatus;

  /** Ends every `follow`, waits for appends under way and frees files and connections. */
  close(): Promise<void>;
}

export interface GroupLog {
  readonly group: number;

  /** Indexes of the first and last entry, 1-based; `last = first - 1` when the log is empty. */
  bounds(): Promise<{ first: number; last: number }>;

  /**
   * Writes one entry if the log's last index is `expectedLast`, and returns its index (`expectedLast + 1`).
   * The same `messageId` with the same `expectedLast` again returns the first commit's index.
   * Throws `Fenced` (another entry stands there), `Unavailable` (certainly not written) or
   * `Unknown` (it may have been written: ask again with the same arguments).
   */
  append(entry: Uint8Array, expectedLast: number, messageId: string): Promise<number>;

  /** Entries from..to (both included; `to` defaults to the last one at the call). Throws `Truncated`, `Corrupt`, `Unavailable`. */
  read(from: number, to?: number): AsyncIterable<LogEntry>;

  /** `read`, then live entries until the signal aborts: never a gap, never a repeat. Throws as `read`. */
  follow(from: number, signal: AbortSignal): AsyncIterable<LogEntry>;

  /** Drops the entries with an index below `before`; idempotent. */
  truncate(before: number): Promise<void>;

  health(): Promise<EngineHealth>;
}

/** Largest entry that every engine takes, in bytes (contract, section 2). */
export const MAX_ENTRY_BYTES = 768 * 1024;
