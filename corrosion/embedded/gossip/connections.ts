/** @module The connections of one agent: those that it dials and those that it accepts, until one with each peer is kept. */
import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { ActorId } from "../replication.ts";
import type { Address, BootstrapAddress } from "./addresses.ts";
import { admit, type Introduced } from "./admission.ts";
import type { Pace } from "./contract.ts";
import { type Candidate, Dialer } from "./dialer.ts";
import { Link } from "./link.ts";
import type { Peers } from "./peers.ts";
import type { Telling } from "./telling.ts";
import type { Hello, Message } from "./wire.ts";

/** Connections that others may have open here. */
const MAX_ACCEPTED = 256;
const GOODBYE_MS = 500;

export interface ConnectionsOptions {
  readonly self: {
    readonly actorId: ActorId;
    readonly memberId: number | null;
    /** What others are told to dial. */
    readonly address: string;
  };
  readonly clusterId: number;
  readonly bootstrap: readonly BootstrapAddress[];
  readonly remembered: readonly string[];
  /** Filled here: whoever is connected. */
  readonly peers: Peers;
  readonly telling: Telling;
  readonly pace: Pace;
  /** Milliseconds of a clock that stands still while this process does. */
  readonly now: () => number;
  /** A connection with the peer is kept from now on, perhaps in the place of another. */
  readonly onJoined: (id: ActorId, link: Link) => void;
  /** The peer is connected no more. */
  readonly onLeft: (id: ActorId) => void;
  /** What a peer said on the connection that is kept. `bytes` is the size of the frame. */
  readonly onHeard: (id: ActorId, link: Link, message: Message, bytes: number) => void;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #instance = randomUUID();
  readonly #dialer: Dialer;
  readonly #links = new Set<Link>();
  /** Connections of which the dialer knows what came of them. */
  readonly #settled = new WeakSet<Link>();
  #clusterId: number;
  #dials = 0;
  #stopped = false;
  /** Called when the last connection is gone. */
  #emptied: (() => void) | null = null;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { bootstrap, clusterId, pace, peers, remembered, self, telling } = options;
    this.#clusterId = clusterId;
    this.#dialer = new Dialer({
      bootstrap,
      remembered,
      pace,
      dial: (to, text) => this.#dial(to, text),
      // This agent itself, or a peer with a connection.
      skip: (text) => text === self.address || peers.isAt(text),
      onUnreachable: (at, message) => telling.tell({ kind: "unreachable", address: at, message }),
    });
  }

  get clusterId(): number {
    return this.#clusterId;
  }

  accept(socket: Socket): void {
    const accepted = [...this.#links].filter(({ dialed }) => dialed === null).length;
    if (this.#stopped || accepted >= MAX_ACCEPTED) {
      socket.on("error", () => undefined).destroy();
      if (!this.#stopped)
        this.#options.telling.trouble("accepting", new Error(`${MAX_ACCEPTED} connections are open`));
      return;
    }
    this.#open(socket, null);
  }

  /** To be called every round: ends what is silent. */
  check(): void {
    for (const link of this.#links) link.check();
  }

  /** To be called every round: dials who is due. */
  look(candidates: readonly Candidate[]): void {
    this.#dialer.round(performance.now(), candidates);
  }

  /** Addresses of members that are no longer listed, but worth a try. */
  remember(addresses: readonly string[]): void {
    this.#dialer.remember(addresses);
  }

  /** Ends all connections, and from now on takes only agents of the other cluster. */
  moveTo(clusterId: number): void {
    const { onLeft, peers, telling } = this.#options;
    this.#clusterId = clusterId;
    const reason = "this agent goes to another cluster";
    for (const link of this.#links) link.close(reason);
    for (const [peer] of peers.links()) {
      peers.leave(peer);
      onLeft(peer);
      telling.tell({ kind: "disconnected", peer, message: reason });
    }
  }

  /** Takes and dials nobody any more, and says `goodbye` to all peers; resolves when no connection is left. */
  async stop(goodbye: Message): Promise<void> {
    this.#stopped = true;
    this.#dialer.stop();
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    const kept = new Set(this.#options.peers.links().map(([, link]) => link));
    for (const link of this.#links) link.close("the agent stops", kept.has(link) ? goodbye : null);
    const deadline = setTimeout(() => {
      for (const link of this.#links) link.destroy();
    }, GOODBYE_MS);
    if (this.#links.size > 0) await emptied;
    clearTimeout(deadline);
  }

  #dial(to: Address, text: string): void {
    this.#open(connect({ host: to.host, port: to.port }), text);
  }

  #open(socket: Socket, dialed: string | null): void {
    const { now, pace } = this.#options;
    const dial = dialed === null ? 0 : ++this.#dials;
    let actor: ActorId | null = null;
    const link: Link = new Link(socket, {
      dialed,
      pace,
      now,
      onMessage: (message, bytes) => {
        if (actor !== null) this.#heard(actor, link, message, bytes);
        else if (message.t === "hello") actor = this.#introduced(link, message, dial);
        else this.#stranger(link, message);
      },
      onClosed: (reason, fault) => this.#closed(link, actor, reason, fault),
    });
    this.#links.add(link);
    link.offer(this.#hello(dial));
  }

  #hello(dial: number): Hello {
    const { actorId, address, memberId } = this.#options.self;
    return {
      t: "hello",
      actor: actorId,
      instance: this.#instance,
      dial,
      address,
      cluster: this.#clusterId,
      member: memberId,
    };
  }

  /** The other side has said who it is: its id when the connection is kept. */
  #introduced(link: Link, hello: Hello, ownDial: number): ActorId | null {
    if (!link.open) return null;
    const { pace, peers, telling } = this.#options;
    const existing = peers.open(hello.actor);
    const dialed = link.dialed !== null;
    const next = { hello, dialed, dial: dialed ? ownDial : hello.dial };
    const silentMs = existing ? existing.link.silentMs : 0;
    const admission = admit(this.#hello(ownDial), next, existing, silentMs, pace.suspectAfterMs);
    if (link.dialed !== null) {
      const vain = admission.kind === "self" || admission.kind === "refused";
      if (vain) this.#dialer.pointless(link.dialed);
      else this.#dialer.succeeded(link.dialed);
      this.#settled.add(link);
    }
    switch (admission.kind) {
      case "self":
        link.close("it is this agent itself");
        return null;
      case "second":
        link.close("another connection with it is kept");
        return null;
      case "refused":
        telling.once(`${hello.actor} ${hello.address} ${admission.message}`, {
          kind: "rejected",
          address: hello.address,
          message: admission.message,
        });
        link.close(admission.message, { t: "refuse", reason: admission.message });
        return null;
      case "replaces":
        existing?.link.close("a better connection with it took its place");
        break;
      case "new":
        break;
    }
    this.#join(link, next);
    return hello.actor;
  }

  #join(link: Link, next: Introduced): void {
    const { onJoined, peers, telling } = this.#options;
    const { actor, address } = next.hello;
    link.trust();
    const isNew = peers.join(actor, { ...next, link });
    if (isNew) telling.tell({ kind: "connected", peer: actor, address });
    onJoined(actor, link);
  }

  /** What somebody says who has not introduced itself, or was refused. */
  #stranger(link: Link, message: Message): void {
    if (!link.open) return;
    if (message.t === "refuse") {
      const address = link.remote;
      this.#options.telling.once(`refused by ${address} ${message.reason}`, {
        kind: "rejected",
        address,
        message: `it refuses this agent: ${message.reason}`,
      });
      if (link.dialed !== null) this.#dialer.pointless(link.dialed);
      this.#settled.add(link);
    }
    link.close("it said no hello");
  }

  #heard(id: ActorId, link: Link, message: Message, bytes: number): void {
    if (!this.#options.peers.isKept(id, link) || message.t === "hello") return;
    if (message.t === "refuse") this.#stranger(link, message);
    else this.#options.onHeard(id, link, message, bytes);
  }

  #closed(link: Link, actor: ActorId | null, reason: string, fault: boolean): void {
    const { onLeft, peers, telling } = this.#options;
    this.#links.delete(link);
    if (fault) {
      const host = link.dialed ?? link.remote.replace(/:\d+$/, "");
      telling.once(`${host} ${reason}`, { kind: "rejected", address: link.remote, message: reason });
    }
    if (actor !== null && peers.isKept(actor, link)) {
      peers.leave(actor);
      onLeft(actor);
      if (!this.#stopped) telling.tell({ kind: "disconnected", peer: actor, message: reason });
    } else if (link.dialed !== null && !this.#settled.has(link)) this.#dialer.failed(link.dialed, reason);
    if (this.#links.size === 0) this.#emptied?.();
  }
}
