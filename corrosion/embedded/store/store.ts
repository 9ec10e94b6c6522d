/** @module The store of one agent: its one writing connection, and what it does. */
import type { DatabaseSync } from "node:sqlite";
import type { ActorId, Chunk, Committed, Held, KnownVersions, Range, Received } from "../replication.ts";
import type { Statement } from "../values.ts";
import { actorBytes } from "./actor-id.ts";
import { Bookkeeping } from "./bookkeeping.ts";
import { Catalog } from "./catalog.ts";
import { ChangeBuffer } from "./change-buffer.ts";
import { cutChunks } from "./chunks.ts";
import { ClientStatements } from "./client-statement.ts";
import { openWriter } from "./connection.ts";
import {
  type ReplicatedTable,
  StatementFailed,
  type Store,
  type StoredMember,
  type StoreOptions,
  type TransactionResult,
} from "./contract.ts";
import { Guard } from "./guard.ts";
import { heldVersion } from "./held.ts";
import { backupStore, takeNewIdentity } from "./identity.ts";
import { stateValue } from "./layout.ts";
import { type LocalVersion, LocalWrites } from "./local-writes.ts";
import { Members } from "./members.ts";
import { MonotonicClock } from "./monotonic-clock.ts";
import { Receiving } from "./receiving.ts";
import { changeSchema } from "./schema-changes.ts";
import { Sites } from "./sites.ts";
import { Change, Query } from "./sql-rows.ts";
import type { TrackedTable } from "./tracked-table.ts";
import { Transactions } from "./transactions.ts";

const CHUNK_BYTES = 64 * 1024;

/**
 * Opens the store of an agent, and makes it when the file is new or empty. There must be no other one open on the
 * same file. Throws `StoreUnusable`.
 */
export function openStore(options: StoreOptions): Store {
  return new AgentStore(options);
}

class AgentStore implements Store {
  readonly #path: string;
  readonly #chunkBytes: number;
  readonly #db: DatabaseSync;
  readonly #catalog: Catalog;
  readonly #writes: LocalWrites;
  readonly #sites: Sites;
  readonly #bookkeeping: Bookkeeping;
  readonly #transactions: Transactions;
  readonly #statements: ClientStatements;
  readonly #receiving: Receiving;
  readonly #members: Members;
  readonly #clock: MonotonicClock;
  readonly #listeners: ((committed: Committed) => void)[] = [];
  #ownVersion: bigint;
  #clusterId: number;

