/** @module A client of a subscription that keeps a local table, and is strict about what it is told. */
import assert from "node:assert/strict";
import type { Attachment, Listener, Sink } from "../../corrosion/embedded/subscriptions/contract.ts";
import { until } from "./until.ts";

type Event =
  | { readonly columns: readonly string[] }
  | { readonly row: readonly [number, readonly unknown[]] }
  | { readonly eoq: { readonly time: number; readonly change_id: number } }
  | { readonly change: readonly ["insert" | "update" | "delete", number, readonly unknown[], number] }
  | { readonly error: string };

export class SubscriptionClient implements Sink {
  readonly id: string;
  readonly events: Event[] = [];
  /** Cells as text by row id. */
  readonly rows: Map<number, string>;
  /** The last change or eoq. */
  changeId: number | null;
  ended = false;
  violation: unknown;
  readonly #listener: Listener;
  #highest = 0;
  readonly #resumed: boolean;
  /** Whether it was ever told all rows; without them it can check change ids only. */
  #whole: boolean;
  #room: (() => void) | null = null;
  #paused: Promise<void> | null = null;

  /** With the rows and change id of one that it goes on for; who asks from 0 is told all rows again. */
  constructor(attachment: Attachment, before?: SubscriptionClient, paused = false) {
    const known = before?.changeId ? before : undefined;
    this.id = attachment.id;
    this.#resumed = known !== undefined;
    this.#whole = this.#resumed;
    this.rows = new Map(known?.rows);
    this.changeId = known?.changeId ?? null;
    this.#highest = known === undefined ? 0 : known.#highest;
    if (paused) this.pause();
    this.#listener = attachment.follow(this);
  }

  async write(lines: string): Promise<void> {
    assert.ok(!this.ended, "a line after the end");
    assert.ok(lines.endsWith("\n"));
    try {
      for (const line of lines.slice(0, -1).split("\n")) this.#take(JSON.parse(line) as Event);
    } catch (error) {
      // The stream would take it for a client that is gone; it is told to who looks.
      this.violation ??= error;
    }
    await this.#paused;
  }

  end(): void {
    assert.ok(!this.ended, "ended twice");
    this.ended = true;
  }

  close(): void {
    this.#listener.close();
  }

  /** Takes what comes, but has no room for more until `resume`. */
  pause(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  resume(): void {
    this.#room?.();
    this.#paused = null;
  }

  /** The cells of all rows, sorted. */
  table(): string[] {
    return [...this.rows.values()].sort();
  }

  get columns(): readonly string[] | undefined {
    return this.events.flatMap((event) => ("columns" in event ? [event.columns] : []))[0];
  }

  get error(): string | undefined {
    return this.events.flatMap((event) => ("error" in event ? [event.error] : []))[0];
  }

  /** Changes as `type row [cells] id`. */
  get changes(): string[] {
    if (this.violation !== undefined) throw this.violation;
    return this.events.flatMap((event) =>
      "change" in event
        ? [`${event.change[0]} ${event.change[1]} ${JSON.stringify(event.change[2])} ${event.change[3]}`]
        : [],
    );
  }

  /** Its change id, or that of the reader it goes on for. */
  async eoq(): Promise<number> {
    if (this.#resumed && this.changeId !== null) return this.changeId;
    const found = await until("end of query", () => this.events.find((event) => "eoq" in event));
    return "eoq" in found ? found.eoq.change_id : -1;
  }

  async shows(rows: () => readonly string[], limitMs?: number): Promise<void> {
    await until(
      "the table is as it should be",
      () => this.violation !== undefined || this.table().join("\n") === rows().join("\n"),
      limitMs,
    );
    if (this.violation !== undefined) throw this.violation;
  }

  #take(event: Event): void {
    this.events.push(event);
    if ("row" in event) {
      const [row, cells] = event.row;
      assert.ok(row > this.#highest, `row ids grow: ${row} after ${this.#highest}`);
      this.#highest = row;
      this.rows.set(row, JSON.stringify(cells));
    } else if ("eoq" in event) {
      assert.ok(!this.#whole, "a second eoq");
      this.#whole = true;
      this.changeId = event.eoq.change_id;
    } else if ("change" in event) {
      this.#change(...event.change);
    }
  }

  #change(type: string, row: number, cells: readonly unknown[], changeId: number): void {
    if (this.changeId !== null) assert.equal(changeId, this.changeId + 1, "no gap, no repeat");
    this.changeId = changeId;
    const text = JSON.stringify(cells);
    if (type === "insert") {
      assert.ok(row > this.#highest, `row id ${row} is used again`);
      this.#highest = row;
      this.rows.set(row, text);
    } else if (!this.#whole) {
      return;
    } else if (type === "update") {
      assert.ok(this.rows.has(row), "an update is of a known row");
      assert.notEqual(this.rows.get(row), text, "an update changes something");
      this.rows.set(row, text);
    } else {
      assert.equal(this.rows.get(row), text, "a delete carries the last cells");
      this.rows.delete(row);
    }
  }
}
