/** @module Gossip of one agent: connections with its peers, who is alive, and what changes go where. */

import { randomUUID } from "node:crypto";
import { connect, type Server, type Socket } from "node:net";
import { formatHostPort } from "../../../lib/host-port.ts";
import type { ActorId, Chunk, Committed, Received } from "../replication.ts";
import { type Address, dialable, parseAddress, parseBootstrap } from "./addresses.ts";
import { admit, type Introduced } from "./admission.ts";
import { inFrames } from "./answer.ts";
import { AwakeClock } from "./awake-clock.ts";
import { Circle } from "./circle.ts";
import type { Gossip, GossipOptions, GossipStatus, Pace, Via } from "./contract.ts";
import { Dialer } from "./dialer.ts";
import { frame } from "./frames.ts";
import { changesOf, Intake } from "./intake.ts";
import { Link } from "./link.ts";
import { listen } from "./listen.ts";
import type { MemberRecord } from "./membership.ts";
import { PACE } from "./pace.ts";
import { Peers } from "./peers.ts";
import { Sync } from "./sync.ts";
import { Telling } from "./telling.ts";
import { encode, type Hello, type Message } from "./wire.ts";

/** Connections that others may have open here. */
const MAX_ACCEPTED = 256;
const GOODBYE_MS = 500;
/** Chunks that are pushed in one frame, in bytes of JSON. */
const PUSH_BYTES = 256 * 1024;

/** Listens and begins to look for peers. Throws `GossipUnusable`. */
export async function startGossip(options: GossipOptions): Promise<Gossip> {
  const address = parseAddress(options.listen);
  const external = options.externalAddr === null ? null : parseAddress(options.externalAddr, 4001);
  const bootstrap = options.bootstrap.map(parseBootstrap);
  let accept: (socket: Socket) => void = (socket) => void socket.destroy();
  const { server, port } = await listen(address, (socket) => accept(socket));
  const advertised = formatHostPort(external ?? dialable({ host: address.host, port }));
  const running = new RunningGossip(options, advertised, server, bootstrap);
  accept = (socket) => running.accept(socket);
  running.start();
  return running;
}

class RunningGossip implements Gossip {
  readonly address: string;
  readonly #options: GossipOptions;
  readonly #pace: Pace;
  readonly #clock: AwakeClock;
  readonly #server: Server;
  readonly #instance = randomUUID();
  readonly #circle: Circle;
  readonly #dialer: Dialer;
  readonly #intake: Intake;
  readonly #sync: Sync;
  readonly #links = new Set<Link>();
  /** Connections of which the dialer knows what came of them. */
  readonly #settled = new WeakSet<Link>();
  readonly #peers = new Peers();
  readonly #telling: Telling;
  #clusterId: number;
  #timer: NodeJS.Timeout | null = null;
  #dials = 0;
  #stopped: Promise<void> | null = null;
  /** Called when the last connection is gone. */
  #emptied: (() => void) | null = null;

