/** @module The changes that go between this agent and its peers: pushed at once, taken in, and made up for by sync. */
import type { ActorId, Chunk, Committed, Received, Replication } from "../replication.ts";
import { inFrames } from "./answer.ts";
import type { Pace, Via } from "./contract.ts";
import { frame } from "./frames.ts";
import { changesOf, Intake } from "./intake.ts";
import type { Link } from "./link.ts";
import type { Peers } from "./peers.ts";
import { Sync } from "./sync.ts";
import type { Telling } from "./telling.ts";
import { encode, type Message } from "./wire.ts";

/** Chunks that are pushed in one frame, in bytes of JSON. */
const PUSH_BYTES = 256 * 1024;

export interface ExchangeOptions {
  readonly self: ActorId;
  readonly replication: Replication;
  readonly peers: Peers;
  readonly telling: Telling;
  readonly pace: Pace;
  /** Milliseconds of a clock that stands still while this process does. */
  readonly now: () => number;
  /** Nothing that the peer has is missing here. */
  readonly onSynced: (peer: ActorId) => void;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #intake: Intake;
  readonly #sync: Sync;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { now, onSynced, pace, replication, self, telling } = options;
    this.#intake = new Intake({
      replication,
      onReceived: (chunk, received, via) => this.#received(chunk, received, via),
      onTrouble: (error) => telling.trouble("merging received changes", error),
    });
    this.#sync = new Sync({
      self,
      replication,
      intake: this.#intake,
      pace,
      now,
      onSent: (changes) => telling.tell({ kind: "sent", via: "sync", peers: 1, changes }),
      onSynced,
      onTrouble: (what, error) => telling.trouble(what, error),
    });
  }

  /** Changes that were received and wait to be merged. */
  get queued(): number {
    return this.#intake.changes;
  }

  connected(id: ActorId, link: Link): void {
    this.#sync.connected(id, link);
  }

  gone(id: ActorId): void {
    this.#sync.gone(id);
  }

  /** Looks for what is missing. */
  round(): void {
    this.#sync.round();
  }

  /** Sends what was committed here to all peers; who has no room for it asks for it later. */
  push(committed: Committed): void {
    const { peers, telling } = this.#options;
    if (committed.chunks.length === 0 || peers.size === 0) return;
    const frames = inFrames(committed.chunks, PUSH_BYTES).map((chunks) =>
      frame(encode({ t: "push", chunks })),
    );
    let reached = 0;
    for (const [id, link] of peers.links()) {
      if (frames.every((bytes) => this.#fits(bytes) && link.offer(bytes))) reached += 1;
      else telling.tell({ kind: "push_skipped", peer: id, version: committed.version });
    }
    const changes = reached * changesOf(committed.chunks);
    telling.tell({ kind: "sent", via: "push", peers: reached, changes });
  }

  /** Takes a message of a peer that is not about members; `bytes` is its size, held until it is merged. */
  heard(id: ActorId, link: Link, message: Message, bytes: number): void {
    switch (message.t) {
      case "push":
        return this.#take(link, "push", message.chunks, bytes);
      case "give":
        this.#sync.heard(id, message);
        return this.#take(link, "sync", message.chunks, bytes);
      default:
        link.hold(bytes);
        this.#sync.heard(id, message);
        this.#intake.run(async () => link.release(bytes));
    }
  }

  /** Asks again for versions that were refused. */
  retryRefused(): void {
    this.#sync.refusals.clear();
    this.#sync.soon();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sync.stop(), this.#intake.stop()]);
  }

  #take(link: Link, via: Via, received: readonly Chunk[], bytes: number): void {
    // What this agent wrote it has, or must not take from anybody.
    const chunks = received.filter(({ origin }) => origin !== this.#options.self);
    this.#options.telling.tell({ kind: "received", via, changes: changesOf(chunks) });
    link.hold(bytes);
    this.#intake.put(via, chunks, () => link.release(bytes));
  }

  #received(chunk: Chunk, received: Received, via: Via): void {
    const { now, telling } = this.#options;
    const { origin, version, ts, changes } = chunk;
    if (received.kind === "applied") {
      telling.tell({ kind: "applied", via, origin, version, ts, changes: changes.length });
    } else if (received.kind === "refused") {
      const { message } = received;
      const news = this.#sync.refusals.add(origin, version, message, now());
      if (news) telling.tell({ kind: "refused", origin, version, message });
    }
  }

  #fits(bytes: Buffer): boolean {
    const { pace, telling } = this.#options;
    if (bytes.length <= pace.maxFrameBytes) return true;
    const error = new Error(`a change of ${bytes.length} bytes is too large to be replicated`);
    telling.trouble("sending", error);
    return false;
  }
}
