/** @module Known origins and their ordinals, which stand for them in the clock tables. */
import type { DatabaseSync } from "node:sqlite";
import type { ActorId } from "../replication.ts";
import { actorBytes, actorIdOf } from "./actor-id.ts";
import { Change, Query } from "./sql-rows.ts";
import type { Mirror } from "./transactions.ts";

export class Sites implements Mirror {
  readonly #byActor = new Map<ActorId, bigint>();
  readonly #byOrdinal = new Map<bigint, ActorId>();
  readonly #all: Query<{ site_id: Uint8Array; ordinal: bigint }>;
  readonly #add: Change;
  #changed = false;

  constructor(db: DatabaseSync) {
    this.#all = new Query(db, "SELECT site_id, ordinal FROM crsql_site_id");
    this.#add = new Change(db, "INSERT INTO crsql_site_id (site_id) VALUES (?)");
    this.reload();
  }

  committed(): void {
    this.#changed = false;
  }

  rolledBack(): void {
    if (this.#changed) this.reload();
    this.#changed = false;
  }

  /** Reads again what is stored. */
  reload(): void {
    this.#byActor.clear();
    this.#byOrdinal.clear();
    for (const { site_id, ordinal } of this.#all.all()) this.#remember(actorIdOf(site_id), ordinal);
  }

  #remember(actorId: ActorId, ordinal: bigint): void {
    this.#byActor.set(actorId, ordinal);
    this.#byOrdinal.set(ordinal, actorId);
  }

  /** This agent itself. */
  get own(): ActorId {
    return this.actorOf(0n);
  }

  actorOf(ordinal: bigint): ActorId {
    const actorId = this.#byOrdinal.get(ordinal);
    if (actorId === undefined) throw new Error(`no site has the ordinal ${ordinal}`);
    return actorId;
  }

  /** Null for an origin of which nothing was ever stored. */
  ordinalOf(actorId: ActorId): bigint | null {
    return this.#byActor.get(actorId) ?? null;
  }

  /** The ordinal of an origin, a new one when it has none. */
  ensure(actorId: ActorId): bigint {
    const known = this.#byActor.get(actorId);
    if (known !== undefined) return known;
    const ordinal = this.#add.insert(actorBytes(actorId));
    if (ordinal === null) throw new Error(`no ordinal could be given to ${actorId}`);
    this.#changed = true;
    this.#remember(actorId, ordinal);
    return ordinal;
  }
}
