/** @module Gossip instances in one process, joined over real TCP. */
import { createHash } from "node:crypto";
import type { Gossip, GossipEvent, GossipOptions, Pace } from "../../corrosion/embedded/gossip/contract.ts";
import { startGossip } from "../../corrosion/embedded/gossip/gossip.ts";
import type { ActorId, Committed } from "../../corrosion/embedded/replication.ts";
import { MemoryReplication } from "./gossip-model.ts";
import { freePort } from "./program.ts";
import { startProxy, type TcpProxy } from "./tcp-proxy.ts";

/** Ten times as fast as the product. */
export const QUICK: Partial<Pace> = {
  roundMs: 50,
  suspectAfterMs: 300,
  downAfterMs: 1000,
  silenceMs: 500,
  helloMs: 500,
  frameMs: 1000,
  redialMs: 200,
  askMs: 1000,
  refusedMs: 60_000,
};

export function actorId(name: string): ActorId {
  return createHash("md5").update(name).digest("hex");
}

/** NTP64 of a time in milliseconds. */
export function ntp64(ms: number): bigint {
  return (BigInt(Math.floor(ms)) << 32n) / 1000n;
}

export class TestAgent {
  readonly name: string;
  readonly id: ActorId;
  readonly port: number;
  /** What others dial, and what a test cuts. */
  readonly proxy: TcpProxy;
  readonly replication: MemoryReplication;
  readonly events: GossipEvent[] = [];
  /** What its wall clock is ahead. */
  clockMs = 0;
  gossip: Gossip | null = null;

  constructor(name: string, port: number, proxy: TcpProxy) {
    this.name = name;
    this.id = actorId(name);
    this.port = port;
    this.proxy = proxy;
    this.replication = new MemoryReplication(this.id, (committed: Committed) =>
      this.gossip?.localCommit(committed),
    );
  }

  get address(): string {
    return `127.0.0.1:${this.proxy.port}`;
  }

  async start(bootstrap: readonly TestAgent[], options: Partial<GossipOptions> = {}): Promise<Gossip> {
    this.gossip = await startGossip({
      actorId: this.id,
      listen: `127.0.0.1:${this.port}`,
      externalAddr: this.address,
      bootstrap: bootstrap.map(({ address }) => address),
      remembered: [],
      clusterId: 0,
      memberId: null,
      replication: this.replication,
      ts: () => ntp64(Date.now() + this.clockMs),
      onEvent: (event) => this.events.push(event),
      pace: QUICK,
      ...options,
    });
    return this.gossip;
  }

  /** What it thinks of another one; null: it does not know it. */
  sees(other: TestAgent): string | null {
    const id = other.id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    return this.gossip?.membershipStates().find((state) => state.id.id === id)?.state ?? null;
  }

  eventsOf<Kind extends GossipEvent["kind"]>(kind: Kind): Extract<GossipEvent, { kind: Kind }>[] {
    return this.events.filter((event): event is Extract<GossipEvent, { kind: Kind }> => event.kind === kind);
  }

  async stop(): Promise<void> {
    await this.gossip?.stop();
    this.gossip = null;
  }
}

/** Agents with proxies in front of them; not started yet. */
export async function agents(...names: string[]): Promise<TestAgent[]> {
  const all: TestAgent[] = [];
  for (const name of names) {
    const port = await freePort();
    all.push(new TestAgent(name, port, await startProxy(port)));
  }
  return all;
}

export async function stopAll(all: readonly TestAgent[]): Promise<void> {
  for (const agent of all) await agent.stop();
  for (const { proxy } of all) await proxy.stop();
}
