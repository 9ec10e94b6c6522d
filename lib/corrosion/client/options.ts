/** @module What callers of a client say and get. */
import type { Cell } from "./events.ts";

export interface ClientOptions {
  /** Base URL of the API, e.g. `http://127.0.0.1:8081`. */
  readonly url: string;
  /** Bearer token; null: none. Never part of a message. */
  readonly token: string | null;
  /** The agent's `api.endpoint_name`, where it has one. */
  readonly endpointName?: string;
  /** Default 2 s. */
  readonly connectTimeoutMs?: number;
  /** How long a call takes at most, its retries included; streams: until their head is here. Default 5 s. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  /** Instead of the client's. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface QueryOptions extends CallOptions {
  /** Rows at most; where there are more, the stream is broken off. Default: all. */
  readonly limit?: number;
}

export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Whether there were more rows than the limit. */
  readonly truncated: boolean;
}

export interface StreamOptions {
  readonly signal?: AbortSignal;
}

export interface SubscribeOptions extends StreamOptions {
  /** Only changes after this one. */
  readonly from?: number;
  /** Without the rows that there are. */
  readonly skipRows?: boolean;
}

/** An endless stream: the iterable returns when the agent ends it. Leaving its loop closes the connection. */
export interface AgentStream<E> {
  /** `corro-query-id`. */
  readonly id: string;
  /** `corro-query-hash`; null where the agent sends none. */
  readonly hash: string | null;
  /** To be read once. Throws `AgentError` (`unreachable`, `protocol`, `too_old`) and the signal's reason. */
  readonly events: AsyncIterable<E>;
  /** Closes the connection, also of a stream that nobody reads; a reader gets the reason. */
  close(reason?: Error): void;
}
