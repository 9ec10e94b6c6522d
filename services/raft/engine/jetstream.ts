/** @module The log engine of a cluster: one replicated JetStream stream per group. */
import type { StreamInfo } from "nats";
import type { EngineHealth, EngineStatus, GroupLog, LogEngine, LogEntry } from "./engine.ts";
import { checkEntry, DoubtKeeper } from "./entry-rules.ts";
import { Truncated, Unavailable } from "./errors.ts";
import type { EngineLogger } from "./logger.ts";
import { StreamAppender } from "./nats-append.ts";
import { apiCode, JS, unavailable } from "./nats-errors.ts";
import { NatsLink } from "./nats-link.ts";
import { StreamReader } from "./nats-read.ts";
import { LogStreams, streamName } from "./nats-streams.ts";
import { OrderedTails } from "./nats-tails.ts";

export interface JetStreamEngineOptions {
  /** Addresses of NATS servers as in `NATS_URL`, or a list of such; the others of a cluster are found from them. */
  readonly servers: string | readonly string[];
  /** Name of the connection, for the servers' monitoring. */
  readonly name: string;
  /** Copies wanted of each log; fewer are made where there are fewer servers. */
  readonly replicas: number;
  readonly logger?: EngineLogger;
  /** After how many milliseconds an append without an answer is `Unknown`; default 5000. */
  readonly appendTimeoutMs?: number;
}

const APPEND_TIMEOUT_MS = 5000;
/** Up to so many entries are fetched one by one instead of through a consumer. */
const FEW = 16;

/**
 * Connects to NATS. Throws `Unavailable` when no server answers or when the servers run without JetStream.
 * After that it reconnects by itself, for ever.
 */
export async function openJetStreamEngine(options: JetStreamEngineOptions): Promise<LogEngine> {
  const link = await NatsLink.open(options.servers, options.name, options.logger);
  return new JetStreamEngine(link, options);
}

class JetStreamEngine implements LogEngine {
  readonly kind = "jetstream";
  readonly link: NatsLink;
  readonly tails: OrderedTails;
  readonly wanted: number;
  readonly #streams: LogStreams;
  readonly #appendTimeoutMs: number;
  readonly #underWay = new Set<Promise<number>>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | null = null;

  constructor(link: NatsLink, options: JetStreamEngineOptions) {
    this.link = link;
    this.tails = new OrderedTails(link);
    this.wanted = options.replicas;
    this.#streams = new LogStreams(link, options.replicas, options.logger);
    this.#appendTimeoutMs = options.appendTimeoutMs ?? APPEND_TIMEOUT_MS;
  }

  async provision(groups: number): Promise<void> {
    this.checkOpen();
    await this.#streams.provision(groups);
  }

  async inspect(): Promise<void> {
    this.checkOpen();
    await this.#streams.inspect();
  }

  async open(group: number): Promise<GroupLog> {
    this.checkOpen();
    await this.#streams.check(group);
    return new JetStreamLog(this, group, new StreamAppender(this.link, group, this.#appendTimeoutMs));
  }

  async probe(): Promise<void> {
    this.checkOpen();
    if (!this.link.connected) throw new Unavailable("not connected to NATS");
    await this.#streams.probe();
  }

  status(): EngineStatus {
    return {
      kind: this.kind,
      connected: this.link.connected && this.#closed === null,
      detail: this.link.detail,
      warnings: [...this.link.warnings, ...this.#streams.warnings],
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.tails.close();
    await Promise.allSettled(this.#underWay);
    await this.link.close();
  }

  checkOpen(): void {
    if (this.#closed) throw new Unavailable("the log engine is closed");
  }

  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Keeps an append known until it is settled, so that `close` can wait for it. */
  track(append: Promise<number>): Promise<number> {
    this.#underWay.add(append);
    const done = (): void => void this.#underWay.delete(append);
    append.then(done, done);
    return append;
  }
}

class JetStreamLog implements GroupLog {
  readonly group: number;
  readonly #engine: JetStreamEngine;
  readonly #stream: string;
  readonly #appender: StreamAppender;
  readonly #reader: StreamReader;
  readonly #doubt = new DoubtKeeper();

  constructor(engine: JetStreamEngine, group: number, appender: StreamAppender) {
    this.#engine = engine;
    this.group = group;
    this.#stream = streamName(group);
    this.#appender = appender;
    this.#reader = new StreamReader(engine.link, engine.tails, group, () => this.bounds());
  }

  async bounds(): Promise<{ first: number; last: number }> {
    return boundsOf(await this.#info());
  }

  /** Answered by the stream's leader alone, so it is never behind. */
  async #info(): Promise<StreamInfo> {
    this.#engine.checkOpen();
    try {
      return await this.#engine.link.jsm.streams.info(this.#stream);
    } catch (error) {
      throw unavailable(`group ${this.group}: the state of the log cannot be read`, error);
    }
  }

  async append(entry: Uint8Array, expectedLast: number, messageId: string): Promise<number> {
    this.#engine.checkOpen();
    checkEntry(entry, expectedLast);
    return this.#doubt.settle(messageId, () =>
      this.#engine.track(this.#appender.append(entry, expectedLast, messageId)),
    );
  }

  async *read(from: number, to?: number): AsyncGenerator<LogEntry, void, void> {
    const { first, last } = await this.bounds();
    if (from < first) throw new Truncated(this.group, from, first);
    if (to !== undefined && to > last)
      throw new Unavailable(`group ${this.group}: index ${to} was asked for, the log ends at ${last}`);
    const end = to ?? last;
    if (end - from < FEW) yield* this.#reader.few(from, end);
    else yield* this.#reader.entries(from, end, this.#engine.closing);
    if (this.#engine.closing.aborted) throw new Unavailable("the log engine is closed");
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    this.#engine.checkOpen();
    const stop = AbortSignal.any([signal, this.#engine.closing]);
    if (stop.aborted) return;
    try {
      yield* this.#reader.entries(from, null, stop);
    } catch (error) {
      if (stop.aborted) return;
      throw error;
    }
  }

  async truncate(before: number): Promise<void> {
    const { first, last } = await this.bounds();
    const target = Math.min(before, last + 1);
    if (target <= first) return;
    try {
      await this.#engine.link.jsm.streams.purge(this.#stream, { seq: target });
    } catch (error) {
      throw unavailable(`group ${this.group}: the log cannot be truncated`, error);
    }
  }

  async health(): Promise<EngineHealth> {
    let info: StreamInfo;
    try {
      info = await this.#engine.link.jsm.streams.info(this.#stream);
    } catch (error) {
      if (apiCode(error) === JS.clusterNotAvailable)
        return { leader: null, replicas: [], wanted: this.#engine.wanted, bytes: 0 };
      throw unavailable(`group ${this.group}: the health of the log cannot be read`, error);
    }
    const leader = info.cluster?.leader ?? (info.cluster ? null : this.#engine.link.serverName);
    const others = (info.cluster?.replicas ?? []).map((peer) => ({
      name: peer.name,
      current: peer.current && !peer.offline,
      lag: peer.lag ?? 0,
    }));
    return {
      leader: leader || null,
      replicas: leader ? [{ name: leader, current: true, lag: 0 }, ...others] : others,
      wanted: this.#engine.wanted,
      bytes: info.state.bytes,
    };
  }
}

/** JetStream says first 0 for a stream that never had an entry. */
function boundsOf(info: StreamInfo): { first: number; last: number } {
  const { first_seq: first, last_seq: last } = info.state;
  return { first: Math.max(first, 1), last };
}
