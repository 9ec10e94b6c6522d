/** @module What `corrosion.subscriber` offers on the bus: status, restart. */
import type { Timestamp } from "../../../lib/clock.ts";

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
