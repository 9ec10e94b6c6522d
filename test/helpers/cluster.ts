/** @module A distributed fleet for tests: real node processes on real NATS servers. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import type { GroupDetail } from "../../services/raft/contract.ts";
import { freshDatabase } from "./database.ts";
import { request } from "./http.ts";
import { type NatsServers, startNats } from "./nats.ts";
import { freePort, Program } from "./program.ts";
import { startProxy, type TcpProxy } from "./tcp-proxy.ts";
import { until } from "./until.ts";

const MOST_NODES = 10;

export interface ClusterOptions {
  /** NATS servers; default 3. */
  readonly servers?: 1 | 3;
  /** Default 3. */
  readonly nodes?: number;
  /** Default 16. */
  readonly groups?: number;
  /** The archive's database, which need not be there; default a fresh one. */
  readonly databaseUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether `cut` works: every node reaches every NATS server through a proxy of its own. Default false. */
  readonly cuttable?: boolean;
  /** Whether the nodes have agents, which are the embedded ones; then they are called `dev-node1` and on. */
  readonly agents?: boolean;
  /** See `NatsOptions`. */
  readonly stores?: readonly string[];
}

export interface ClusterNode {
  readonly id: string;
  readonly url: string;
  readonly program: Program;
}

/** Node processes `n1`, `n2` … on NATS; nodes can be killed, paused and started again. */
export class Cluster {
  readonly nats: NatsServers;
  readonly databaseUrl: string;
  readonly groups: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #size: number;
  readonly #folder: string;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #ports = new Map<string, number>();
  /** The port before the first of the agents' ports; null: there are none. */
  readonly #agents: number | null;
  /** Of each node, one proxy a NATS server; null where nodes reach them directly. */
  readonly #proxies: Map<string, TcpProxy[]> | null;
  #observer: ServiceBroker | null = null;

