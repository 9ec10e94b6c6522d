/** @module What this node received: how often, and what became of the acknowledgement. Bounded by number and age. */
import { LRUCache } from "lru-cache";
import { isoMicros } from "../../../lib/clock.ts";
import type { Deliver, Reception } from "../contract.ts";
import type { Failure } from "./delivery-plan.ts";

export interface Entry {
  /** Transport and pk: a message can have no key that hides a drill. */
  readonly key: string;
  readonly transport: Deliver["transport"];
  readonly pk: string;
  originator: string;
  endpoint: string;
  /** Microseconds since 1970. */
  readonly firstSeen: number;
  lastSeen: number;
  count: number;
  state: AckState;
  /** Requests that were made for it. */
  attempts: number;
  error: string | null;
}

export type AckState =
  | { readonly kind: "pending" }
  | { readonly kind: "acked" }
  | { readonly kind: "failed"; readonly failure: Failure };

/** What arrived: `Deliver` without its time. */
export type Arrival = Omit<Deliver, "receipt_timestamp">;

export interface ReceptionLimits {
  readonly max: number;
  /** Counts anew from each reception. */
  readonly ttlMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}

const PENDING: AckState = { kind: "pending" };

export class Receptions {
  readonly #entries: LRUCache<string, Entry>;
  readonly #counts = { pending: 0, acked: 0, failed: 0 };
  /** Keys by originator, first failed first, of what may get through when the originator is there again. */
  readonly #stranded = new Map<string, Set<string>>();
  readonly #notAllowed = new Set<string>();

  constructor({ max, now, ttlMs }: ReceptionLimits) {
    this.#entries = new LRUCache({
      max,
      ttl: ttlMs,
      // Else it keeps a timer of its own.
      ttlResolution: 0,
      perf: { now },
      disposeAfter: (entry, _key, reason) => {
        // A reception that renews the entry sets it anew.
        if (reason !== "set") this.#forget(entry);
      },
    });
  }

  /** Counts a reception at `at` (microseconds). Returns the entry, and whether its acknowledgement is to be delivered. */
  receive(arrival: Arrival, at: number): { readonly entry: Entry; readonly deliver: boolean } {
    const { endpoint, originator, pk, transport } = arrival;
    const key = `${transport} ${pk}`;
    const known = this.#entries.get(key);
    if (known === undefined) {
      const times = { firstSeen: at, lastSeen: at, count: 1 };
      const entry: Entry = { key, ...arrival, ...times, state: PENDING, attempts: 0, error: null };
      this.#counts.pending += 1;
      this.#entries.set(key, entry);
      return { entry, deliver: true };
    }
    this.#entries.set(key, known);
    known.count += 1;
    known.lastSeen = Math.max(known.lastSeen, at);
    const deliver = known.state.kind === "failed";
    if (deliver) {
      this.begin(known);
      // The row may have been corrected since.
      known.originator = originator;
      known.endpoint = endpoint;
    }
    return { entry: known, deliver };
  }

  /** The entry's acknowledgement is delivered, or tried again. */
  begin(entry: Entry): void {
    this.#set(entry, PENDING);
  }

  /** One more request was made; `error` is why it led to nothing. */
  attempted(entry: Entry, error: string | null): void {
    entry.attempts += 1;
    entry.error = error;
  }

  acked(entry: Entry): void {
    entry.error = null;
    this.#set(entry, { kind: "acked" });
  }

  failed(entry: Entry, failure: Failure, reason: string): void {
    entry.error = reason;
    this.#set(entry, { kind: "failed", failure });
  }

  /** The entry of a key, if it is still kept. Does not renew it. */
  peek(key: string): Entry | null {
    return this.#entries.peek(key) ?? null;
  }

  /** The entry of a message, or of a drill. */
  of(pk: string): Entry | null {
    return this.peek(`gossip ${pk}`) ?? this.peek(`pubsub ${pk}`);
  }

  /** Entries with at least `min` receptions, the latest received first. */
  *latest(min: number): Generator<Entry, undefined> {
    for (const entry of this.#entries.values()) if (entry.count >= min) yield entry;
  }

  /** Originators of failed acknowledgements that may still get through. */
  get strandedOriginators(): string[] {
    return [...this.#stranded.keys()];
  }

  /** Failed acknowledgements for this originator that may still get through, first failed first. */
  stranded(originator: string): Generator<Entry, undefined> {
    return this.#existing(this.#stranded.get(originator) ?? []);
  }

  isStranded(originator: string): boolean {
    return this.#stranded.has(originator);
  }

  /** Acknowledgements whose endpoint was not their originator's. */
  notAllowed(): Generator<Entry, undefined> {
    return this.#existing(this.#notAllowed);
  }

  /** Entries by the state of their acknowledgement. */
  get counts(): Readonly<Record<AckState["kind"], number>> {
    return this.#counts;
  }

  /** Drops what is too old; an entry that nobody asks for would stay otherwise. */
  purge(): void {
    this.#entries.purgeStale();
  }

  *#existing(keys: Iterable<string>): Generator<Entry, undefined> {
    for (const key of keys) {
      const entry = this.peek(key);
      if (entry !== null) yield entry;
    }
  }

  #set(entry: Entry, state: AckState): void {
    this.#unlist(entry);
    this.#counts[entry.state.kind] -= 1;
    entry.state = state;
    this.#counts[state.kind] += 1;
    if (state.kind !== "failed") return;
    if (state.failure === "not_allowed") this.#notAllowed.add(entry.key);
    if (state.failure !== "unavailable" && state.failure !== "dropped") return;
    const keys = this.#stranded.get(entry.originator) ?? new Set();
    this.#stranded.set(entry.originator, keys.add(entry.key));
  }

  #forget(entry: Entry): void {
    this.#unlist(entry);
    this.#counts[entry.state.kind] -= 1;
  }

  #unlist({ key, originator }: Entry): void {
    this.#notAllowed.delete(key);
    const keys = this.#stranded.get(originator);
    keys?.delete(key);
    if (keys?.size === 0) this.#stranded.delete(originator);
  }
}

/** An entry as others are told of it. */
export function receptionOf(nodeId: string, entry: Entry): Reception {
  return {
    node_id: nodeId,
    message_pk: entry.pk,
    reception_count: entry.count,
    first_seen: isoMicros(entry.firstSeen),
    last_seen: isoMicros(entry.lastSeen),
    ack_state: entry.state.kind,
    attempts: entry.attempts,
    last_error: entry.error,
  };
}
