/** @module The agents that this one has a connection with, and how long their answers take. */
import type { ActorId } from "../replication.ts";
import type { Introduced } from "./admission.ts";
import { frame } from "./frames.ts";
import type { Link } from "./link.ts";
import type { MemberRecord } from "./membership.ts";
import { encode } from "./wire.ts";

/** Lists of one peer that may wait for an answer. */
const MAX_PINGS = 10;

export interface Connected extends Introduced {
  readonly link: Link;
}

interface Peer extends Connected {
  /** When the lists that are not answered yet were sent. */
  readonly pings: Map<number, number>;
}

export class Peers {
  readonly #byId = new Map<ActorId, Peer>();
  #lists = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** The kept connection with an agent, as long as it is open. */
  open(id: ActorId): Connected | null {
    const peer = this.#byId.get(id);
    return peer?.link.open ? peer : null;
  }

  /** Whether this is the connection with the agent that is kept. */
  isKept(id: ActorId, link: Link): boolean {
    return this.#byId.get(id)?.link === link;
  }

  links(): [ActorId, Link][] {
    return [...this.#byId].map(([id, { link }]) => [id, link]);
  }

  /** Keeps this connection from now on. Returns whether there was none with the agent. */
  join(id: ActorId, connected: Connected): boolean {
    const isNew = !this.#byId.has(id);
    this.#byId.set(id, { ...connected, pings: new Map() });
    return isNew;
  }

  leave(id: ActorId): void {
    this.#byId.delete(id);
  }

  /** The number of the next list of members. */
  nextList(): number {
    return ++this.#lists;
  }

  /** Sends the list to all; who has no room for it gets the next one. */
  tell(records: readonly MemberRecord[]): void {
    const n = this.nextList();
    const now = performance.now();
    const bytes = frame(encode({ t: "members", n, records }));
    for (const { link, pings } of this.#byId.values()) {
      if (!link.offer(bytes)) continue;
      pings.set(n, now);
      const oldest = pings.keys().next().value;
      if (pings.size > MAX_PINGS && oldest !== undefined) pings.delete(oldest);
    }
  }

  /** Milliseconds from the list with this number to now; null when no answer to it was due. */
  answered(id: ActorId, n: number): number | null {
    const pings = this.#byId.get(id)?.pings;
    const sentAt = pings?.get(n);
    if (sentAt === undefined) return null;
    pings?.delete(n);
    return performance.now() - sentAt;
  }

  /** Whether a peer is to be found at this address. */
  isAt(text: string): boolean {
    for (const { hello, link } of this.#byId.values()) {
      if (hello.address === text || link.dialed === text) return true;
    }
    return false;
  }
}
