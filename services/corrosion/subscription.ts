/** @module What the subscription to `node_messages` knows, and what each of its events means. No I/O. */
import type { Cell, SubscriptionEvent } from "../../lib/corrosion/client/events.ts";
import { MESSAGE_COLUMNS } from "../../lib/corrosion/message-columns.ts";
import type { MessageRow, MessageUpdate } from "./contract.ts";

/** One text for every node: agents share a subscription between those who ask with the same bytes. */
export const MESSAGES_SQL = `SELECT ${MESSAGE_COLUMNS.join(", ")} FROM node_messages`;

type WithoutNode<U> = U extends unknown ? Omit<U, "node_id"> : never;

/** A `message_updates` event before the node's id is put on it. */
export type Update = WithoutNode<MessageUpdate>;

/** What to ask the agent for next. */
export type Plan =
  | { readonly kind: "subscribe" }
  /** All changes after `from`. */
  | { readonly kind: "resume"; readonly id: string; readonly from: number };

/** What an event led to. */
export interface Step {
  readonly updates: readonly Update[];
  /** The stream is of no use any more: why; null while it is. */
  readonly broken: string | null;
  /** Key of a row that cannot be read, and is left out. */
  readonly unreadable: string | null;
}

type Columns = ReadonlyMap<keyof MessageRow, number>;

/** The rows are those of the agent's table as of the last event; a snapshot that breaks off leaves what it brought. */
export class Subscription {
  readonly #known = new Map<string, MessageRow>();
  #id: string | null = null;
  /** The last change; null until a snapshot is whole: without one there is nothing to go on from. */
  #changeId: number | null = null;
  #columns: Columns | null = null;
  /** Keys of the snapshot that is being read; null when none is. */
  #seen: Set<string> | null = null;
  /** Whether any snapshot ever was whole: what came before is history. */
  #warm = false;

  get id(): string | null {
    return this.#id;
  }

  get changeId(): number | null {
    return this.#changeId;
  }

  get size(): number {
    return this.#known.size;
  }

  get plan(): Plan {
    if (this.#id === null || this.#changeId === null) return { kind: "subscribe" };
    return { kind: "resume", id: this.#id, from: this.#changeId };
  }

  /** The agent took the request that the plan named. */
  opened(id: string): void {
    this.#seen = null;
    if (this.plan.kind === "subscribe") this.#columns = null;
    this.#id = id;
  }

  /** The agent's subscription is gone or in doubt: the next plan begins anew, and compares with the rows known here. */
  forget(): void {
    this.#id = null;
    this.#changeId = null;
    this.#seen = null;
  }

  /** Takes the next event of the stream. */
  take(event: SubscriptionEvent): Step {
    switch (event.kind) {
      case "columns":
        return this.#begin(event.columns);
      case "row":
        return this.#row(event.cells);
      case "eoq":
        return this.#complete(event.changeId);
      case "change":
        return this.#change(event.change, event.cells, event.changeId);
      case "error":
        // Whatever it was, a fresh snapshot cannot be wrong.
        return this.#startOver(event.message);
    }
  }

  #begin(columns: readonly string[]): Step {
    const missing = MESSAGE_COLUMNS.filter((column) => !columns.includes(column));
    if (missing.length > 0) return this.#startOver(`the rows come without the columns ${missing.join(", ")}`);
    this.#columns = new Map(MESSAGE_COLUMNS.map((column) => [column, columns.indexOf(column)]));
    this.#seen = new Set();
    this.#changeId = null;
    return updates({ type: "columns_received", columns });
  }

  #row(cells: readonly Cell[]): Step {
    if (this.#seen === null || this.#columns === null)
      return this.#startOver("a row came before its columns");
    const row = rowOf(cells, this.#columns);
    if (row === null) return unreadable(cells);
    this.#seen.add(row.pk);
    const known = this.#known.get(row.pk);
    this.#known.set(row.pk, row);
    if (known !== undefined) {
      return isSame(known, row) ? updates() : updates({ type: "message_change", change: "UPDATE", row });
    }
    return updates(this.#warm ? { type: "new_message", row, catch_up: true } : { type: "initial_row", row });
  }

  #complete(changeId: number | null): Step {
    const seen = this.#seen;
    if (seen === null || changeId === null) return this.#startOver("the end of the rows came out of turn");
    const gone = [...this.#known.values()].filter(({ pk }) => !seen.has(pk));
    for (const { pk } of gone) this.#known.delete(pk);
    this.#seen = null;
    this.#changeId = changeId;
    this.#warm = true;
    return updates(...gone.map((row): Update => ({ type: "message_change", change: "DELETE", row })), {
      type: "subscription_ready",
    });
  }

  #change(change: "insert" | "update" | "delete", cells: readonly Cell[], changeId: number): Step {
    if (this.#changeId === null || this.#columns === null) {
      return this.#startOver("a change came before the end of the rows");
    }
    if (changeId !== this.#changeId + 1) {
      return this.#startOver(`change ${changeId} came where ${this.#changeId + 1} was due`);
    }
    this.#changeId = changeId;
    const row = rowOf(cells, this.#columns);
    if (row === null) return unreadable(cells);
    const known = this.#known.has(row.pk);
    if (change === "delete") {
      this.#known.delete(row.pk);
      return updates({ type: "message_change", change: "DELETE", row });
    }
    this.#known.set(row.pk, row);
    if (change === "update") return updates({ type: "message_change", change: "UPDATE", row });
    return updates(known ? { type: "message_change", change: "INSERT", row } : { type: "new_message", row });
  }

  #startOver(reason: string): Step {
    this.forget();
    return { updates: [], broken: reason, unreadable: null };
  }
}

function updates(...list: Update[]): Step {
  return { updates: list, broken: null, unreadable: null };
}

function unreadable(cells: readonly Cell[]): Step {
  return { updates: [], broken: null, unreadable: String(cells[0]).slice(0, 80) };
}

/** Null when the cells are none of a message: other programs may write to the table too. */
function rowOf(cells: readonly Cell[], columns: Columns): MessageRow | null {
  const cell = (column: keyof MessageRow) => cells[columns.get(column) ?? -1];
  const text = (column: keyof MessageRow) => {
    const value = cell(column);
    return typeof value === "string" ? value : null;
  };
  const pk = text("pk");
  const nodeId = text("node_id");
  const message = text("message");
  const sequence = cell("sequence");
  const timestamp = text("timestamp");
  const endpoint = text("originating_endpoint");
  const region = text("region");
  if (pk === null || nodeId === null || message === null || timestamp === null) return null;
  if (endpoint === null || region === null || typeof sequence !== "number") return null;
  if (!Number.isSafeInteger(sequence)) return null;
  return { pk, node_id: nodeId, message, sequence, timestamp, originating_endpoint: endpoint, region };
}

function isSame(a: MessageRow, b: MessageRow): boolean {
  return MESSAGE_COLUMNS.every((column) => a[column] === b[column]);
}
