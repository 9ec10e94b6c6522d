/** @module The SQLite engine's writer thread: the one connection that writes, one transaction for all that waits. */

import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import {
  checksum,
  failureOf,
  isFull,
  isRefusal,
  MAX_GROUPS,
  numberIn,
  openForWriting,
  position,
} from "./sqlite-file.ts";
import type { AppendBatch, FromWriter, Order, ToWriter, WriterData } from "./sqlite-messages.ts";

/** Limits of one transaction, so that no append waits for a very long one. */
const MAX_COMMIT_BYTES = 8 * 1024 * 1024;
const MAX_COMMIT_APPENDS = 4096;
/** Rows that one step of a truncation deletes; appends go between the steps. */
const TRUNCATE_ROWS = 5000;
/** Below this much free space `probe` says that a write could fail. */
const MIN_FREE_BYTES = 4 * 1024 * 1024;
/** The id of an order that nobody waits for. */
const NOBODY = 0;

interface Ends {
  first: number;
  last: number;
}

class Writer {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #port: MessagePort;
  /** First and last index of each group as of the last commit; filled on first use. */
  readonly #ends = new Map<number, Ends>();
  readonly #truncations: { group: number; before: number; id: number }[] = [];

  readonly #ofGroup;
  readonly #messageIdAt;
  readonly #insert;
  readonly #extend;

  constructor(database: DatabaseSync, file: string, port: MessagePort) {
    this.#database = database;
    this.#file = file;
    this.#port = port;
    this.#ofGroup = database.prepare("SELECT first, last FROM groups WHERE grp = ?");
    this.#messageIdAt = database.prepare("SELECT message_id FROM entries WHERE pos = ?");
    this.#insert = database.prepare("INSERT INTO entries (pos, message_id, crc, data) VALUES (?, ?, ?, ?)");
    this.#extend = database.prepare("UPDATE groups SET last = ?, bytes = bytes + ? WHERE grp = ?");
    this.#resumeTruncations();
    port.on("message", (message: ToWriter) => this.#turn(message));
  }

  /** Queues what a truncation left behind when the process ended in the midst of it. */
  #resumeTruncations(): void {
    const remains = this.#database.prepare("SELECT 1 FROM entries WHERE pos > ? AND pos < ? LIMIT 1");
    for (const row of this.#database.prepare("SELECT grp, first FROM groups WHERE first > 1").all()) {
      const group = numberIn(row, "grp");
      const first = numberIn(row, "first");
      if (remains.get(position(group, 0), position(group, first)))
        this.#truncations.push({ id: NOBODY, group, before: first });
    }
    if (this.#truncations.length > 0) setImmediate(() => this.#truncateStep());
  }

  /** Takes everything that waits: appends into one transaction, then the orders in their sequence. */
  #turn(first: ToWriter): void {
    const appends: AppendBatch[] = [];
    const orders: Order[] = [];
    let closing = false;
    let bytes = 0;
    let count = 0;
    const take = (message: ToWriter): void => {
      if (message.kind === "append") {
        appends.push(message);
        bytes += message.data.length;
        count += message.ids.length;
      } else if (message.kind === "close") closing = true;
      else orders.push(message);
    };
    take(first);
    while (bytes < MAX_COMMIT_BYTES && count < MAX_COMMIT_APPENDS) {
      const waiting = receiveMessageOnPort(this.#port);
      if (!waiting) break;
      take(waiting.message);
    }
    try {
      if (appends.length > 0) this.#commit(appends);
      for (const order of orders) this.#carryOut(order);
    } catch (error) {
      this.#say({ kind: "dying", failure: failureOf(error, this.#file) });
      closing = true;
    }
    if (closing) this.#end();
  }

  #say(message: FromWriter): void {
    this.#port.postMessage(message);
  }

