/** @module The ground of the fault tests: three nodes, three NATS servers and Postgres, and one seed for every choice. */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import { streamName } from "../../services/raft/engine/nats-streams.ts";
import { Cluster, type ClusterNode } from "../helpers/cluster.ts";
import { startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { Prng } from "../helpers/prng.ts";
import { until } from "../helpers/until.ts";

const GROUPS = 6;
const NODES = 3;
const SERVERS = [0, 1, 2] as const;
/** Less than a second of the load. */
const ROOM_BYTES = 5000;

/** `FLEET_FAULT_SEED`, or another one each time. Throws when it is no number. */
export function faultSeed(): number {
  const text = process.env.FLEET_FAULT_SEED;
  if (!text) return randomInt(2 ** 32);
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new Error(`FLEET_FAULT_SEED must be a whole number, and is "${text}"`);
}

/** How a failed scenario is tried again: equal seeds choose equal victims and times. */
export function replayHint(seed: number, script: string): string {
  return `seed ${seed}: FLEET_FAULT_SEED=${seed} npm run ${script}`;
}

export class Ground {
  readonly cluster: Cluster;
  readonly postgres: TestPostgres;
  readonly random: Prng;
  /** What was done to it, with the time since the start in seconds. */
  readonly events: string[] = [];
  /** Nodes that are down, asleep or cut off, by what was done to them. */
  readonly struck = new Map<string, string>();
  readonly #downServers = new Set<number>();
  readonly #fullGroups = new Set<number>();
  readonly #operator: NatsConnection;
  readonly #jsm: JetStreamManager;
  readonly #began = performance.now();

  private constructor(
    cluster: Cluster,
    postgres: TestPostgres,
    operator: NatsConnection,
    jsm: JetStreamManager,
    seed: number,
  ) {
    this.cluster = cluster;
    this.postgres = postgres;
    this.#operator = operator;
    this.#jsm = jsm;
    this.random = new Prng(seed);
  }

  static async start(seed: number): Promise<Ground> {
    const postgres = await startPostgres();
    try {
      const databaseUrl = await postgres.database();
      const env = { FLEET_FLUSH_INTERVAL_MS: "500" };
      const cluster = await Cluster.start({ nodes: NODES, groups: GROUPS, databaseUrl, cuttable: true, env });
      try {
        const operator = await connect({ servers: [...cluster.nats.servers], maxReconnectAttempts: -1 });
        const jsm = await operator.jetstreamManager({ checkAPI: false });
        return new Ground(cluster, postgres, operator, jsm, seed);
      } catch (error) {
        await cluster.stop();
        throw error;
      }
    } catch (error) {
      await postgres.stop();
      throw error;
    }
  }

  /** URLs of all nodes that run, whatever was done to them. */
  readonly urls = (): string[] => this.cluster.nodes.map(({ url }) => url);

  /** Nodes that nothing was done to. */
  get sound(): ClusterNode[] {
    return this.cluster.nodes.filter(({ id }) => !this.struck.has(id));
  }

  note(event: string): void {
    this.events.push(`${((performance.now() - this.#began) / 1000).toFixed(1)} s: ${event}`);
  }

  /** How long a fault lasts is part of the fault. */
  async last(ms: number): Promise<void> {
    await delay(ms);
  }

  /** A sound node that leads something. */
  async someLeader(): Promise<ClusterNode> {
    const nodes = this.sound;
    const leaders = await this.cluster.leaders(this.random.pick(nodes).url);
    const leading = nodes.filter(({ id }) => leaders.includes(id));
    return this.random.pick(leading.length > 0 ? leading : nodes);
  }

  /** The NATS server that leads the stream of some group. */
  async someStreamLeader(): Promise<number> {
    const group = this.random.below(GROUPS);
    return until(`the stream of group ${group} has a leader`, async () => {
      const { cluster } = await this.#jsm.streams.info(streamName(group));
      return SERVERS.find((i) => cluster?.leader === `n${i}`)?.toString();
    }).then(Number);
  }

  async killServer(i: number): Promise<void> {
    this.#downServers.add(i);
    await this.cluster.nats.kill(i);
  }

  /** Starts every NATS server that is down, and waits until all streams are whole again. */
  async restartServers(): Promise<void> {
    await Promise.all([...this.#downServers].map((i) => this.cluster.nats.restart(i)));
    this.#downServers.clear();
    await this.cluster.nats.healthy();
  }

  async killAllServers(): Promise<void> {
    await Promise.all(SERVERS.map((i) => this.killServer(i)));
  }

  /**
   * Gives the logs of some groups so little room that the load soon fills it; returns which. Never less room than
   * they take: the copies of a stream learn of a limit at different moments, and one that knew of it earlier would
   * refuse an entry that the others store.
   */
  async fillLogs(): Promise<number[]> {
    const groups = Array.from({ length: GROUPS }, (_, group) => group).filter(() => this.random.chance(0.5));
    if (groups.length === 0) groups.push(this.random.below(GROUPS));
    for (const group of groups) {
      this.#fullGroups.add(group);
      await until(`the log of group ${group} has little room`, async () => {
        const { state } = await this.#jsm.streams.info(streamName(group));
        return this.#jsm.streams.update(streamName(group), { max_bytes: state.bytes + ROOM_BYTES });
      });
    }
    return groups;
  }

  async makeRoom(): Promise<void> {
    for (const group of this.#fullGroups) {
      await until(`the log of group ${group} has room`, () =>
        this.#jsm.streams.update(streamName(group), { max_bytes: -1 }),
      );
      this.#fullGroups.delete(group);
    }
  }

  /** Brings back whatever is still down, so that one scenario that failed does not fail the next ones. */
  async recover(): Promise<void> {
    this.postgres.resume();
    for (const { id, program } of this.cluster.nodes) {
      program.signal("SIGCONT");
      this.cluster.heal(id);
    }
    await this.restartServers();
    await this.makeRoom();
    const running = new Set(this.cluster.nodes.map(({ id }) => id));
    const ids = Array.from({ length: NODES }, (_, i) => `n${i + 1}`);
    await Promise.all(ids.filter((id) => !running.has(id)).map((id) => this.cluster.startNode(id)));
    this.struck.clear();
    await this.cluster.settled(60_000);
  }

  async stop(): Promise<void> {
    this.postgres.resume();
    await this.#operator.close();
    await this.cluster.stop();
    await this.postgres.stop();
  }
}
