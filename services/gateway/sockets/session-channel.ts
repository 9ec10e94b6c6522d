/** @module The channel of one session on one socket: join, replay, live messages, sends. */
import { inspect } from "node:util";
import { isSessionId } from "../../../lib/ids.ts";
import type { Session } from "../../conversations/contract.ts";
import type { Admission } from "./admission.ts";
import type { Conversations } from "./bus.ts";
import { Delivery, type Step } from "./delivery.ts";
import { isOutage, type JoinRefusal, joinRefusal, sendFailure } from "./failures.ts";
import type { Feeds, Page, PageLimits, Subscriber } from "./feeds.ts";
import { type Address, addressOf, type Frame, PUSH_END, pushStart, type Ref, replyFrame } from "./frames.ts";
import type { SocketMetrics } from "./metrics.ts";
import type { Outgoing } from "./outgoing.ts";
import { lastSeqOf, parseSend } from "./requests.ts";

/** Who a socket speaks for. */
export type Principal = { readonly user_id: string } | { readonly agent_id: string };

/** What all channels of a node share. */
export interface ChannelServices {
  readonly conversations: Conversations;
  readonly feeds: Feeds;
  readonly metrics: SocketMetrics;
  readonly logger: Logger;
}

export interface Logger {
  debug(message: string, fields: object): void;
  error(message: string, fields: object): void;
}

/** What a channel needs of its socket. */
export interface ChannelSocket {
  readonly principal: Principal;
  /** Bounds the joins under way. */
  readonly joins: Admission;
  /** Bounds the bytes of pages that are read but not yet sent; waits while the socket's buffer is full. */
  readonly reads: Admission;
  /** Largest page in bytes that the socket's buffer has room for. */
  readonly pageBytes: number;
  write(frame: string): void;
  /** A send is under way; the promise settles, and never rejects, once its reply is written. */
  answering(send: Promise<void>): void;
}

/** The first page goes into the join reply (contract, section 6). */
const REPLAY_MESSAGES = 100;
const REPLAY_BYTES = 1024 * 1024;
const PAGE_MESSAGES = 250;

/** Retries of many channels, cut off by the same failure, should not come in one wave. */
const RETRY_JITTER = 0.2;

export class SessionChannel implements Subscriber {
  readonly joinRef: Ref;
  readonly address: Address;
  state: "joining" | "joined" | "closed" = "joining";
  /** Frames that came before the join was decided; they belong after it. */
  readonly early: Frame[] = [];

  readonly #sessionId: string;
  readonly #socket: ChannelSocket;
  readonly #services: ChannelServices;
  readonly #messageStart: string;
  readonly #delivery = new Delivery<Outgoing>();
  #retry: NodeJS.Timeout | null = null;

  constructor(sessionId: string, join: Frame, socket: ChannelSocket, services: ChannelServices) {
    this.joinRef = join.joinRef;
    this.address = addressOf(join.joinRef, join.topic);
    this.#sessionId = sessionId;
    this.#socket = socket;
    this.#services = services;
    this.#messageStart = pushStart(this.address, "message");
  }

  get sent(): number {
    return this.#delivery.sent;
  }

