/** @module The streams that hold the logs: their names, their configuration, and bringing them up to it. */
import { setTimeout as delay } from "node:timers/promises";
import { DiscardPolicy, nanos, RetentionPolicy, StorageType, type StreamConfig, StringCodec } from "nats";
import { MAX_ENTRY_BYTES } from "./engine.ts";
import { GroupsMismatch, Unavailable } from "./errors.ts";
import type { EngineLogger } from "./logger.ts";
import { apiCode, isNoResponders, JS, unavailable } from "./nats-errors.ts";
import { HEADER_BYTES, type NatsLink } from "./nats-link.ts";
import { Slots } from "./slots.ts";

/** How long JetStream remembers message ids; the check at the expected index covers what is older. */
const DUPLICATE_WINDOW_MS = 5 * 60_000;
/**
 * Streams made at a time. Servers that are asked for more begin to lose the first election of a new stream, which
 * then waits 4 to 9 s for the next one: 256 streams took 5 s with 4 at a time, 14 s with 8 and 16 s with 24
 * (three servers on two cores).
 */
const PARALLEL_CREATES = 4;
const CREATE_HOLD_MS = 400;
/** How long servers of a starting cluster may take to be seen before fewer copies are accepted. */
const PEERS_MS = 3000;
const PEERS_RETRY_MS = 250;

/** A cluster that elects its leader is given this long. */
const LEADER_TRIES = 10;
const LEADER_RETRY_MS = 500;

const META_BUCKET = "fleet-meta";
const META_STREAM = `KV_${META_BUCKET}`;
const META_GROUPS = `$KV.${META_BUCKET}.groups`;

export function streamName(group: number): string {
  return `fleet-log-${String(group).padStart(3, "0")}`;
}

export function subjectOf(group: number): string {
  return `fleet.log.${group}`;
}

const text = StringCodec();

/** JetStream's answers to a request for more copies than there are servers. */
const TOO_FEW_SERVERS: readonly number[] = [JS.noPeers, JS.replicasNotSupported, JS.insufficientResources];

export class LogStreams {
  readonly #link: NatsLink;
  readonly #wanted: number;
  readonly #logger: EngineLogger | undefined;
  readonly #slots = new Slots(PARALLEL_CREATES, CREATE_HOLD_MS);
  /** Copies of each stream, as far as known. */
  readonly #copies = new Map<string, number>();
  #counted = false;

  constructor(link: NatsLink, wanted: number, logger: EngineLogger | undefined) {
    this.#link = link;
    this.#wanted = wanted;
    this.#logger = logger;
  }

  get warnings(): string[] {
    const lacking = [...this.#copies].flatMap(([name, copies]) =>
      name !== META_STREAM && copies < this.#wanted ? [copies] : [],
    );
    if (lacking.length === 0) return [];
    return [
      `${lacking.length} logs have ${Math.min(...lacking)} of the ${this.#wanted} copies wanted: the JetStream cluster has too few servers; add servers, or set FLEET_REPLICAS`,
    ];
  }

