/** @module One ordered push consumer: entries in the order of the stream, and whether it still lives. */
import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  type Msg,
  nanos,
  nuid,
  ReplayPolicy,
  type Subscription,
} from "nats";
import type { NatsLink } from "./nats-link.ts";
import { inPlace } from "./nats-place.ts";

/** The server speaks at least this often. */
const HEARTBEAT_MS = 2000;
/** Silence after which the consumer counts as dead: its server is gone, or our interest in it. */
const SILENCE_MS = 5000;
/** The server drops a consumer that nobody has listened to for so long. */
const INACTIVE_MS = 30_000;

const LAST_STREAM_SEQ = "Nats-Last-Stream";
const STALLED = "Nats-Consumer-Stalled";

/** What stands next in the order of delivery. */
export type Delivery =
  | { readonly kind: "entry"; readonly index: number; readonly data: Uint8Array }
  /** The server waits for this answer before it sends more. */
  | { readonly kind: "flow"; readonly reply: string };

export class OrderedTail {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #name = nuid.next();
  #subscription: Subscription | null = null;
  #queue: Delivery[] = [];
  /** Index of the last entry in the queue's order. */
  #reached = 0;
  #lastHeard = performance.now();
  #broken = false;
  #wakeAt = 0;
  #wake: (() => void) | null = null;

  constructor(link: NatsLink, stream: string) {
    this.#link = link;
    this.#stream = stream;
  }

  /** Creates the consumer. Throws nats.js's errors. */
  async open(from: number): Promise<void> {
    this.#reached = from - 1;
    const inbox = createInbox();
    this.#subscription = this.#link.connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error) this.break();
        else this.#heard(message);
      },
    });
    await this.#link.jsm.consumers.add(this.#stream, {
      name: this.#name,
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      max_deliver: 1,
      flow_control: true,
      idle_heartbeat: nanos(HEARTBEAT_MS),
      inactive_threshold: nanos(INACTIVE_MS),
      // It holds no state worth copying: a lost one is made again from the next index.
      mem_storage: true,
      num_replicas: 1,
    });
    this.#lastHeard = performance.now();
  }

  /** True once nothing more can be expected of it: what was taken before is still contiguous. */
  get broken(): boolean {
    return this.#broken || performance.now() - this.#lastHeard > SILENCE_MS;
  }

  /** Everything delivered since the last call. */
  take(): readonly Delivery[] {
    const taken = this.#queue;
    this.#queue = [];
    return taken;
  }

  /** Resolves when there is something to take, when the tail is broken, or at the first `tick` after `until`. */
  async wait(until: number): Promise<void> {
    if (this.#queue.length > 0 || this.#broken) return;
    this.#wakeAt = until;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Called about once a second, so that a tail needs no timer of its own. */
  tick(): void {
    if (this.broken || performance.now() >= this.#wakeAt) this.#nudge();
  }

  #nudge(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  break(): void {
    this.#broken = true;
    this.#nudge();
  }

  /** Tells the server that everything up to here was worked off. */
  allowMore(reply: string): void {
    if (!this.#link.connection.isClosed()) this.#link.connection.publish(reply);
  }

  /** Ends the subscription and the consumer; the server ends it by itself if it cannot be told. */
  close(): void {
    this.break();
    this.#subscription?.unsubscribe();
    if (this.#link.connected && this.#subscription)
      this.#link.jsm.consumers.delete(this.#stream, this.#name).catch(() => {});
  }

  #heard(message: Msg): void {
    this.#lastHeard = performance.now();
    const code = message.headers?.code ?? 0;
    if (code === 0) {
      const index = streamSequence(message.reply);
      if (inPlace(message.headers, index)) this.#entry(index, message.data);
      else this.#misplaced(index);
    } else if (code === 100) this.#control(message);
    else this.break();
  }

  /** The copy of the stream that this consumer reads is not what was written: another one may be. */
  #misplaced(index: number): void {
    this.#link.misplaced(this.#stream, index);
    this.break();
  }

  #entry(index: number, data: Uint8Array): void {
    if (this.#broken || index <= this.#reached) return;
    if (index > this.#reached + 1) return this.break();
    this.#reached = index;
    this.#queue.push({ kind: "entry", index, data });
    this.#nudge();
  }

  #control(message: Msg): void {
    // The server had sent entries that never came: it does not send them again.
    if (Number(message.headers?.get(LAST_STREAM_SEQ)) > this.#reached) return this.break();
    const reply = message.reply || message.headers?.get(STALLED);
    const last = this.#queue.at(-1);
    // It asks again with every heartbeat; questions must not pile up before a reader who takes long.
    if (!reply || (last?.kind === "flow" && last.reply === reply)) return;
    this.#queue.push({ kind: "flow", reply });
    this.#nudge();
  }
}

/**
 * The stream sequence in a delivery's reply subject: `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.…`,
 * or with a domain and an account hash after `$JS.ACK` (ADR-15); 0 when it is neither.
 */
export function streamSequence(reply: string | undefined): number {
  const tokens = reply?.split(".") ?? [];
  const sequence = Number(tokens.length === 9 ? tokens[5] : tokens[7]);
  return Number.isSafeInteger(sequence) ? sequence : 0;
}