  /** Joins and replies ok, or answers why not; never rejects. The caller closes the channel when it was refused. */
  async join({ ref, payload }: Frame): Promise<JoinRefusal | null> {
    if (!isSessionId(this.#sessionId)) return { reason: "not found" };
    const { joins } = this.#socket;
    await joins.begin(1);
    try {
      return await this.#join(ref, lastSeqOf(payload));
    } catch (error) {
      const refusal = joinRefusal(error);
      if (refusal.reason === "unavailable") this.#report("join failed", error);
      return refusal;
    } finally {
      joins.done(1);
    }
  }

  /** Subscribe first, then read: what is committed between the two arrives twice rather than never. */
  async #join(ref: Ref, lastSeq: number): Promise<JoinRefusal | null> {
    const { conversations, feeds, metrics } = this.#services;
    if (this.#isClosed()) return null;
    await feeds.attach(this.#sessionId, this);
    if (this.#isClosed()) return null;
    const session = await conversations.session(this.#sessionId);
    if (this.#isClosed()) return null;
    if (!isParticipant(this.#socket.principal, session)) return { reason: "unauthorized" };

    const after = Math.min(lastSeq, session.last_seq);
    const weight = after < session.last_seq ? REPLAY_BYTES : 0;
    await this.#socket.reads.begin(weight);
    try {
      if (this.#isClosed()) return null;
      const page = weight === 0 ? emptyPage(after) : await this.#firstPage(after);
      if (this.#isClosed()) return null;
      const { replay, step } = this.#delivery.joined(after, page.messages, page.lastSeq);
      this.state = "joined";
      metrics.channels.inc({ topic: "session" });
      const messages = replay.map((message) => message.json).join(",");
      this.reply(
        ref,
        "ok",
        `{"session_id":${JSON.stringify(this.#sessionId)},"messages":[${messages}],"last_seq":${page.lastSeq},"has_more":${page.hasMore},"dispatch":${JSON.stringify(session.dispatch)}}`,
      );
      this.#apply(step);
    } finally {
      this.#socket.reads.done(weight);
    }
    return null;
  }

  #firstPage(after: number): Promise<Page> {
    const limits = { limit: REPLAY_MESSAGES, maxBytes: REPLAY_BYTES };
    return this.#services.feeds.read(this.#sessionId, after, limits);
  }

  /** Ends the subscription and whatever is under way; idempotent. Says nothing to the client. */
  close(): void {
    if (this.state === "closed") return;
    if (this.state === "joined") this.#services.metrics.channels.dec({ topic: "session" });
    this.state = "closed";
    this.#services.feeds.detach(this.#sessionId, this);
    if (this.#retry) clearTimeout(this.#retry);
  }

  reply(ref: Ref, status: "ok" | "error", response: string): void {
    this.#socket.write(replyFrame(this.address, ref, status, response));
  }

  push(event: string, payload: string): void {
    this.#socket.write(pushStart(this.address, event) + payload + PUSH_END);
  }

  published(messages: readonly Outgoing[]): void {
    if (this.state !== "closed") this.#apply(this.#delivery.published(messages));
  }

  head(lastSeq: number): void {
    if (this.state === "joined") this.#apply(this.#delivery.head(lastSeq));
  }

  /** A client's `send`: the reply goes out when the append is decided. */
  send({ ref, payload, bytes }: Frame): void {
    const parsed = parseSend(payload, bytes);
    if (!parsed.ok) return this.reply(ref, "error", JSON.stringify(parsed.response));
    const { principal } = this.#socket;
    const answered = this.#services.conversations
      .append({ session_id: this.#sessionId, ...principal, ...parsed.message })
      .then(
        ({ message, deduped }) => {
          if (this.state === "closed") return;
          this.reply(
            ref,
            "ok",
            `{"seq":${message.seq},"id":${JSON.stringify(message.id)},"deduped":${deduped}}`,
          );
        },
        (error: unknown) => this.#sendFailed(ref, error),
      );
    this.#socket.answering(answered);
  }

  #sendFailed(ref: Ref, error: unknown): void {
    const { response, busyForMs, unexpected } = sendFailure(error);
    if (unexpected) this.#report("append failed", error);
    if (this.state === "closed") return;
    this.reply(ref, "error", JSON.stringify(response));
    if (busyForMs !== null) {
      this.push("backpressure", JSON.stringify({ reason: "node_busy", retry_after_ms: busyForMs }));
    }
  }

  #apply(step: Step<Outgoing>): void {
    for (const message of step.deliver) this.#socket.write(this.#messageStart + message.json + PUSH_END);
    if (step.repaired) this.#services.metrics.gapRepairs.inc();
    if (step.read !== null) void this.#read(step.read);
    if (step.retryIn !== null) {
      const jitter = 1 + RETRY_JITTER * (2 * Math.random() - 1);
      this.#retry = setTimeout(() => this.#apply(this.#delivery.retry()), step.retryIn * jitter);
    }
  }

  /** Carries out one read of the delivery; never rejects. */
  async #read(read: number): Promise<void> {
    const { reads, pageBytes } = this.#socket;
    await reads.begin(pageBytes);
    try {
      if (this.#isClosed()) return;
      const step = await this.#answer(read, { limit: PAGE_MESSAGES, maxBytes: pageBytes });
      // Left or replaced while the page was on its way: nothing may follow its `phx_close`.
      if (!this.#isClosed()) this.#apply(step);
    } finally {
      reads.done(pageBytes);
    }
  }

  async #answer(read: number, limits: PageLimits): Promise<Step<Outgoing>> {
    try {
      const page = await this.#services.feeds.readShared(this.#sessionId, this.#delivery.sent, limits);
      return this.#delivery.page(read, page.messages, page.lastSeq);
    } catch (error) {
      this.#report("missing messages could not be read", error);
      return this.#delivery.failed(read);
    }
  }

  /** In an outage this happens to every channel again and again, which the node's other messages explain. */
  #report(message: string, error: unknown): void {
    const fields = { session: this.#sessionId, error: inspect(error) };
    this.#services.logger[isOutage(error) ? "debug" : "error"](message, fields);
  }

  /** A method, because the compiler does not expect the state to change across an `await`. */
  #isClosed(): boolean {
    return this.state === "closed";
  }
}

function isParticipant(principal: Principal, session: Session): boolean {
  return "user_id" in principal
    ? session.user_id === principal.user_id
    : session.agent_id === principal.agent_id;
}

/** What a read above the end of a session answers: `sessions.get`, made after the subscription, has told the end. */
function emptyPage(lastSeq: number): Page {
  return { messages: [], lastSeq, hasMore: false };
}
