/** @module The log engine of a cluster: one replicated JetStream stream per group. */
import { setTimeout as delay } from "node:timers/promises";
import type { StreamInfo } from "nats";
import type { EngineHealth, EngineStatus, GroupLog, LogEngine, LogEntry } from "./engine.ts";
import { checkEntry, DoubtKeeper } from "./entry-rules.ts";
import { Truncated, Unavailable } from "./errors.ts";
import type { EngineLogger } from "./logger.ts";
import { StreamAppender } from "./nats-append.ts";
import { apiCode, JS, unavailable } from "./nats-errors.ts";
import { NatsLink } from "./nats-link.ts";
import { LogStreams, streamName } from "./nats-streams.ts";
import { OrderedTail } from "./nats-tail.ts";
import { Slots } from "./slots.ts";

export interface JetStreamEngineOptions {
  /** Addresses of NATS servers, as a list or separated by commas; the others of a cluster are found from them. */
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
/** Consumers that are created at a time, so that a lost server does not become a storm of requests. */
const PARALLEL_OPENS = 16;
const OPEN_HOLD_MS = 2000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 2000;
/** How often a reader looks whether its consumer still lives. */
const WATCH_MS = 1000;
/** A read that is known to be able to go on takes another consumer after so long without an entry. */
const READ_STUCK_MS = 2500;
/** A read gives up after so long without an entry. */
const READ_GIVE_UP_MS = 30_000;
/** A follower asks the stream's leader after so long without an entry whether it has missed any. */
const FOLLOW_CHECK_MS = 20_000;
/** How long a copy may take to hand out one entry before the leader is asked. */
const DIRECT_MS = 2000;
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
  readonly opens = new Slots(PARALLEL_OPENS, OPEN_HOLD_MS);
  readonly wanted: number;
  readonly #streams: LogStreams;
  readonly #appendTimeoutMs: number;
  readonly #underWay = new Set<Promise<number>>();
  readonly #tails = new Set<OrderedTail>();
  readonly #closing = new AbortController();
  #watch: NodeJS.Timeout | null = null;
  #closed: Promise<void> | null = null;

  constructor(link: NatsLink, options: JetStreamEngineOptions) {
    this.link = link;
    this.wanted = options.replicas;
    this.#streams = new LogStreams(link, options.replicas, options.logger);
    this.#appendTimeoutMs = options.appendTimeoutMs ?? APPEND_TIMEOUT_MS;
  }