  constructor({ path, chunkBytes = CHUNK_BYTES, now = Date.now }: StoreOptions) {
    this.#path = path;
    this.#chunkBytes = chunkBytes;
    const db = openWriter(path);
    this.#db = db;
    if (ownerless(db)) takeNewIdentity(db);
    this.#writes = new LocalWrites(db, (name) => this.#table(name));
    this.#catalog = new Catalog(db);
    this.#sites = new Sites(db);
    this.#bookkeeping = new Bookkeeping(db);
    this.#clock = storedClock(db, now);
    this.#transactions = new Transactions(db, this.#writes, [this.#sites, this.#bookkeeping, this.#clock]);
    const guard = new Guard(db, (table) => this.#catalog.find(table) !== null);
    this.#statements = new ClientStatements(db, guard);
    this.#receiving = new Receiving({
      transactions: this.#transactions,
      sites: this.#sites,
      bookkeeping: this.#bookkeeping,
      buffer: new ChangeBuffer(db),
      tableOf: (name) => this.#catalog.find(name),
      committed: (committed) => this.#tell(committed),
    });
    this.#members = new Members(db, now);
    this.#clusterId = Number(stateValue(db, "cluster_id") ?? 0);
    this.#ownVersion = storedVersion(db, this.actorId);
  }

  get actorId(): ActorId {
    return this.#sites.own;
  }

  get clusterId(): number {
    return this.#clusterId;
  }

  #table(name: string): TrackedTable {
    const table = this.#catalog.find(name);
    if (!table) throw new Error(`table ${name} has the triggers of a replicated one, and is none`);
    return table;
  }

  applySchema(files: readonly string[]): void {
    try {
      this.#commitLocal(() => {
        const { adopted, changed } = changeSchema(this.#db, files);
        if (!changed) return;
        this.#catalog.reload();
        for (const name of adopted) this.#adopt(this.#table(name));
      });
    } catch (error) {
      this.#catalog.reload();
      throw error;
    }
  }

  #adopt(table: TrackedTable): void {
    for (const keys of table.allKeys()) this.#writes.adopt(table, keys);
  }

  transact(statements: readonly Statement[], onStep: () => void = () => {}): TransactionResult {
    try {
      const { result, version } = this.#commitLocal(() => {
        const results = statements.map((statement) => {
          onStep();
          const began = performance.now();
          const rowsAffected = this.#statements.run(statement);
          return { rowsAffected, seconds: (performance.now() - began) / 1000 };
        });
        onStep();
        return results;
      });
      return { results: result, version };
    } catch (error) {
      if (error instanceof StatementFailed) throw error;
      throw new StatementFailed(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  /** Whatever it writes to replicated tables becomes the next own version. */
  #commitLocal<T>(run: () => T): { result: T; version: bigint | null } {
    const version = this.#ownVersion + 1n;
    const ts = { value: 0n };
    let written: LocalVersion | null = null;
    const result = this.#transactions.local(() => {
      const done = run();
      written = this.#writes.finish(() => {
        ts.value = this.#clock.next();
        return { dbVersion: version, ts: String(ts.value) };
      });
      if (written) this.#bookkeeping.raise(this.actorId, version);
      return done;
    });
    return { result, version: this.#announce(written, version, ts.value) };
  }

  #announce(written: LocalVersion | null, version: bigint, ts: bigint): bigint | null {
    if (!written) return null;
    this.#ownVersion = version;
    const { changes, touched } = written;
    const chunks = cutChunks({ origin: this.actorId, version, ts }, changes, this.#chunkBytes);
    this.#tell({ origin: this.actorId, version, local: true, touched, chunks });
    return version;
  }

  #tell(committed: Committed): void {
    for (const listener of this.#listeners) listener(committed);
  }

  known(): KnownVersions {
    return this.#bookkeeping.known();
  }

  held(origin: ActorId, version: bigint, maxBytes: number): Held {
    if (!this.#bookkeeping.has(origin, version)) return { kind: "unknown" };
    const site = this.#sites.ordinalOf(origin);
    if (site === null) return { kind: "empty" };
    return heldVersion(this.#catalog.all, { origin, version, site }, maxBytes);
  }

  receive(chunks: readonly Chunk[]): readonly Received[] {
    return chunks.map((chunk) => this.#receiving.receive(chunk));
  }

  receiveEmpty(origin: ActorId, versions: Range): void {
    this.#receiving.receiveEmpty(origin, versions);
  }

  noteHead(origin: ActorId, head: bigint): void {
    this.#receiving.noteHead(origin, head);
  }

  writeMembers(members: readonly StoredMember[]): void {
    const others = members.filter(({ actorId }) => actorId !== this.actorId);
    this.#transactions.remote(() => this.#members.write(others, this.#clusterId));
  }

  readMembers(): readonly StoredMember[] {
    return this.#members.read();
  }

  setClusterId(clusterId: number): void {
    this.#transactions.remote(() =>
      this.#db.prepare("UPDATE __corro_state SET value = ? WHERE key = 'cluster_id'").run(BigInt(clusterId)),
    );
    this.#clusterId = clusterId;
  }

  newIdentity(): ActorId {
    const actorId = this.#transactions.remote(() => takeNewIdentity(this.#db));
    this.#sites.reload();
    this.#ownVersion = 0n;
    return actorId;
  }

  backupTo(path: string): void {
    backupStore(this.#path, path);
  }

  onCommitted(listener: (committed: Committed) => void): void {
    this.#listeners.push(listener);
  }

  tables(): readonly ReplicatedTable[] {
    return this.#catalog.all.map(({ shape: { name, keys, columns } }) => ({ name, keys, columns }));
  }

  close(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#db.close();
  }
}

/** Whether it is a backup, which belongs to nobody. */
function ownerless(db: DatabaseSync): boolean {
  return new Query(db, "SELECT 1 AS found FROM crsql_site_id WHERE ordinal = 0").first() === undefined;
}

/** A clock that goes on behind the last time of the store's earlier lives. */
function storedClock(db: DatabaseSync, now: () => number): MonotonicClock {
  const save = new Change(db, "UPDATE __corro_state SET value = ? WHERE key = 'clock'");
  return new MonotonicClock(now, BigInt(String(stateValue(db, "clock") ?? 0)), (limit) =>
    save.run(String(limit)),
  );
}

function storedVersion(db: DatabaseSync, actorId: ActorId): bigint {
  const row = new Query<{ db_version: bigint }>(
    db,
    "SELECT db_version FROM crsql_db_versions WHERE site_id = ?",
  ).first(actorBytes(actorId));
  return row?.db_version ?? 0n;
}
