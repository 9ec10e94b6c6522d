/** @module Members as gossip saw them last, kept for the next start and for who asks by SQL. */

import type { DatabaseSync } from "node:sqlite";
import { hyphenated } from "../../../lib/actor-ids.ts";
import { actorBytes, actorIdOf } from "./actor-id.ts";
import type { StoredMember } from "./contract.ts";
import { Change, Query } from "./sql-rows.ts";

const KEPT_MS = 2 * 24 * 3600 * 1000;

interface FocaState {
  readonly id: { readonly ts: string };
  readonly incarnation: number;
  readonly state: StoredMember["state"];
}

export class Members {
  readonly #put: Change;
  readonly #expire: Change;
  readonly #all: Query<{ actor_id: Uint8Array; address: string; foca_state: string; rtt_min: bigint | null }>;
  readonly #now: () => number;

  constructor(db: DatabaseSync, now: () => number) {
    this.#now = now;
    this.#put = new Change(
      db,
      `INSERT INTO __corro_members (actor_id, address, foca_state, rtt_min, updated_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (actor_id) DO UPDATE SET address = excluded.address, foca_state = excluded.foca_state,
          rtt_min = coalesce(excluded.rtt_min, rtt_min), updated_at = excluded.updated_at`,
    );
    this.#expire = new Change(db, "DELETE FROM __corro_members WHERE updated_at < ?");
    this.#all = new Query(
      db,
      "SELECT actor_id, address, foca_state, rtt_min FROM __corro_members ORDER BY actor_id",
    );
  }

  /** Who is not listed stays for two days. To be called in a transaction. */
  write(members: readonly StoredMember[], clusterId: number): void {
    const now = this.#now();
    for (const { actorId, address, state, incarnation, ts, rttMin } of members) {
      // The time needs all its 64 bits, which JSON's numbers have in text only.
      const foca = `{"id":{"id":"${hyphenated(actorId)}","addr":${JSON.stringify(address)},"ts":${ts},"cluster_id":${clusterId},"member_id":null},"incarnation":${incarnation},"state":"${state}"}`;
      const rtt = rttMin === null ? null : BigInt(Math.round(rttMin));
      this.#put.run(actorBytes(actorId), address, foca, rtt, sqlTime(now));
    }
    this.#expire.run(sqlTime(now - KEPT_MS));
  }

  read(): StoredMember[] {
    return this.#all.all().map(({ actor_id, address, foca_state, rtt_min }) => {
      const { id, incarnation, state } = parseState(foca_state);
      const rttMin = rtt_min === null ? null : Number(rtt_min);
      return { actorId: actorIdOf(actor_id), address, state, incarnation, ts: BigInt(id.ts), rttMin };
    });
  }
}

/** Written by this module alone. */
function parseState(json: string): FocaState {
  return JSON.parse(json, (key, value: unknown, context?: { source?: string }) =>
    key === "ts" ? context?.source : value,
  ) as FocaState;
}

/** As SQLite's date functions read it, in UTC. */
function sqlTime(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").replace("Z", "+00:00");
}
