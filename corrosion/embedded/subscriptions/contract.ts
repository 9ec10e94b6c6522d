/**
 * @module What subscriptions and updates ask of the agent around them, and what they offer to its routes.
 * Everything here runs in the agent's main process, in short slices; the program supplies the reads.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Committed } from "../replication.ts";
import type { ReplicatedTable } from "../store/contract.ts";
import type { SqlValue, Statement } from "../values.ts";

/**
 * Runs a read in a process that can be ended, and yields its rows in batches of some hundred, integers as bigints.
 * Throws the message for the client: SQLite's own, or `interrupted` after `limitMs`. Ends early on the signal.
 * The snapshot that it reads is taken after the call.
 */
export type RunQuery = (
  sql: string,
  options: { readonly limitMs: number; readonly signal: AbortSignal },
) => AsyncIterable<readonly (readonly SqlValue[])[]>;

export interface SubscriptionsLog {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** Milliseconds; what is left out has the contract's value. */
export interface SubscriptionTimes {
  /** How long candidates are gathered before they are looked at. Default 600. */
  readonly batch?: number;
  /** Between two purges of the history. Default 300,000. */
  readonly purge?: number;
  /** A subscription without listeners is deleted after this time. Default 600,000. */
  readonly idle?: number;
  /** Limit of the initial query and of each repeated one. Default 15,000. */
  readonly query?: number;
}

export interface SubscriptionsOptions {
  /** `db.subscriptions_path`; made when it is missing. */
  readonly folder: string;
  /**
   * A read-only connection with all functions, `openReader(path)`: statements are prepared and expanded on it,
   * never stepped. This module sets its authorizer while it prepares; nobody else may use the connection.
   */
  readonly reader: DatabaseSync;
  /** The schema's tables as they are now. */
  readonly tables: () => readonly ReplicatedTable[];
  readonly query: RunQuery;
  readonly log: SubscriptionsLog;
  readonly times?: SubscriptionTimes;
}

/** Where events go: one HTTP stream. */
export interface Sink {
  /** Takes whole NDJSON lines. Resolves when the stream has room for more; rejects when it is gone. */
  write(lines: string): Promise<void>;
  /** No more lines will come. Called once, not after `close()` of the listener. */
  end(): void;
}

/** From when a reader wants events (contract corrosion, section 3). */
export interface StartAt {
  readonly from: bigint | null;
  readonly skipRows: boolean;
}

/** An accepted request. */
export interface Attachment {
  /** Header `corro-query-id`, hyphenated. */
  readonly id: string;
  /** Header `corro-query-hash`, 16 hex digits. */
  readonly hash: string;
  /** Call it once, when the answer's head is out. Lines come from now on; failures are lines too. */
  follow(sink: Sink): Listener;
}

export interface Listener {
  /** The client is gone. Nothing is written afterwards. */
  close(): void;
}

/** Why a request gets no stream; `message` goes into `{"error":…}`. */
export class SubscriptionRefused extends Error {
  override name = "SubscriptionRefused";
  readonly status: 400 | 404 | 500;
  constructor(status: 400 | 404 | 500, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** An entry of `subs list`. */
export interface SubscriptionEntry {
  readonly id: string;
  readonly hash: string;
  readonly sql: string;
  /** Milliseconds of work a second, over the last minute. */
  readonly ms_per_sec_cost: number;
}

/** The answer of `subs info`. */
export interface SubscriptionInfo {
  readonly id: string;
  readonly hash: string;
  /** The file of its state. */
  readonly path: string;
  readonly last_change_id: number;
  readonly original_query: string;
  /** For each table the query that looks at candidates. */
  readonly statements: readonly Readonly<Record<string, string>>[];
  readonly ms_per_sec_cost: number;
}

export interface Subscriptions {
  /** The subscription of this statement, a new one if there is none. Throws `SubscriptionRefused`. */
  subscribe(statement: Statement, at: StartAt): Attachment;
  /** By id, any case, hyphens or not. Throws `SubscriptionRefused` (404). */
  attach(id: string, at: StartAt): Attachment;
  /** Tell it of every commit, in order. */
  committed(committed: Pick<Committed, "touched">): void;
  list(): readonly SubscriptionEntry[];
  /** Throws `SubscriptionRefused` (404, `unknown subscription hash or id`). */
  info(which: { readonly id: string } | { readonly hash: string }): SubscriptionInfo;
  /** Ends all of them, because commits may have been missed; who asks again gets a new one. */
  renew(): void;
  /** Ends all streams. Clean: what runs is finished and all state kept; otherwise the files are removed. */
  close(options: { readonly clean: boolean }): Promise<void>;
}

export interface UpdatesOptions {
  readonly tables: () => readonly ReplicatedTable[];
  readonly log: SubscriptionsLog;
  readonly times?: Pick<SubscriptionTimes, "batch">;
}

export interface Updates {
  /** Throws `SubscriptionRefused` (400, `table not found in schema: x`). */
  follow(table: string): Omit<Attachment, "hash">;
  committed(committed: Pick<Committed, "touched">): void;
  /** Ends all streams. */
  close(): void;
}

// Built elsewhere in this folder:
//   subscriptions.ts  openSubscriptions(options: SubscriptionsOptions): Subscriptions
//   updates.ts        openUpdates(options: UpdatesOptions): Updates