  /** See `LogEngine.provision`. */
  async provision(groups: number): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#provision(groups);
        return;
      } catch (error) {
        if (error instanceof GroupsMismatch) throw error;
        const leaderless = isNoResponders(error) || apiCode(error) === JS.clusterNotAvailable;
        if (!leaderless || tries === LEADER_TRIES) throw unavailable("the logs cannot be provisioned", error);
      }
      await delay(LEADER_RETRY_MS);
    }
  }

  /** Asks again for the copies of streams that had too few: another node may have raised them. Throws `Unavailable`. */
  async inspect(): Promise<void> {
    if (this.warnings.length === 0) return;
    this.#counted = false;
    try {
      await this.#count(new Set(this.#copies.keys()));
    } catch (error) {
      throw unavailable("the copies of the logs cannot be counted", error);
    }
  }

  async #provision(groups: number): Promise<void> {
    const copies = await this.#meta();
    await this.#checkGroups(groups);
    const names = await this.#names();
    const missing = Array.from({ length: groups }, (_, group) => group).filter(
      (group) => !names.has(streamName(group)),
    );
    if (missing.length > 0) {
      const started = performance.now();
      await this.#inParallel(missing, (group) => this.#create(group, groups, copies));
      const ms = Math.round(performance.now() - started);
      this.#logger?.info("logs created", { created: missing.length, groups, copies, ms });
    }
    await this.#count(names);
    await this.#raise(copies);
  }

  /** Runs the task for all items; the first error is thrown after every started task has ended. */
  async #inParallel<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(items.map((item) => this.#slots.run(() => task(item))));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** Creates the bucket with the number of groups, or raises its copies; returns the copies that the servers allow. */
  async #meta(): Promise<number> {
    const known = this.#copies.get(META_STREAM) ?? (await this.#storedCopies(META_STREAM));
    // A server alone takes the update to more copies as well, without making them.
    if (known !== null && (known >= this.#wanted || !this.#link.clustered)) return known;
    if (known !== null) {
      const copies = await this.#raiseStream(META_STREAM, known, this.#wanted);
      this.#copies.set(META_STREAM, copies);
      return copies;
    }
    try {
      const copies = await this.#withCopies(this.#wanted, async (replicas) => {
        await this.#link.connection.jetstream().views.kv(META_BUCKET, {
          replicas,
          history: 1,
          storage: StorageType.File,
          description: "Fleetport: how the logs were created",
        });
      });
      this.#copies.set(META_STREAM, copies);
      return copies;
    } catch (error) {
      if (apiCode(error) === JS.streamNameInUse) return this.#meta();
      throw error;
    }
  }

  /** Makes something with as many copies as the servers allow, at most `wanted`; returns how many those are. */
  async #withCopies(wanted: number, make: (copies: number) => Promise<void>): Promise<number> {
    const deadline = performance.now() + (this.#link.clustered ? PEERS_MS : 0);
    for (let copies = wanted; ; ) {
      try {
        await make(copies);
        return copies;
      } catch (error) {
        if (copies === 1 || !TOO_FEW_SERVERS.includes(apiCode(error))) throw error;
        if (performance.now() < deadline) await delay(PEERS_RETRY_MS);
        else copies--;
      }
    }
  }

  async #storedCopies(stream: string): Promise<number | null> {
    try {
      const copies = (await this.#link.jsm.streams.info(stream)).config.num_replicas;
      this.#copies.set(stream, copies);
      return copies;
    } catch (error) {
      if (apiCode(error) === JS.streamNotFound) return null;
      throw error;
    }
  }

  /** Stores the number of groups if none is stored. Throws `GroupsMismatch` when another one is. */
  async #checkGroups(groups: number): Promise<void> {
    let stored = await this.#storedGroups();
    if (stored === null) {
      const bucket = await this.#link.connection.jetstream().views.kv(META_BUCKET, { bindOnly: true });
      try {
        await bucket.create("groups", text.encode(String(groups)));
        return;
      } catch (error) {
        if (apiCode(error) !== JS.wrongLastSequence) throw error;
        stored = await this.#storedGroups();
      }
    }
    if (stored === null)
      throw new Unavailable(`the bucket ${META_BUCKET} does not show what was stored in it`);
    if (stored !== groups)
      throw new GroupsMismatch(stored, groups, `the log in the NATS account (bucket ${META_BUCKET})`);
  }

  /** Read from the stream's leader: a copy that lags would answer that there is none. */
  async #storedGroups(): Promise<number | null> {
    try {
      const message = await this.#link.jsm.streams.getMessage(META_STREAM, { last_by_subj: META_GROUPS });
      return Number(text.decode(message.data));
    } catch (error) {
      if (apiCode(error) === JS.noMessageFound) return null;
      throw error;
    }
  }

  async #names(): Promise<Set<string>> {
    const names = new Set<string>();
    for await (const name of this.#link.jsm.streams.names("fleet.log.*")) names.add(name);
    return names;
  }

  async #create(group: number, groups: number, copies: number): Promise<void> {
    const name = streamName(group);
    try {
      const has = await this.#withCopies(copies, async (replicas) => {
        await this.#link.slowJsm.streams.add(configOf(group, groups, replicas));
      });
      this.#copies.set(name, has);
    } catch (error) {
      // Another node creates as well and sees another number of servers.
      if (apiCode(error) !== JS.streamNameInUse) throw error;
      await this.#storedCopies(name);
    }
  }

  /** Learns the copies of streams that existed before this engine did. */
  async #count(names: ReadonlySet<string>): Promise<void> {
    if (this.#counted) return;
    for await (const { config } of this.#link.jsm.streams.list("fleet.log.*"))
      this.#copies.set(config.name, config.num_replicas);
    this.#counted = [...names].every((name) => this.#copies.has(name));
  }

  /** Raises every stream that has fewer copies than the servers allow; never lowers one: a lost server comes back. */
  async #raise(copies: number): Promise<void> {
    const lacking = [...this.#copies].filter(([, has]) => has < copies);
    if (lacking.length === 0) return;
    await this.#inParallel(lacking, async ([name, has]) => {
      this.#copies.set(name, await this.#raiseStream(name, has, copies));
    });
    this.#logger?.info("copies of logs raised", { logs: lacking.length, copies });
  }

  /** The copies that the stream has afterwards. */
  async #raiseStream(name: string, has: number, wanted: number): Promise<number> {
    for (let copies = wanted; copies > has; copies--) {
      try {
        await this.#link.slowJsm.streams.update(name, { num_replicas: copies });
        return copies;
      } catch (error) {
        if (!TOO_FEW_SERVERS.includes(apiCode(error))) throw error;
      }
    }
    return has;
  }

  /**
   * Asks the leader of the bucket's stream to write what it must refuse, so it answers as to a write and keeps nothing.
   * Throws `Unavailable`.
   */
  async probe(): Promise<void> {
    try {
      await this.#link.connection
        .jetstream()
        .publish(META_GROUPS, text.encode("probe"), { expect: { lastSequence: Number.MAX_SAFE_INTEGER } });
    } catch (error) {
      if (apiCode(error) === JS.wrongLastSequence) return;
      throw unavailable("the log cannot be written", error);
    }
    throw new Unavailable(
      `the bucket ${META_BUCKET} takes what it must refuse: the NATS servers are too old`,
    );
  }

  /** Throws `Unavailable` when the group's stream does not exist. */
  async check(group: number): Promise<void> {
    try {
      await this.#link.jsm.streams.info(streamName(group));
    } catch (error) {
      if (apiCode(error) === JS.streamNotFound)
        throw new Unavailable(`group ${group} was not provisioned`, { cause: error });
      throw unavailable(`group ${group} cannot be opened`, error);
    }
  }
}

function configOf(group: number, groups: number, copies: number): Partial<StreamConfig> & { name: string } {
  return {
    name: streamName(group),
    subjects: [subjectOf(group)],
    description: `Fleetport: log of group ${group}`,
    storage: StorageType.File,
    num_replicas: copies,
    retention: RetentionPolicy.Limits,
    // A full log refuses new entries; it never drops old ones.
    discard: DiscardPolicy.New,
    max_age: 0,
    max_bytes: -1,
    max_msgs: -1,
    max_msg_size: MAX_ENTRY_BYTES + HEADER_BYTES,
    deny_delete: true,
    deny_purge: false,
    allow_direct: true,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    metadata: { "fleet.groups": String(groups) },
  };
}
