/** @module Gossip of one agent: connections with its peers, who is alive, and what changes go where. */

import type { Server, Socket } from "node:net";
import { formatHostPort } from "../../../lib/host-port.ts";
import type { ActorId, Committed } from "../replication.ts";
import { type BootstrapAddress, dialable, parseAddress, parseBootstrap } from "./addresses.ts";
import { AwakeClock } from "./awake-clock.ts";
import { Circle } from "./circle.ts";
import { Connections } from "./connections.ts";
import type { Gossip, GossipOptions, GossipStatus, Pace } from "./contract.ts";
import { Exchange } from "./exchange.ts";
import type { Link } from "./link.ts";
import { listen } from "./listen.ts";
import type { MemberRecord } from "./membership.ts";
import { PACE } from "./pace.ts";
import { Peers } from "./peers.ts";
import { Telling } from "./telling.ts";
import type { Message } from "./wire.ts";

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
  readonly #circle: Circle;
  readonly #connections: Connections;
  readonly #exchange: Exchange;
  readonly #peers = new Peers();
  readonly #telling: Telling;
  #timer: NodeJS.Timeout | null = null;
  #stopped: Promise<void> | null = null;

  constructor(
    options: GossipOptions,
    advertised: string,
    server: Server,
    bootstrap: readonly BootstrapAddress[],
  ) {
    const { actorId, clusterId, memberId, remembered, replication } = options;
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#clock = new AwakeClock(this.#pace.roundMs);
    this.#server = server;
    this.address = advertised;
    this.#telling = new Telling(options.onEvent);
    this.#circle = new Circle({
      self: { id: actorId, address: advertised, ts: options.ts(), memberId },
      pace: this.#pace,
      onEvent: options.onEvent,
      onRefuted: () => this.#tellMembers(),
    });
    const shared = {
      peers: this.#peers,
      telling: this.#telling,
      pace: this.#pace,
      now: () => this.#clock.now(),
    };
    this.#exchange = new Exchange({
      ...shared,
      self: actorId,
      replication,
      onSynced: (id) => this.#circle.synced(id, options.ts()),
    });
    this.#connections = new Connections({
      ...shared,
      self: { actorId, memberId, address: advertised },
      clusterId,
      bootstrap,
      remembered,
      onJoined: (id, link) => {
        this.#tellMembers();
        this.#exchange.connected(id, link);
      },
      onLeft: (id) => this.#exchange.gone(id),
      onHeard: (id, link, message, bytes) => this.#heard(id, link, message, bytes),
    });
  }

  start(): void {
    this.#telling.tell({ kind: "listening", address: this.address });
    this.#server.on("error", (error) => this.#telling.trouble("listening", error));
    this.#timer = setInterval(() => this.#round(), this.#pace.roundMs);
    this.#round();
  }

  accept(socket: Socket): void {
    this.#connections.accept(socket);
  }

  members(): ReturnType<Gossip["members"]> {
    return this.#circle.views(this.#connections.clusterId);
  }

  membershipStates(): ReturnType<Gossip["membershipStates"]> {
    return this.#circle.states(this.#connections.clusterId);
  }

  status(): GossipStatus {
    return { peers: this.#peers.size, queuedChanges: this.#exchange.queued };
  }

  localCommit(committed: Committed): void {
    if (this.#stopped === null) this.#exchange.push(committed);
  }

  retryRefused(): void {
    this.#exchange.retryRefused();
  }

  rejoin(): void {
    this.#circle.decide({ kind: "rejoin", ts: this.#options.ts(), forgetOthers: false });
    this.#connections.remember([]);
  }

  setClusterId(clusterId: number): void {
    const others = this.#circle.candidates().map(({ address }) => address);
    this.#connections.moveTo(clusterId);
    this.#telling.forget();
    this.#circle.decide({ kind: "rejoin", ts: this.#options.ts(), forgetOthers: true });
    this.#connections.remember(others);
    this.#telling.tell({ kind: "members_changed" });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const goodbye: MemberRecord = { ...this.#circle.self, state: "Down" };
    await this.#connections.stop({ t: "members", n: this.#peers.nextList(), records: [goodbye] });
    await closed;
    await this.#exchange.stop();
  }

  #round(): void {
    this.#clock.tick();
    this.#connections.check();
    for (const [id, link] of this.#peers.links()) {
      if (link.silentMs < 1.5 * this.#pace.roundMs) this.#circle.decide({ kind: "lives", id });
    }
    this.#circle.tick();
    this.#tellMembers();
    this.#exchange.round();
    this.#connections.look(this.#circle.candidates());
  }

  #tellMembers(): void {
    this.#peers.tell(this.#circle.told());
  }

  #heard(id: ActorId, link: Link, message: Message, bytes: number): void {
    switch (message.t) {
      case "members":
        link.offer({ t: "pong", n: message.n });
        return this.#circle.heard(message.records);
      case "pong": {
        const ms = this.#peers.answered(id, message.n);
        if (ms !== null) this.#circle.measured(id, ms);
        return;
      }
      default:
        return this.#exchange.heard(id, link, message, bytes);
    }
  }
}
