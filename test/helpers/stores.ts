/** @module Stores of embedded agents in temporary folders, and short ways to ask them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Chunk, Committed } from "../../corrosion/embedded/replication.ts";
import { openReader } from "../../corrosion/embedded/store/connection.ts";
import type { Store, StoreOptions, TransactionResult } from "../../corrosion/embedded/store/contract.ts";
import { openStore } from "../../corrosion/embedded/store/store.ts";
import type { SqlValue, Statement } from "../../corrosion/embedded/values.ts";

/** A folder of its own for the stores of one test. */
export class StoreFolder {
  readonly path = mkdtempSync(join(tmpdir(), "store-"));
  readonly #open: Agent[] = [];
  readonly #readers: DatabaseSync[] = [];

  /** Opens, or opens again, the store with this name. */
  agent(name: string, options: Omit<StoreOptions, "path"> = {}): Agent {
    const agent = new Agent({ path: this.file(name), ...options });
    this.#open.push(agent);
    return agent;
  }

  reader(name: string): DatabaseSync {
    const reader = openReader(this.file(name));
    this.#readers.push(reader);
    return reader;
  }

  file(name: string): string {
    return join(this.path, `${name}.db`);
  }

  /** Closes everything and removes the folder. */
  remove(): void {
    for (const reader of this.#readers) reader.close();
    for (const agent of this.#open) agent.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A row of `crsql_changes`, its key in hex and its site as an actor id. */
export type ChangeRow = Record<string, SqlValue>;

/** A store with a reader beside it, and a list of what it committed. */
export class Agent {
  readonly store: Store;
  readonly reader: DatabaseSync;
  readonly committed: Committed[] = [];
  #closed = false;

  constructor(options: StoreOptions) {
    this.store = openStore(options);
    this.store.onCommitted((committed) => this.committed.push(committed));
    this.reader = openReader(options.path);
  }

  get id(): string {
    return this.store.actorId;
  }

  /** One transaction. */
  run(...sql: readonly (string | Statement)[]): TransactionResult {
    return this.store.transact(sql.map((each) => (typeof each === "string" ? statement(each) : each)));
  }

  /** The local versions' chunks, in the order of their commits. */
  get chunks(): Chunk[] {
    return this.committed.flatMap(({ chunks }) => chunks);
  }

  rows(sql: string, ...values: readonly SqlValue[]): Record<string, SqlValue>[] {
    return this.reader
      .prepare(sql)
      .all(...values)
      .map((row) => ({ ...row }) as Record<string, SqlValue>);
  }

  /** Column `cid`, `col_version` and `cl` of a key's clocks: `a:1/1` for short, sentinel first. */
  clocks(table: string, ...key: readonly SqlValue[]): string[] {
    const places = key.map(() => "?").join(",");
    return this.rows(
      `SELECT cid, col_version, cl FROM crsql_changes WHERE "table" = ? AND pk = crsql_pack_columns(${places}) ORDER BY cid`,
      table,
      ...key,
    ).map(({ cid, col_version, cl }) => `${cid}:${col_version}/${cl}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.reader.close();
    this.store.close();
  }
}

export function statement(sql: string, ...values: readonly SqlValue[]): Statement {
  return { sql, params: values.length > 0 ? { kind: "positional", values } : { kind: "none" } };
}

export function named(sql: string, values: Record<string, SqlValue>): Statement {
  return { sql, params: { kind: "named", values: new Map(Object.entries(values)) } };
}

/** Gives `to` everything that `from` holds and it has not, as anti-entropy does. */
export function exchange(from: Agent, to: Agent, maxBytes = 300): void {
  for (const [origin, { head }] of from.store.known()) {
    if (origin === to.id) continue;
    to.store.noteHead(origin, head);
    const known = to.store.known().get(origin);
    const missing = [...(known?.need ?? []).flatMap(({ start, end }) => versions(start, end))];
    for (const version of [...missing, ...(known?.partial ?? []).map((partial) => partial.version)]) {
      const held = from.store.held(origin, version, maxBytes);
      if (held.kind === "chunks") to.store.receive(held.chunks);
      if (held.kind === "empty") to.store.receiveEmpty(origin, { start: version, end: version });
    }
  }
}

function versions(start: bigint, end: bigint): bigint[] {
  return Array.from({ length: Number(end - start) + 1 }, (_, i) => start + BigInt(i));
}
