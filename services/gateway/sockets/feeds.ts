/** @module The live sessions of a node: one fan-out subscription each, shared by all channels on it, and the head check. */
import { setTimeout as sleep } from "node:timers/promises";
import { FleetError } from "../../../lib/errors.ts";
import type { Fanout, FanoutSubscription } from "../../../lib/fanout/fanout.ts";
import { groupOf, sessionSubject } from "../../../lib/ids.ts";
import type { Message, SessionMessages } from "../../conversations/contract.ts";
import type { Conversations } from "./bus.ts";
import { Outgoing } from "./outgoing.ts";

/** A channel that shows a session. */
export interface Subscriber {
  /** The last seq that it delivered. */
  readonly sent: number;
  published(messages: readonly Outgoing[]): void;
  /** The session ends at `lastSeq`, and what was published until then had time to arrive. */
  head(lastSeq: number): void;
}

export interface Page {
  readonly messages: readonly Outgoing[];
  readonly lastSeq: number;
  readonly hasMore: boolean;
}

export interface PageLimits {
  readonly limit: number;
  readonly maxBytes: number;
}

export interface FeedsOptions {
  readonly fanout: Fanout;
  readonly conversations: Conversations;
  readonly groups: number;
  /** Within this time a lost publication must be repaired. */
  readonly catchupIntervalMs: number;
  /** For what went wrong without harm: the check is made again. */
  readonly onError: (message: string, error: unknown) => void;
}

/** `sessions.heads` takes this many ids. */
const HEADS_PER_CALL = 1000;

/** A bus that cannot be reached may come back; until then joins must not hang. */
const ATTACH_TIMEOUT_MS = 5000;

/** The check begins early enough that asking, waiting and reading end within the interval. */
const CHECK_PERIOD = 0.8;

/** Publications take a few milliseconds; whoever is still behind after this has lost one. */
const GRACE_MS = 200;

/** How long rises of leader epochs are gathered before the sessions of their groups are checked. */
const GATHER_MS = 50;

class Feed {
  readonly id: string;
  readonly group: number;
  readonly subscribers = new Set<Subscriber>();
  readonly subscription: Promise<FanoutSubscription>;
  /** Reads under way by where they begin, for channels that miss the same messages. */
  readonly reads = new Map<number, Promise<Page>>();

  constructor(
    id: string,
    group: number,
    fanout: Fanout,
    onPublication: (feed: Feed, payload: unknown) => void,
  ) {
    this.id = id;
    this.group = group;
    this.subscription = fanout.subscribe(sessionSubject(id), (payload) => onPublication(this, payload));
  }
}

export class Feeds {
  readonly #options: FeedsOptions;
  readonly #feeds = new Map<string, Feed>();
  /** The same feeds by group, so that one batch of the check asks few groups. */
  readonly #groups = new Map<number, Set<Feed>>();
  /** Highest leader epoch seen of each group. */
  readonly #epochs = new Map<number, number>();
  readonly #risen = new Set<number>();
  readonly #stopped = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #gathering: NodeJS.Timeout | null = null;
  #checking = false;

  constructor(options: FeedsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#checkAll(), options.catchupIntervalMs * CHECK_PERIOD);
  }

  /** Sessions that some channel shows. */
  get size(): number {
    return this.#feeds.size;
  }

