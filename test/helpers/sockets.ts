/** @module Clients of the sockets: one that sends raw frames, and the official one. */

import { once } from "node:events";
import { type Channel, Socket } from "phoenix";
import { WebSocket } from "ws";
import type { Dispatch, Message } from "../../services/conversations/contract.ts";
import { until } from "./until.ts";

/** `[join_ref, ref, topic, event, payload]` as it came, parsed. */
export type Received = readonly [
  joinRef: string | number | null,
  ref: string | number | null,
  topic: string,
  event: string,
  payload: Payload,
];

/** What a gateway sends, all fields at once: a test reads those that it expects, and fails where they are missing. */
export interface Payload extends Message {
  readonly status: "ok" | "error";
  readonly response: Payload;
  readonly messages: readonly Message[];
  readonly last_seq: number;
  readonly has_more: boolean;
  readonly dispatch: Dispatch;
  readonly deduped: boolean;
  readonly error: string;
  readonly reason: string;
  readonly details: string;
  readonly received: unknown;
  readonly may_have_committed: boolean;
  readonly retry_after_ms: number;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

const REST_MS = 300;

/** Resolves with a number once it has not changed for a while: whoever changed it has come to a halt. */
export async function atRest(what: string, value: () => number): Promise<number> {
  let last = Number.NaN;
  let since = 0;
  await until(`${what} comes to a rest`, () => {
    const now = performance.now();
    if (value() !== last) since = now;
    last = value();
    return now - since > REST_MS;
  });
  return last;
}

/** A socket without any logic of its own: what it sends and what it received is up to the test. */
export class RawSocket {
  readonly ws: WebSocket;
  readonly frames: Received[] = [];
  closed: Closed | null = null;
  #refs = 0;

  private constructor(url: string) {
    this.ws = new WebSocket(url);
    this.ws.on("message", (data: Buffer) => this.frames.push(JSON.parse(data.toString())));
    this.ws.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    this.ws.on("error", () => {}); // a test looks at `closed`
  }

  /** `url` is a gateway's; the query names the principal. Rejects with the HTTP status when it is refused. */
  static async open(url: string, query: Record<string, string>): Promise<RawSocket> {
    const socket = new RawSocket(socketUrl(url, { vsn: "2.0.0", ...query }));
    const { ws } = socket;
    const refused = once(ws, "unexpected-response").then(([, response]) => {
      ws.terminate();
      throw new Error(`HTTP ${response.statusCode}`);
    });
    await Promise.race([once(ws, "open"), refused]);
    refused.catch(() => {}); // it was opened, so nobody waits for a refusal
    return socket;
  }

  /** Sends a frame and tells its ref. */
  send(topic: string, event: string, payload: unknown = {}, joinRef: string | null = null): string {
    const ref = this.#nextRef();
    this.ws.send(JSON.stringify([joinRef, ref, topic, event, payload]));
    return ref;
  }

  /** Tests that write their own frames number them "1", "2" and so on. */
  #nextRef(): string {
    return `#${++this.#refs}`;
  }

  /** Sends a frame and waits for the reply: its status and response. */
  async ask(topic: string, event: string, payload: unknown = {}, joinRef: string | null = null) {
    return this.reply(this.send(topic, event, payload, joinRef));
  }

  async reply(ref: string): Promise<{ status: "ok" | "error"; response: Payload }> {
    const frame = await this.next(
      ([, to, , event]) => to === ref && event === "phx_reply",
      `reply to ${ref}`,
    );
    return frame[4];
  }

  /** Joins with a join_ref of its own, as the official client does; the reply's response, or an error with the reason. */
  async join(topic: string, payload: unknown = {}): Promise<Payload> {
    const ref = this.#nextRef();
    this.ws.send(JSON.stringify([ref, ref, topic, "phx_join", payload]));
    const { status, response } = await this.reply(ref);
    if (status === "error") throw new Error(response.reason);
    return response;
  }

  /** The first frame that fits, of those that came and those to come. */
  async next(fits: (frame: Received) => boolean, what: string): Promise<Received> {
    return until(what, () => this.frames.find(fits));
  }