  async provision(groups: number): Promise<void> {
    this.checkOpen();
    await this.#streams.provision(groups);
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
    for (const tail of this.#tails) tail.close();
    await Promise.allSettled(this.#underWay);
    if (this.#watch) clearInterval(this.#watch);
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

  /** A consumer that is looked after; paid back with `dropTail`. Throws nats.js's errors. */
  async openTail(stream: string, from: number): Promise<OrderedTail> {
    const tail = new OrderedTail(this.link, stream);
    this.#tails.add(tail);
    this.#watch ??= setInterval(() => this.#tick(), WATCH_MS);
    try {
      await this.opens.run(() => tail.open(from));
      return tail;
    } catch (error) {
      this.dropTail(tail);
      throw error;
    }
  }

  dropTail(tail: OrderedTail): void {
    tail.close();
    this.#tails.delete(tail);
    if (this.#tails.size > 0 || !this.#watch) return;
    clearInterval(this.#watch);
    this.#watch = null;
  }

  #tick(): void {
    for (const tail of this.#tails) tail.tick();
  }
}

class JetStreamLog implements GroupLog {
  readonly group: number;
  readonly #engine: JetStreamEngine;
  readonly #stream: string;
  readonly #appender: StreamAppender;
  readonly #doubt = new DoubtKeeper();

  constructor(engine: JetStreamEngine, group: number, appender: StreamAppender) {
    this.#engine = engine;
    this.group = group;
    this.#stream = streamName(group);
    this.#appender = appender;
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
    if (end - from < FEW) yield* this.#few(from, end);
    else yield* this.#entries(from, end, this.#engine.closing);
    if (this.#engine.closing.aborted) throw new Unavailable("the log engine is closed");
  }

  /** A handful of entries, each asked for directly and all at once. */
  async *#few(from: number, to: number): AsyncGenerator<LogEntry, void, void> {
    const wanted = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => this.#one(from + i));
    // When the reader stops early, nobody is left to hear of the others' failures.
    for (const entry of wanted) entry.catch(() => {});
    for (const entry of wanted) yield await entry;
  }

  /** One entry that is known to exist: from any copy, or from the leader when that copy is behind. */
  async #one(index: number): Promise<LogEntry> {
    const near = await this.#direct(index);
    if (near) return { index, data: near };
    try {
      const message = await this.#engine.link.jsm.streams.getMessage(this.#stream, { seq: index });
      return { index, data: message.data };
    } catch (error) {
      if (apiCode(error) === JS.noMessageFound) {
        const { first } = await this.bounds();
        if (index < first) throw new Truncated(this.group, index, first);
      }
      throw unavailable(`group ${this.group}: index ${index} cannot be read`, error);
    }
  }

  /** The entry from whichever copy is asked first; null when that one does not have it (yet), or there is none. */
  async #direct(index: number): Promise<Uint8Array | null> {
    try {
      const question = JSON.stringify({ seq: index });
      const answer = await this.#engine.link.request(
        `$JS.API.DIRECT.GET.${this.#stream}`,
        new TextEncoder().encode(question),
        DIRECT_MS,
      );
      return answer.headers?.get("Nats-Sequence") === String(index) ? answer.data : null;
    } catch {
      // The leader is asked next, and what it says counts.
      return null;
    }
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    this.#engine.checkOpen();
    const stop = AbortSignal.any([signal, this.#engine.closing]);
    if (stop.aborted) return;
    try {
      yield* this.#entries(from, null, stop);
    } catch (error) {
      if (stop.aborted) return;
      throw error;
    }
  }

  /**
   * Entries from..to, or without end when `to` is null. Whatever happens to consumers, servers and the connection,
   * the next index is the only thing that is remembered, and only that entry is handed on.
   */
  async *#entries(from: number, to: number | null, stop: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    let next = from;
    let progressAt = performance.now();
    // A consumer that begins before the first entry says nothing of it; `read` has looked already.
    let looked = to !== null;
    let failures = 0;
    while (!stop.aborted && (to === null || next <= to)) {
      if (to !== null && performance.now() - progressAt > READ_GIVE_UP_MS)
        throw new Unavailable(
          `group ${this.group}: index ${next} could not be read for ${READ_GIVE_UP_MS} ms`,
        );
      const tail = await this.#openTail(next, failures, looked, stop);
      if (!tail) {
        failures++;
        continue;
      }
      looked = true;
      const before = next;
      try {
        for await (const entry of this.#deliveries(tail, next, to, stop)) {
          next = entry.index + 1;
          yield entry;
        }
      } finally {
        this.#engine.dropTail(tail);
      }
      if (next > before) {
        progressAt = performance.now();
        failures = 0;
      } else failures++;
    }
  }

  /** A consumer from `next` on, or null when there is none to be had now. Throws `Truncated`. */
  async #openTail(
    next: number,
    failures: number,
    looked: boolean,
    stop: AbortSignal,
  ): Promise<OrderedTail | null> {
    try {
      if (failures > 0)
        await delay(Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1)), undefined, {
          signal: stop,
        });
      if (failures > 0 || !looked) {
        const { first } = await this.bounds();
        if (next < first) throw new Truncated(this.group, next, first);
      }
      return await this.#engine.openTail(this.#stream, next);
    } catch (error) {
      if (error instanceof Truncated) throw error;
      return null;
    }
  }

  /** The contiguous entries that a consumer delivers; returns when it is broken or `to` is reached. */
  async *#deliveries(
    tail: OrderedTail,
    from: number,
    to: number | null,
    stop: AbortSignal,
  ): AsyncGenerator<LogEntry, void, void> {
    let next = from;
    let quietSince = performance.now();
    const end = (): void => tail.break();
    stop.addEventListener("abort", end, { once: true });
    try {
      for (;;) {
        for (const delivery of tail.take()) {
          if (stop.aborted) return;
          if (delivery.kind === "flow") {
            tail.allowMore(delivery.reply);
            continue;
          }
          yield { index: delivery.index, data: delivery.data };
          next = delivery.index + 1;
          if (to !== null && next > to) return;
          quietSince = performance.now();
        }
        if (stop.aborted || tail.broken) return;
        const quietMs = performance.now() - quietSince;
        if (to !== null && quietMs > READ_STUCK_MS) return;
        if (to === null && quietMs > FOLLOW_CHECK_MS) {
          // Its copy of the stream may be stuck although the consumer speaks.
          if (await this.#isBehind(next)) return;
          quietSince = performance.now();
        }
        await tail.wait(quietSince + (to === null ? FOLLOW_CHECK_MS : READ_STUCK_MS));
      }
    } finally {
      stop.removeEventListener("abort", end);
    }
  }

  async #isBehind(next: number): Promise<boolean> {
    try {
      return (await this.bounds()).last >= next;
    } catch {
      // Without a leader there is nothing to be behind of; the next check asks again.
      return false;
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