  /**
   * Resolves once every later publication reaches the subscriber; those under way may come earlier.
   * Rejects when the fan-out refuses or does not answer in time. `detach` undoes it, at any time.
   */
  async attach(sessionId: string, subscriber: Subscriber): Promise<void> {
    const feed = this.#feeds.get(sessionId) ?? this.#open(sessionId);
    feed.subscribers.add(subscriber);
    const overdue = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        overdue.reject(new FleetError("leader_unavailable", "no subscription to the live messages in time")),
      ATTACH_TIMEOUT_MS,
    );
    try {
      await Promise.race([feed.subscription, overdue.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  detach(sessionId: string, subscriber: Subscriber): void {
    const feed = this.#feeds.get(sessionId);
    if (feed?.subscribers.delete(subscriber) && feed.subscribers.size === 0) this.#close(feed);
  }

  /** Messages above `after`, from the leader or the archive. Rejects as `sessions.messages.list` does. */
  async read(sessionId: string, after: number, { limit, maxBytes }: PageLimits): Promise<Page> {
    const params = { session_id: sessionId, after_seq: after, limit, max_bytes: maxBytes };
    const page = await this.#options.conversations.messages(params);
    return {
      messages: page.messages.map((message) => new Outgoing(message)),
      lastSeq: page.last_seq,
      hasMore: page.has_more,
    };
  }

  /**
   * As `read`, but joins a read under way from the same place. Its answer may be older than this call, so it
   * is only for subscribers that know what they miss.
   */
  readShared(sessionId: string, after: number, limits: PageLimits): Promise<Page> {
    const feed = this.#feeds.get(sessionId);
    const underWay = feed?.reads.get(after);
    if (underWay) return underWay;
    const read = this.read(sessionId, after, limits).finally(() => feed?.reads.delete(after));
    feed?.reads.set(after, read);
    return read;
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#gathering) clearTimeout(this.#gathering);
    this.#stopped.abort();
    for (const feed of this.#feeds.values()) this.#close(feed);
  }

  #open(sessionId: string): Feed {
    const { fanout, groups } = this.#options;
    const feed = new Feed(sessionId, groupOf(sessionId, groups), fanout, (...event) =>
      this.#publication(...event),
    );
    this.#feeds.set(sessionId, feed);
    const peers = this.#groups.get(feed.group) ?? new Set();
    this.#groups.set(feed.group, peers.add(feed));
    // Whoever attached is told by its own call; the next to attach must try again.
    feed.subscription.catch(() => this.#forget(feed));
    return feed;
  }

  #close(feed: Feed): void {
    this.#forget(feed);
    feed.subscription.then(
      (subscription) => subscription.unsubscribe(),
      () => {}, // there is nothing to end when it never began
    );
  }

  #forget(feed: Feed): void {
    if (this.#feeds.get(feed.id) === feed) this.#feeds.delete(feed.id);
    const peers = this.#groups.get(feed.group);
    peers?.delete(feed);
    if (peers?.size === 0) this.#groups.delete(feed.group);
  }

  #publication(feed: Feed, payload: unknown): void {
    const event = sessionMessages(payload, feed.id);
    if (!event) return;
    this.#sawEpoch(feed.group, event.epoch);
    const messages = event.messages.map((message) => new Outgoing(message));
    for (const subscriber of feed.subscribers) subscriber.published(messages);
  }

  /**
   * A new leader does not know what its predecessor published last. The seq of its own publications shows that
   * to their session; the others of the group are asked for, without waiting for the next check.
   */
  #sawEpoch(group: number, epoch: number): void {
    const known = this.#epochs.get(group);
    if (known !== undefined && epoch <= known) return;
    this.#epochs.set(group, epoch);
    if (known === undefined) return;
    this.#risen.add(group);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      const feeds = [...this.#risen].flatMap((risen) => [...(this.#groups.get(risen) ?? [])]);
      this.#risen.clear();
      void this.#check(feeds);
    }, GATHER_MS);
  }

  async #checkAll(): Promise<void> {
    // A check that hangs holds up the next one, not the sessions: its calls end with the interval.
    if (this.#checking || this.#feeds.size === 0) return;
    this.#checking = true;
    await this.#check([...this.#groups.values()].flatMap((feeds) => [...feeds]));
    this.#checking = false;
  }

  async #check(feeds: readonly Feed[]): Promise<void> {
    const batches: Promise<void>[] = [];
    for (let from = 0; from < feeds.length; from += HEADS_PER_CALL) {
      batches.push(this.#checkBatch(feeds.slice(from, from + HEADS_PER_CALL)));
    }
    await Promise.all(batches);
  }

  async #checkBatch(feeds: readonly Feed[]): Promise<void> {
    const { conversations, onError } = this.#options;
    try {
      const { heads } = await conversations.heads(feeds.map((feed) => feed.id));
      const behind: { feed: Feed; subscriber: Subscriber; lastSeq: number }[] = [];
      for (const feed of feeds) {
        const head = heads[feed.id];
        if (!head) continue;
        this.#sawEpoch(feed.group, head.epoch);
        for (const subscriber of feed.subscribers) {
          if (subscriber.sent < head.last_seq) behind.push({ feed, subscriber, lastSeq: head.last_seq });
        }
      }
      if (behind.length === 0) return;
      await sleep(GRACE_MS, undefined, { signal: this.#stopped.signal });
      for (const { feed, subscriber, lastSeq } of behind) {
        if (feed.subscribers.has(subscriber) && subscriber.sent < lastSeq) subscriber.head(lastSeq);
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) onError("heads could not be checked", error);
    }
  }
}

/** A publication of this session's messages; null for anything else that comes on its subject. */
function sessionMessages(payload: unknown, sessionId: string): SessionMessages | null {
  if (typeof payload !== "object" || payload === null) return null;
  if (!("type" in payload && payload.type === "messages")) return null;
  if (!("session_id" in payload && payload.session_id === sessionId)) return null;
  if (!("epoch" in payload && typeof payload.epoch === "number")) return null;
  if (!("messages" in payload && Array.isArray(payload.messages))) return null;
  const messages: unknown[] = payload.messages;
  if (!messages.every(isMessage)) return null;
  return { type: "messages", session_id: sessionId, epoch: payload.epoch, messages };
}

/** Only the leader publishes messages, so what delivery needs is enough to look at. */
function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "seq" in value && Number.isSafeInteger(value.seq);
}