  /** Seqs of the `message` events of a topic, in the order of their arrival. */
  seqs(topic: string): number[] {
    return this.frames
      .filter((frame) => frame[2] === topic && frame[3] === "message")
      .map((frame) => frame[4].seq);
  }

  async untilClosed(): Promise<Closed> {
    return until("the server closes the socket", () => this.closed);
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.untilClosed();
  }
}

export function socketUrl(url: string, query: Record<string, string>): string {
  return `${url.replace("http", "ws")}/socket/websocket?${new URLSearchParams(query)}`;
}

/** What one join of a channel brought. */
export interface JoinRecord {
  /** The `last_seq` that the client gave. */
  readonly after: number;
  /** Whether the join was answered with ok. */
  joined: boolean;
  /** Messages of the reply, then the pushed ones, in the order of arrival. */
  readonly messages: Message[];
  /** Messages that were pushed before the join was answered. */
  early: number;
}

/** A connection that is not answered for so long is given up. */
const HANDSHAKE_MS = 3000;

/** The official client in one session, with what its application would keep: the messages in the order of arrival. */
export class OfficialClient {
  readonly channel: Channel;
  /** Seqs as they came, replayed in join replies or pushed. */
  readonly seqs: number[] = [];
  /** Every join that was tried. */
  readonly records: JoinRecord[] = [];
  /** Joins that succeeded. */
  joins = 0;
  readonly #socket: Socket;

  private constructor(urlOf: () => string, topic: string, params: Record<string, string>) {
    // The client builds its address only once; its transport is asked at every connection.
    class Transport extends WebSocket {
      constructor(address: string) {
        super(`${urlOf().replace("http", "ws")}/socket/websocket${new URL(address).search}`, {
          handshakeTimeout: HANDSHAKE_MS,
        });
      }
    }
    this.#socket = new Socket("ws://fleet.test/socket", {
      params,
      transport: Transport,
      reconnectAfterMs: () => 20,
      rejoinAfterMs: () => 20,
    });
    this.channel = this.#socket.channel(topic, () => this.#joinParams());
    this.channel.on("message", (message: Payload) => {
      const record = this.records.at(-1)!;
      if (!record.joined) record.early++;
      this.#take(message);
    });
  }

  /** Asked by the client whenever it joins. */
  #joinParams(): { last_seq: number } {
    const after = this.seqs.at(-1) ?? 0;
    this.records.push({ after, joined: false, messages: [], early: 0 });
    return { last_seq: after };
  }

  #take(message: Message): void {
    this.seqs.push(message.seq);
    this.records.at(-1)!.messages.push(message);
  }

  /** Joins a topic; `urlOf` names the gateway at every connection. Rejects with the reason of a refusal. */
  static async join(
    urlOf: () => string,
    topic: string,
    params: Record<string, string>,
  ): Promise<OfficialClient> {
    const client = new OfficialClient(urlOf, topic, params);
    client.#socket.connect();
    await new Promise<void>((resolve, reject) => {
      client.channel
        .join()
        .receive("ok", ({ messages }: Payload) => {
          client.records.at(-1)!.joined = true;
          for (const message of messages) client.#take(message);
          client.joins++;
          resolve();
        })
        .receive("error", ({ reason }: Payload) => {
          // Later refusals come while its node fails over; the client then joins again by itself.
          if (client.joins === 0) client.#socket.disconnect();
          reject(new Error(reason));
        });
    });
    return client;
  }

  /** The response of an ok reply; rejects with that of an error, or with "timeout". */
  push(event: string, payload: object): Promise<Payload> {
    return new Promise((resolve, reject) => {
      this.channel
        .push(event, payload)
        .receive("ok", resolve)
        .receive("error", (response) => reject(new Error(JSON.stringify(response))))
        .receive("timeout", () => reject(new Error("timeout")));
    });
  }

  disconnect(): Promise<void> {
    return new Promise((resolve) => this.#socket.disconnect(resolve));
  }
}