  #end(): void {
    this.#truncations.length = 0;
    this.#port.close();
    this.#database.close();
  }

  /** One transaction for all batches; each append succeeds or is fenced on its own. */
  #commit(batches: readonly AppendBatch[]): void {
    const ids: number[] = [];
    const indexes: number[] = [];
    const fresh: boolean[] = [];
    const grown = new Map<number, { last: number; bytes: number }>();
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const batch of batches) {
        let offset = 0;
        for (const [i, id] of batch.ids.entries()) {
          const length = batch.lengths[i]!;
          const data = batch.data.subarray(offset, offset + length);
          offset += length;
          const outcome = this.#append(
            batch.groups[i]!,
            batch.expectedLasts[i]!,
            batch.messageIds[i]!,
            data,
            grown,
          );
          ids.push(id);
          indexes.push(Math.abs(outcome));
          fresh.push(outcome > 0);
        }
      }
      for (const [group, { last, bytes }] of grown) this.#extend.run(last, bytes, group);
      this.#database.exec("COMMIT");
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      this.#say({
        kind: "refused",
        ids: batches.flatMap((batch) => batch.ids),
        reason: failureOf(error, this.#file).message,
        full: isFull(error),
      });
      return;
    }
    for (const [group, { last }] of grown) this.#endsOf(group).last = last;
    this.#say({ kind: "settled", ids, indexes, fresh });
  }

  /** The index, negative when the entry stood there already, 0 when the append is fenced. */
  #append(
    group: number,
    expectedLast: number,
    messageId: string,
    data: Uint8Array,
    grown: Map<number, { last: number; bytes: number }>,
  ): number {
    const growth = grown.get(group);
    const last = growth?.last ?? this.#endsOf(group).last;
    const index = expectedLast + 1;
    if (last !== expectedLast) {
      if (expectedLast > last) return 0;
      const row = this.#messageIdAt.get(position(group, index));
      return row !== undefined && row.message_id === messageId ? -index : 0;
    }
    this.#insert.run(position(group, index), messageId, checksum(group, index, data), data);
    grown.set(group, { last: index, bytes: (growth?.bytes ?? 0) + data.length });
    return index;
  }

  #endsOf(group: number): Ends {
    let ends = this.#ends.get(group);
    if (!ends) {
      const row = this.#ofGroup.get(group);
      if (!row) throw new Error(`group ${group} was not provisioned`);
      ends = { first: numberIn(row, "first"), last: numberIn(row, "last") };
      this.#ends.set(group, ends);
    }
    return ends;
  }

  #carryOut(order: Order): void {
    try {
      if (order.kind === "provision")
        this.#say({ kind: "done", id: order.id, value: this.#provision(order.groups) });
      else if (order.kind === "probe") {
        this.#probe();
        this.#say({ kind: "done", id: order.id, value: 0 });
      } else {
        this.#truncations.push(order);
        if (this.#truncations.length === 1) setImmediate(() => this.#truncateStep());
      }
    } catch (error) {
      if (!(error instanceof NoSpace) && !isRefusal(error)) throw error;
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      const reason = error instanceof NoSpace ? error.message : failureOf(error, this.#file).message;
      this.#say({ kind: "failed", id: order.id, reason });
    }
  }

  /** Returns the stored number of groups, which is the given one when none was stored. */
  #provision(groups: number): number {
    const stored = numberIn(
      this.#database.prepare("SELECT value FROM meta WHERE name = 'groups'").get(),
      "value",
    );
    if (stored !== 0) return stored;
    this.#database.exec("BEGIN IMMEDIATE");
    const create = this.#database.prepare("INSERT INTO groups (grp, first, last, bytes) VALUES (?, 1, 0, 0)");
    for (let group = 0; group < Math.min(groups, MAX_GROUPS); group++) create.run(group);
    this.#database.prepare("INSERT INTO meta (name, value) VALUES ('groups', ?)").run(groups);
    this.#database.exec("COMMIT");
    return groups;
  }

  #probe(): void {
    const disk = statfsSync(dirname(this.#file));
    if (disk.bavail * disk.bsize < MIN_FREE_BYTES)
      throw new NoSpace(`no space is left on the disk of ${this.#file}`);
    this.#database.exec("BEGIN IMMEDIATE; UPDATE meta SET value = value WHERE name = 'groups'; ROLLBACK");
  }

  /** Deletes some rows of the oldest truncation; `first` moves with the first step, so no reader sees a hole. */
  #truncateStep(): void {
    const order = this.#truncations[0];
    if (!order) return;
    try {
      const more = this.#deleteRows(order.group, order.before);
      if (!more) {
        this.#truncations.shift();
        this.#say({ kind: "done", id: order.id, value: 0 });
      }
    } catch (error) {
      if (!isRefusal(error)) {
        this.#say({ kind: "dying", failure: failureOf(error, this.#file) });
        return this.#end();
      }
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      this.#truncations.shift();
      this.#say({ kind: "failed", id: order.id, reason: failureOf(error, this.#file).message });
    }
    if (this.#truncations.length > 0) setImmediate(() => this.#truncateStep());
  }

  /** Whether rows are left that a further step must delete. */
  #deleteRows(group: number, before: number): boolean {
    const ends = this.#endsOf(group);
    const first = Math.max(ends.first, Math.min(before, ends.last + 1));
    const bounds = [position(group, 0), position(group, first), TRUNCATE_ROWS];
    const step = "SELECT pos, data FROM entries WHERE pos > ? AND pos < ? ORDER BY pos LIMIT ?";
    this.#database.exec("BEGIN IMMEDIATE");
    const rows = this.#database
      .prepare(`SELECT count(*) AS n, total(length(data)) AS bytes, max(pos) AS upTo FROM (${step})`)
      .get(...bounds);
    const count = numberIn(rows, "n");
    if (count > 0) {
      this.#database
        .prepare("DELETE FROM entries WHERE pos > ? AND pos <= ?")
        .run(position(group, 0), numberIn(rows, "upTo"));
    }
    this.#database
      .prepare("UPDATE groups SET first = ?, bytes = bytes - ? WHERE grp = ?")
      .run(first, Math.round(numberIn(rows, "bytes")), group);
    this.#database.exec("COMMIT");
    ends.first = first;
    return count === TRUNCATE_ROWS;
  }
}

class NoSpace extends Error {}

function start(port: MessagePort, { file }: WriterData): void {
  let database: DatabaseSync;
  try {
    database = openForWriting(file);
  } catch (error) {
    port.postMessage({ kind: "unopened", failure: failureOf(error, file) } satisfies FromWriter);
    return;
  }
  new Writer(database, file, port);
  port.postMessage({ kind: "ready" } satisfies FromWriter);
}

if (parentPort) start(parentPort, workerData);