  constructor(
    options: GossipOptions,
    advertised: string,
    server: Server,
    bootstrap: readonly ReturnType<typeof parseBootstrap>[],
  ) {
    this.#options = options;
    this.#telling = new Telling(options.onEvent);
    this.#pace = { ...PACE, ...options.pace };
    this.#clock = new AwakeClock(this.#pace.roundMs);
    this.#server = server;
    this.address = advertised;
    this.#clusterId = options.clusterId;
    const { actorId, memberId, replication } = options;
    this.#circle = new Circle({
      self: { id: actorId, address: advertised, ts: options.ts(), memberId },
      pace: this.#pace,
      onEvent: options.onEvent,
      onRefuted: () => this.#tellMembers(),
    });
    this.#dialer = new Dialer({
      bootstrap,
      remembered: options.remembered,
      pace: this.#pace,
      dial: (to, text) => this.#dial(to, text),
      skip: (text) => this.#isKnown(text),
      onUnreachable: (at, message) => this.#telling.tell({ kind: "unreachable", address: at, message }),
    });
    this.#intake = new Intake({
      replication,
      onReceived: (chunk, received, via) => this.#received(chunk, received, via),
      onTrouble: (error) => this.#telling.trouble("merging received changes", error),
    });
    this.#sync = new Sync({
      self: actorId,
      replication,
      intake: this.#intake,
      pace: this.#pace,
      now: () => this.#clock.now(),
      onSent: (changes) => this.#telling.tell({ kind: "sent", via: "sync", peers: 1, changes }),
      onSynced: (id) => this.#circle.synced(id, options.ts()),
      onTrouble: (what, error) => this.#telling.trouble(what, error),
    });
  }

  start(): void {
    this.#telling.tell({ kind: "listening", address: this.address });
    this.#server.on("error", (error) => this.#telling.trouble("listening", error));
    this.#timer = setInterval(() => this.#round(), this.#pace.roundMs);
    this.#round();
  }

  accept(socket: Socket): void {
    const accepted = [...this.#links].filter(({ dialed }) => dialed === null).length;
    if (this.#stopped !== null || accepted >= MAX_ACCEPTED) {
      socket.on("error", () => undefined).destroy();
      if (this.#stopped === null)
        this.#telling.trouble("accepting", new Error(`${MAX_ACCEPTED} connections are open`));
      return;
    }
    this.#open(socket, null);
  }

  members(): ReturnType<Gossip["members"]> {
    return this.#circle.views(this.#clusterId);
  }

  membershipStates(): ReturnType<Gossip["membershipStates"]> {
    return this.#circle.states(this.#clusterId);
  }

  status(): GossipStatus {
    return { peers: this.#peers.size, queuedChanges: this.#intake.changes };
  }

  localCommit(committed: Committed): void {
    if (committed.chunks.length === 0 || this.#peers.size === 0 || this.#stopped !== null) return;
    const frames = inFrames(committed.chunks, PUSH_BYTES).map((chunks) =>
      frame(encode({ t: "push", chunks })),
    );
    let peers = 0;
    for (const [id, link] of this.#peers.links()) {
      if (frames.every((bytes) => this.#fits(bytes) && link.offer(bytes))) peers += 1;
      else this.#telling.tell({ kind: "push_skipped", peer: id, version: committed.version });
    }
    this.#telling.tell({ kind: "sent", via: "push", peers, changes: peers * changesOf(committed.chunks) });
  }

  retryRefused(): void {
    this.#sync.refusals.clear();
    this.#sync.soon();
  }

  rejoin(): void {
    this.#circle.decide({ kind: "rejoin", ts: this.#options.ts(), forgetOthers: false });
    this.#dialer.remember([]);
  }

  setClusterId(clusterId: number): void {
    this.#clusterId = clusterId;
    const others = this.#circle.candidates().map(({ address }) => address);
    for (const link of this.#links) link.close("this agent goes to another cluster");
    this.#dropPeers();
    this.#telling.forget();
    this.#circle.decide({ kind: "rejoin", ts: this.#options.ts(), forgetOthers: true });
    this.#dialer.remember(others);
    this.#telling.tell({ kind: "members_changed" });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#dialer.stop();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    const goodbye: MemberRecord = { ...this.#circle.self, state: "Down" };
    const last: Message = { t: "members", n: this.#peers.nextList(), records: [goodbye] };
    const peers = new Set(this.#peers.links().map(([, link]) => link));
    for (const link of this.#links) link.close("the agent stops", peers.has(link) ? last : null);
    const deadline = setTimeout(() => {
      for (const link of this.#links) link.destroy();
    }, GOODBYE_MS);
    if (this.#links.size > 0) await emptied;
    clearTimeout(deadline);
    await closed;
    await Promise.all([this.#sync.stop(), this.#intake.stop()]);
  }

  #round(): void {
    this.#clock.tick();
    for (const link of this.#links) link.check();
    for (const [id, link] of this.#peers.links()) {
      if (link.silentMs < 1.5 * this.#pace.roundMs) this.#circle.decide({ kind: "lives", id });
    }
    this.#circle.tick();
    this.#tellMembers();
    this.#sync.round();
    this.#dialer.round(performance.now(), this.#circle.candidates());
  }

  #tellMembers(): void {
    this.#peers.tell(this.#circle.told());
  }

  #dial(to: Address, text: string): void {
    this.#open(connect({ host: to.host, port: to.port }), text);
  }

  #open(socket: Socket, dialed: string | null): void {
    const dial = dialed === null ? 0 : ++this.#dials;
    let actor: ActorId | null = null;
    const link: Link = new Link(socket, {
      dialed,
      pace: this.#pace,
      now: () => this.#clock.now(),
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
    return {
      t: "hello",
      actor: this.#options.actorId,
      instance: this.#instance,
      dial,
      address: this.address,
      cluster: this.#clusterId,
      member: this.#options.memberId,
    };
  }

  /** The other side has said who it is: its id when the connection is kept. */
  #introduced(link: Link, hello: Hello, ownDial: number): ActorId | null {
    if (!link.open) return null;
    const existing = this.#peers.open(hello.actor);
    const dialed = link.dialed !== null;
    const next = { hello, dialed, dial: dialed ? ownDial : hello.dial };
    const silentMs = existing ? existing.link.silentMs : 0;
    const own = this.#hello(ownDial);
    const admission = admit(own, next, existing, silentMs, this.#pace.suspectAfterMs);
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
        this.#telling.once(`${hello.actor} ${hello.address} ${admission.message}`, {
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
    const { actor, address } = next.hello;
    link.trust();
    const isNew = this.#peers.join(actor, { ...next, link });
    if (isNew) this.#telling.tell({ kind: "connected", peer: actor, address });
    this.#tellMembers();
    this.#sync.connected(actor, link);
  }

  /** What somebody says who has not introduced itself, or was refused. */
  #stranger(link: Link, message: Message): void {
    if (!link.open) return;
    if (message.t === "refuse") {
      const address = link.remote;
      this.#telling.once(`refused by ${address} ${message.reason}`, {
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
    if (!this.#peers.isKept(id, link)) return;
    switch (message.t) {
      case "hello":
        return;
      case "refuse":
        return this.#stranger(link, message);
      case "members":
        link.offer({ t: "pong", n: message.n });
        this.#circle.heard(message.records);
        return;
      case "pong":
        return this.#measure(id, message.n);
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

  #take(link: Link, via: Via, received: readonly Chunk[], bytes: number): void {
    // What this agent wrote it has, or must not take from anybody.
    const chunks = received.filter(({ origin }) => origin !== this.#options.actorId);
    this.#telling.tell({ kind: "received", via, changes: changesOf(chunks) });
    link.hold(bytes);
    this.#intake.put(via, chunks, () => link.release(bytes));
  }

  #received(chunk: Chunk, received: Received, via: Via): void {
    const { origin, version, ts, changes } = chunk;
    if (received.kind === "applied") {
      this.#telling.tell({ kind: "applied", via, origin, version, ts, changes: changes.length });
    } else if (received.kind === "refused") {
      const { message } = received;
      const news = this.#sync.refusals.add(origin, version, message, this.#clock.now());
      if (news) this.#telling.tell({ kind: "refused", origin, version, message });
    }
  }

  #measure(id: ActorId, n: number): void {
    const ms = this.#peers.answered(id, n);
    if (ms !== null) this.#circle.measured(id, ms);
  }

  #closed(link: Link, actor: ActorId | null, reason: string, fault: boolean): void {
    this.#links.delete(link);
    if (fault) {
      const host = link.dialed ?? link.remote.replace(/:\d+$/, "");
      this.#telling.once(`${host} ${reason}`, { kind: "rejected", address: link.remote, message: reason });
    }
    if (actor !== null && this.#peers.isKept(actor, link)) {
      this.#peers.leave(actor);
      this.#sync.gone(actor);
      if (this.#stopped === null) this.#telling.tell({ kind: "disconnected", peer: actor, message: reason });
    } else if (link.dialed !== null && !this.#settled.has(link)) this.#dialer.failed(link.dialed, reason);
    if (this.#links.size === 0) this.#emptied?.();
  }

  #dropPeers(): void {
    for (const [peer] of this.#peers.links()) {
      this.#peers.leave(peer);
      this.#sync.gone(peer);
      this.#telling.tell({ kind: "disconnected", peer, message: "this agent goes to another cluster" });
    }
  }

  /** Nobody is to be dialed there: this agent itself, or a peer with a connection. */
  #isKnown(text: string): boolean {
    return text === this.address || this.#peers.isAt(text);
  }

  #fits(bytes: Buffer): boolean {
    if (bytes.length <= this.#pace.maxFrameBytes) return true;
    this.#telling.trouble(
      "sending",
      new Error(`a change of ${bytes.length} bytes is too large to be replicated`),
    );
    return false;
  }
}