  private constructor(
    nats: NatsServers,
    databaseUrl: string,
    { agents, folder }: { readonly agents: number | null; readonly folder: string },
    options: ClusterOptions,
  ) {
    this.nats = nats;
    this.databaseUrl = databaseUrl;
    this.#folder = folder;
    this.#agents = agents;
    this.groups = options.groups ?? 16;
    this.#env = options.env ?? {};
    this.#size = options.nodes ?? 3;
    this.#proxies = options.cuttable ? new Map() : null;
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const databaseUrl = options.databaseUrl ?? (await freshDatabase());
    const nats = await startNats({
      size: options.servers ?? 3,
      advertise: !options.cuttable,
      ...(options.stores && { stores: options.stores }),
    });
    const folder = await mkdtemp(join(tmpdir(), "fleet-cluster-"));
    const agents = options.agents ? (await freePort(2 * MOST_NODES)) - 1 : null;
    const cluster = new Cluster(nats, databaseUrl, { agents, folder }, options);
    try {
      const name = options.agents ? "dev-node" : "n";
      const ids = Array.from({ length: options.nodes ?? 3 }, (_, i) => `${name}${i + 1}`);
      await Promise.all(ids.map((id) => cluster.startNode(id)));
      await cluster.settled();
      await cluster.archiveReached();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Nodes that were started and not ended, by id. */
  get nodes(): ClusterNode[] {
    return [...this.#nodes.values()].filter(({ program }) => program.running);
  }

  node(id: string): ClusterNode {
    const node = this.#nodes.get(id);
    if (!node) throw new Error(`node ${id} was never started`);
    return node;
  }

  /** Starts a node, on the port that it had before, and waits until it is ready. */
  async startNode(
    id: string,
    env: Readonly<Record<string, string>> = {},
    readyWithinMs?: number,
  ): Promise<ClusterNode> {
    const port = this.#ports.get(id) ?? (await freePort());
    this.#ports.set(id, port);
    const program = new Program("node", {
      NATS_URL: (await this.#natsFor(id)).join(","),
      DATABASE_URL: this.databaseUrl,
      PORT: String(port),
      FLEET_NODE_ID: id,
      FLEET_GROUPS: String(this.groups),
      FLEET_DATA_DIR: join(this.#folder, id),
      FLEET_LOG_LEVEL: process.env.FLEET_LOG_LEVEL ?? "warn",
      ...this.#agentOf(id),
      ...this.#env,
      ...env,
    });
    const node = { id, url: `http://127.0.0.1:${port}`, program };
    this.#nodes.set(id, node);
    await program.ready(readyWithinMs);
    return node;
  }

  #agentOf(id: string): Record<string, string> {
    if (this.#agents === null) return {};
    const number = Number(id.replace(/^\D+/, ""));
    return {
      NODE_ID: String(number),
      CLUSTER_SIZE: String(this.#size),
      CORROSION_MODE: "embedded",
      CORROSION_API_PORT: String(this.#agents + number),
      CORROSION_GOSSIP_PORT: String(this.#agents + MOST_NODES + number),
      MEMBERS_REFRESH_MS: "1000",
    };
  }

  /** The addresses at which a node reaches NATS. */
  async #natsFor(id: string): Promise<readonly string[]> {
    if (!this.#proxies) return this.nats.servers;
    let proxies = this.#proxies.get(id);
    if (!proxies) {
      proxies = await Promise.all(this.nats.servers.map((url) => startProxy(Number(new URL(url).port))));
      this.#proxies.set(id, proxies);
    }
    return proxies.map(({ port }) => `nats://127.0.0.1:${port}`);
  }

  /** Cuts a node off from NATS, and so from the other nodes: every byte is held back, or every connection refused. */
  cut(id: string, how: "freeze" | "sever"): void {
    for (const proxy of this.#proxiesOf(id)) proxy[how]();
  }

  /** Undoes `cut`. */
  heal(id: string): void {
    for (const proxy of this.#proxiesOf(id)) proxy.heal();
  }

  #proxiesOf(id: string): readonly TcpProxy[] {
    const proxies = this.#proxies?.get(id);
    if (!proxies) throw new Error(`node ${id} reaches NATS directly: start the cluster with \`cuttable\``);
    return proxies;
  }

  /** Waits until every group is led by exactly one live node, on which every live node agrees, and all are ready. */
  async settled(limitMs = 30_000): Promise<void> {
    await until(
      "every group has one leader that all nodes agree on",
      async () => {
        const views = await Promise.all(this.nodes.map(({ url }) => this.leaders(url)));
        const ready = await Promise.all(this.nodes.map(({ url }) => request(url, "GET", "/health/ready")));
        const [first] = views;
        const live = new Set(this.nodes.map(({ id }) => id));
        return (
          ready.every(({ status }) => status === 200) &&
          first?.every((leader) => leader !== null && live.has(leader)) &&
          views.every((view) => JSON.stringify(view) === JSON.stringify(first)) &&
          new Set(first).size === Math.min(live.size, this.groups)
        );
      },
      limitMs,
    );
  }

  /** Waits until every live node has its archive: until then it cannot tell which sessions exist. */
  async archiveReached(): Promise<void> {
    await until("every node has its archive", async () => {
      const metrics = await Promise.all(
        this.nodes.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
      );
      return metrics.every((text) => /^fleet_archive_available 1$/m.test(text));
    });
  }

  /** A broker on the same bus that holds nothing: what an operator's REPL would be. */
  async observer(): Promise<ServiceBroker> {
    if (this.#observer) return this.#observer;
    const broker = new ServiceBroker({
      namespace: "fleet",
      nodeID: "observer",
      logger: false,
      transporter: {
        type: "NATS",
        options: { servers: [...this.nats.servers], maxReconnectAttempts: -1, reconnectTimeWait: 250 },
      },
      skipProcessEventRegistration: true,
    });
    await broker.start();
    await broker.waitForServices("raft.topology");
    this.#observer = broker;
    return broker;
  }

  /** Every live node's copy of a group. */
  async copies(group: number): Promise<GroupDetail[]> {
    const broker = await this.observer();
    const details = await Promise.all(
      this.nodes.map(({ id }) =>
        broker.call<GroupDetail | null, object>(
          "raft.topology.group",
          { group },
          { nodeID: id, timeout: 5000 },
        ),
      ),
    );
    return details.filter((detail) => detail !== null);
  }

  /** Waits until all copies of every group have applied the same index, and checks that their states are equal. */
  async replicasAgree(): Promise<void> {
    for (let group = 0; group < this.groups; group++) {
      await until(`the copies of group ${group} are at one index`, async () => {
        const copies = await this.copies(group);
        if (new Set(copies.map(({ applied }) => applied)).size !== 1) return false;
        assert.equal(
          new Set(copies.map(({ digest }) => digest)).size,
          1,
          `digests of group ${group} are equal`,
        );
        return copies.length === Math.min(3, this.nodes.length);
      });
    }
  }

  /** Leader of each group, as a node sees it. */
  async leaders(url: string): Promise<(string | null)[]> {
    const response = await fetch(new URL("/api/fleet/status", url));
    const status = (await response.json()) as { leaders: (string | null)[] };
    return status.leaders;
  }

  async stop(): Promise<void> {
    await this.#observer?.stop();
    for (const { program } of this.#nodes.values()) program.signal("SIGCONT");
    await Promise.all([...this.#nodes.values()].map(({ program }) => program.end("SIGKILL")));
    await Promise.all([...(this.#proxies?.values() ?? [])].flat().map((proxy) => proxy.stop()));
    await this.nats.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
